//! systemd-resolved through its tool, `resolvectl`: the settings of one interface.

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

use super::{
    host_files::HostFiles,
    resolvectl_output::{domains, servers},
};
use crate::domain::{
    InterfaceName,
    operation::network_dns_get::{DnsSettings, DnsSource},
};

/// Where it is installed.
const PLACES: [&str; 2] = ["/usr/bin/resolvectl", "/bin/resolvectl"];
/// The service makes it when it starts for the first time.
const RUNTIME_DIRECTORY: &str = "/run/systemd/resolve";
/// It answers within milliseconds, or something is wrong.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than the settings of an interface can take.
const OUTPUT_CAP: u64 = 1 << 20;
/// Of what it says of an error.
const MESSAGE_CAP: usize = 300;

/// Why a call had no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// The tool says that it could not, as it does when the service does not run.
    Refused(String),
    /// A part of what the tool printed is not understood.
    Partly(DnsSettings, String),
    /// The tool does not work.
    Broken(String),
}

impl CallError {
    pub(super) fn into_message(self) -> String {
        match self {
            Self::Refused(message) | Self::Partly(_, message) | Self::Broken(message) => message,
        }
    }
}

/// The tool of a host.
#[derive(Debug)]
pub(super) struct Resolvectl {
    program: PathBuf,
    patience: Duration,
}

impl Resolvectl {
    /// The tool, where it is installed and the service has ever run since the host started.
    pub(super) fn find(files: &HostFiles) -> Option<Self> {
        let program = PLACES.into_iter().map(|place| files.path(place)).find(|program| program.is_file())?;
        files.path(RUNTIME_DIRECTORY).is_dir().then_some(Self { program, patience: PATIENCE })
    }

    /// The settings of an interface.
    pub(super) async fn settings(&self, interface: &InterfaceName) -> Result<DnsSettings, CallError> {
        let output = self.call(&["dns", interface.as_str()]).await?;
        let servers = servers(&output, interface).ok_or_else(|| unexpected(&output))?;
        let output = self.call(&["domain", interface.as_str()]).await?;
        let domains = domains(&output, interface).ok_or_else(|| unexpected(&output))?;
        let not_understood = [servers.not_understood, domains.not_understood].concat();
        let settings = DnsSettings {
            servers: servers.understood,
            search_domains: domains.understood,
            source: DnsSource::Resolved,
        };
        if not_understood.is_empty() {
            return Ok(settings);
        }
        let words = not_understood.join(" ");
        Err(CallError::Partly(settings, format!("resolvectl printed words that are not understood: {words}")))
    }

    /// Sets the servers of an interface.
    pub(super) async fn set_servers(&self, interface: &InterfaceName, servers: &[String]) -> Result<(), CallError> {
        // Older versions know no scopes, and the interface says it.
        let own_scope = format!("%{interface}");
        let servers = servers.iter().map(|server| server.strip_suffix(&own_scope).unwrap_or(server));
        let arguments: Vec<&str> = ["dns", interface.as_str()].into_iter().chain(servers).collect();
        self.call(&arguments).await.map(|_| ())
    }

    /// Sets the search domains of an interface.
    pub(super) async fn set_domains(&self, interface: &InterfaceName, domains: &[String]) -> Result<(), CallError> {
        let mut arguments = vec!["domain", interface.as_str()];
        arguments.extend(domains.iter().map(String::as_str));
        // An empty domain removes those that are there; none at all would only ask for them.
        if domains.is_empty() {
            arguments.push("");
        }
        self.call(&arguments).await.map(|_| ())
    }

    /// Runs the tool and takes what it prints.
    async fn call(&self, arguments: &[&str]) -> Result<Vec<u8>, CallError> {
        let broken = |message: String| CallError::Broken(format!("resolvectl {message}"));
        let mut command = Command::new(&self.program);
        command.args(["--no-pager", "--"]).args(arguments).process_group(0).current_dir("/");
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("SYSTEMD_COLORS", "0");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut running = Running(command.spawn().map_err(|error| broken(format!("cannot be started: {error}")))?);
        let ended = timeout(self.patience, running.end()).await;
        let (status, output, errors) = match ended {
            Ok(ended) => ended.map_err(broken)?,
            Err(_) => return Err(broken(format!("did not answer within {:?}", self.patience))),
        };
        if !status.success() {
            let said = said(&errors);
            return Err(CallError::Refused(format!("resolvectl failed ({status}): {said}")));
        }
        Ok(output)
    }
}

/// The beginning of what it printed is in the message, as far as it fits.
fn unexpected(output: &[u8]) -> CallError {
    CallError::Broken(format!("resolvectl printed something unexpected: {}", said(output)))
}

/// A process with a group of its own, all of which ends with this.
struct Running(Child);

impl Running {
    /// Waits for the end, and takes what is printed until then.
    async fn end(&mut self) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), String> {
        let (output, errors) = (self.0.stdout.take(), self.0.stderr.take());
        let (output, errors) = tokio::try_join!(all_of(output), all_of(errors))?;
        let status = self.0.wait().await.map_err(|error| format!("cannot be waited for: {error}"))?;
        Ok((status, output, errors))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has no number any more once it was waited for, and then the group is not touched.
        let leader = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // It may have ended meanwhile.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

async fn all_of(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let read = stream.take(OUTPUT_CAP + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| format!("cannot be read: {error}"))?;
    }
    if bytes.len() as u64 > OUTPUT_CAP { Err(format!("printed more than {OUTPUT_CAP} bytes")) } else { Ok(bytes) }
}

