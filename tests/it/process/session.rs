//! The session of a command: no terminal, nothing to read, a group of its own.

use rustix::process::{Pid, Signal, kill_process};

use super::scene::{home, said, serve_by, stat};

/// Says what the kernel knows of the command, tries to open a terminal, and reads.
const LOOK: &str = "read -r stat < /proc/$$/stat; echo \"$stat\"; true < /dev/tty; cat; echo end";

#[test]
fn a_command_of_a_service_in_a_terminal_has_no_terminal() {
    let home = home();
    // script(1) makes a terminal, and is the parent of what runs in it.
    let script = "exec script --quiet --flush --return --command \"$0 start\" /dev/null";
    let (terminal, client) = serve_by(&home, &["sh", "-c", script]);
    let service = said(&client, "echo $PPID; read -r stat < /proc/$PPID/stat; echo \"$stat\"");
    let (service, of_service) = service.split_once('\n').unwrap();
    let service = Pid::from_raw(service.parse().unwrap()).unwrap();
    // The seventh field is the terminal.
    assert_ne!(stat(of_service)[4], "0", "the service has a terminal: {of_service}");

    let looked = said(&client, LOOK);
    let lines: Vec<&str> = looked.lines().collect();
    let (pid, fields) = (lines[0].split(' ').next().unwrap(), stat(lines[0]));
    assert_eq!((fields[2], fields[3], fields[4]), (pid, pid, "0"), "group, session, terminal: {looked}");
    assert!(lines[1].contains("/dev/tty") && lines[1].contains("No such device or address"), "{looked}");
    assert_eq!(lines[2..], ["end"], "{looked}");

    kill_process(service, Signal::TERM).unwrap();
    // It passes on what the service says of its end, to a test that does not read it any more.
    terminal.ended();
}