/// What it said, fit for a message: in one line, and not all of a flood.
fn said(errors: &[u8]) -> String {
    let text = String::from_utf8_lossy(errors);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line = if lines.is_empty() { "without a word".to_owned() } else { lines.join("; ") };
    line.chars().filter(|letter| !letter.is_control()).take(MESSAGE_CAP).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::adapters::executor::fixture::{ended, program};

    fn interface() -> InterfaceName {
        "eth0".parse().expect("a name")
    }

    fn tool(root: &Path, patience: Duration, script: &str) -> Resolvectl {
        Resolvectl { program: program(root, "usr/bin/resolvectl", script), patience }
    }

    async fn settings(script: &str, patience: Duration) -> Result<DnsSettings, CallError> {
        let root = tempfile::tempdir().expect("a directory");
        tool(root.path(), patience, script).settings(&interface()).await
    }

    #[tokio::test]
    async fn a_tool_that_does_not_work_is_an_error_of_its_own() {
        let long = Duration::from_mins(1);
        for (script, patience, expected) in [
            ("exec tail -f /dev/null", Duration::from_millis(50), "did not answer within 50ms"),
            ("tail -f /dev/null & exit 0", Duration::from_millis(50), "did not answer within 50ms"),
            ("exec yes", long, "printed more than 1048576 bytes"),
            ("exec yes >&2", long, "printed more than 1048576 bytes"),
            ("echo hello", long, "printed something unexpected"),
            ("exit 0", long, "printed something unexpected"),
            ("printf 'Link 2 (eth0): 192.0.2.1\\000\\n'", long, "printed something unexpected"),
            ("echo 'Link 2 (eth1): 192.0.2.1'", long, "printed something unexpected"),
        ] {
            match settings(script, patience).await {
                Err(CallError::Broken(message)) => assert!(message.contains(expected), "{script}: {message}"),
                other => panic!("{script}: {other:?}"),
            }
        }
        // Both lists have it.
        let odd = settings("printf 'Link 2 (eth0): a.example \\377\\n'", long).await.expect_err("odd");
        assert!(matches!(&odd, CallError::Partly(settings, _) if settings.search_domains == ["a.example"]), "{odd:?}");
        let nothing = Resolvectl { program: "/nonexistent/resolvectl".into(), patience: long };
        assert!(matches!(nothing.settings(&interface()).await, Err(CallError::Broken(_))));
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_words_of_the_tool_and_fit_for_a_line() {
        let script = "printf 'a first line\\nFailed to get \\033[1mlink data\\000\\n\\n' >&2; exit 1";
        let refused = settings(script, Duration::from_mins(1)).await.expect_err("it failed");
        let expected = "resolvectl failed (exit status: 1): a first line; Failed to get [1mlink data";
        assert_eq!(refused, CallError::Refused(expected.to_owned()));
        let script = "head -c 5000 /dev/zero | tr '\\0' x >&2; exit 2";
        let refused = settings(script, Duration::from_mins(1)).await.expect_err("it failed").into_message();
        assert!(refused.len() < MESSAGE_CAP + 60, "{refused}");
    }

    #[tokio::test]
    async fn the_tool_gets_its_arguments_behind_the_options_and_nothing_of_our_environment() {
        let root = tempfile::tempdir().expect("a directory");
        let script = "d=$(dirname \"$0\"); printf '%s\\n' \"$@\" >\"$d/arguments\"; env >\"$d/environment\"; \
                      readlink /proc/self/fd/0 >\"$d/input\"";
        let tool = tool(root.path(), Duration::from_mins(1), script);
        tool.set_servers(&interface(), &["192.0.2.1".to_owned(), "fe80::1%eth0".to_owned()]).await.expect("it runs");
        let read = |name: &str| fs::read_to_string(root.path().join("usr/bin").join(name)).expect("written");
        assert_eq!(read("arguments"), "--no-pager\n--\ndns\neth0\n192.0.2.1\nfe80::1\n");
        assert_eq!(read("input"), "/dev/null\n");
        let environment = read("environment");
        let names: Vec<&str> = environment.lines().filter_map(|line| line.split('=').next()).collect();
        assert!(names.contains(&"LC_ALL"), "{names:?}");
        // The last two are the shell's own.
        let known = ["LC_ALL", "PATH", "SYSTEMD_COLORS", "PWD", "SHLVL", "_", "OLDPWD"];
        assert_eq!(names.into_iter().find(|name| !known.contains(name)), None);

        tool.set_domains(&interface(), &[]).await.expect("it runs");
        assert_eq!(read("arguments"), "--no-pager\n--\ndomain\neth0\n\n");
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_no_process_behind() {
        let root = tempfile::tempdir().expect("a directory");
        // Its child is in its group; neither ends by itself, nor at a friendly signal.
        let script = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >\"$0.part\"; mv \"$0.part\" \"$0\"; \
                      while :; do tail -f /dev/null; done' \"$(dirname \"$0\")/child\"";
        let tool = tool(root.path(), Duration::from_mins(1), script);
        let noted = root.path().join("usr/bin/child");
        let interface = interface();
        let there = async {
            while !noted.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            settings = tool.settings(&interface) => panic!("{settings:?}"),
            () = there => {}
        }
        let child = fs::read_to_string(noted).expect("written");
        while !ended(child.trim()) {
            tokio::task::yield_now().await;
        }
    }
}
