//! What `resolvectl dns` and `resolvectl domain` print of one interface: read strictly, because nobody promises how it
//! looks. A word that is not understood costs no other.

use crate::domain::{InterfaceName, ScopedAddress};

/// `Link 2 (eth0): 192.0.2.1 fe80::1`: the words behind the colon, and the number of the interface. Long lists go on in
/// lines that begin with blanks.
fn words<'a>(output: &'a str, interface: &InterfaceName) -> Option<(u32, Vec<&'a str>)> {
    let (number, rest) = output.strip_prefix("Link ")?.split_once(' ')?;
    let rest = rest.strip_prefix('(')?.strip_prefix(interface.as_str())?.strip_prefix("):")?;
    let continues = rest.lines().skip(1).all(|line| line.starts_with(' ') && !line.trim().is_empty());
    let is_list = rest.starts_with([' ', '\n']) || rest.is_empty();
    let is_text = rest.chars().all(|letter| letter == '\n' || !letter.is_control());
    let number = number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    (continues && is_list && is_text)
        .then(|| (number, rest.split([' ', '\n']).filter(|word| !word.is_empty()).collect()))
}

/// The words of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) understood: Vec<String>,
    /// As they were printed.
    pub(super) not_understood: Vec<String>,
}

impl Printed {
    fn read(words: Vec<&str>, understand: impl Fn(&str) -> Option<String>) -> Self {
        let mut printed = Self::default();
        for word in words {
            match understand(word) {
                Some(understood) => printed.understood.push(understood),
                None => printed.not_understood.push(word.to_owned()),
            }
        }
        printed
    }
}

/// Servers are addresses, with a port, an interface or a name for TLS where they were set with one. None where the output
/// is no list of this interface.
pub(super) fn servers(output: &[u8], interface: &InterfaceName) -> Option<Printed> {
    let text = String::from_utf8_lossy(output);
    let (number, words) = words(&text, interface)?;
    Some(Printed::read(words, |word| server(word, number, interface)))
}

fn server(word: &str, number: u32, interface: &InterfaceName) -> Option<String> {
    let (place, name) = word.split_once('#').map_or((word, None), |(place, name)| (place, Some(name)));
    if name.is_some_and(|name| name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic())) {
        return None;
    }
    let (address, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once("]:")?;
            // The interface stands behind the port.
            let (port, scope) = port.split_once('%').map_or((port, ""), |(port, scope)| (port, scope));
            let scope = if scope.is_empty() { String::new() } else { format!("%{scope}") };
            (format!("{address}{scope}"), Some(port))
        }
        None if place.contains('.') && !place.contains("::") => {
            place.split_once(':').map_or((place.to_owned(), None), |(address, port)| (address.to_owned(), Some(port)))
        }
        None => (place.to_owned(), None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return None;
    }
    let address: ScopedAddress = address.parse().ok()?;
    // A scope may be the number of the interface, or left out.
    let is_own = address.scope().is_none_or(|scope| scope.as_str() == number.to_string());
    let address = if is_own { ScopedAddress::from(address.address()).on(interface) } else { address };
    let name = name.map_or_else(String::new, |name| format!("#{name}"));
    Some(match port {
        None => format!("{address}{name}"),
        Some(port) if address.address().is_ipv4() => format!("{address}:{port}{name}"),
        Some(port) => format!("[{address}]:{port}{name}"),
    })
}

/// Search domains. None where the output is no list of this interface.
pub(super) fn domains(output: &[u8], interface: &InterfaceName) -> Option<Printed> {
    let text = String::from_utf8_lossy(output);
    let (_, words) = words(&text, interface)?;
    let is_text = |word: &str| !word.contains(char::REPLACEMENT_CHARACTER);
    Some(Printed::read(words, |word| is_text(word).then(|| word.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn interface() -> InterfaceName {
        "eth7".parse().expect("a name")
    }

    /// The servers of an output all of which is understood.
    fn servers(output: &str, interface: &InterfaceName) -> Option<Vec<String>> {
        whole(super::servers(output.as_bytes(), interface)?)
    }

    fn domains(output: &str, interface: &InterfaceName) -> Option<Vec<String>> {
        whole(super::domains(output.as_bytes(), interface)?)
    }

    fn whole(printed: Printed) -> Option<Vec<String>> {
        printed.not_understood.is_empty().then_some(printed.understood)
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// As systemd 252 printed it.
    #[test]
    fn what_the_tool_prints_is_understood() {
        assert_eq!(servers("Link 3 (eth7):\n", &interface()), Some(strings(&[])));
        let printed = "Link 3 (eth7): 1.1.1.1 fe80::1 fe80::2 2001:db8::1 9.9.9.9#dns.quad9.net\n";
        let expected = ["1.1.1.1", "fe80::1%eth7", "fe80::2%eth7", "2001:db8::1", "9.9.9.9#dns.quad9.net"];
        assert_eq!(servers(printed, &interface()), Some(strings(&expected)));
        let printed = "Link 3 (eth7): Example.COM ~corp.example ~. b.example c.example\n        \
                       ddddddddddddddddddddddddddd.example eeeeeeeeeeeeeeeeeeeeeeee.example\n";
        let expected = [
            "Example.COM",
            "~corp.example",
            "~.",
            "b.example",
            "c.example",
            "ddddddddddddddddddddddddddd.example",
            "eeeeeeeeeeeeeeeeeeeeeeee.example",
        ];
        assert_eq!(domains(printed, &interface()), Some(strings(&expected)));
        let printed = "Link 3 (eth7):\n        1.1.1.1\n        fe80::1\n";
        assert_eq!(servers(printed, &interface()), Some(strings(&["1.1.1.1", "fe80::1%eth7"])));
    }

    #[test]
    fn ports_scopes_and_names_are_kept() {
        let printed =
            "Link 3 (eth7): 192.0.2.1:5353 [2001:db8::1]:853#a.example [fe80::1]:53%3 fe80::2%3 fe80::3%eth9\n";
        let expected =
            ["192.0.2.1:5353", "[2001:db8::1]:853#a.example", "[fe80::1%eth7]:53", "fe80::2%eth7", "fe80::3%eth9"];
        assert_eq!(servers(printed, &interface()), Some(strings(&expected)));
    }

    #[test]
    fn a_word_that_is_not_understood_costs_no_other_and_is_named() {
        let printed = super::servers(b"Link 3 (eth7): 192.0.2.1 nonsense 192.0.2.2 \xff\n", &interface());
        let printed = printed.expect("a list");
        assert_eq!(printed.understood, ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(printed.not_understood, ["nonsense", "\u{fffd}"]);
        let printed = super::domains(b"Link 3 (eth7): a.example \xff.example\n", &interface()).expect("a list");
        assert_eq!((printed.understood.len(), printed.not_understood.len()), (1, 1));
    }

    #[test]
    fn anything_else_is_not_understood() {
        for printed in [
            "",
            "Global: 192.0.2.1\n",
            "Link 3 (eth70): 192.0.2.1\n",
            "Link 3 (eth): 192.0.2.1\n",
            "Link x (eth7): 192.0.2.1\n",
            "Link +3 (eth7): 192.0.2.1\n",
            "Link 99999999999 (eth7): 192.0.2.1\n",
            "Link 3 (eth7):192.0.2.1\n",
            "Link 3 (eth7): 192.0.2.1\nLink 4 (eth8): 192.0.2.2\n",
            "Link 3 (eth7): 192.0.2.1\n\n",
            "Link 3 (eth7): 192.0.2.1\t192.0.2.2\n",
            "Link 3 (eth7): 192.0.2\n",
            "Link 3 (eth7): 192.0.2.1:99999\n",
            "Link 3 (eth7): 192.0.2.1#\n",
            "Link 3 (eth7): [192.0.2.1\n",
            "\u{1b}[1mLink 3 (eth7)\u{1b}[0m: 192.0.2.1\n",
        ] {
            assert_eq!(servers(printed, &interface()), None, "{printed:?}");
        }
    }

    proptest! {
        #[test]
        fn every_list_reads_back_however_it_is_broken_into_lines(
            addresses in prop::collection::vec((any::<[u8; 4]>(), any::<[u8; 16]>(), any::<bool>(), any::<bool>()), 0..20),
            number: u32,
        ) {
            let mut printed = format!("Link {number} (eth7):");
            let mut expected = Vec::new();
            for (four, six, is_four, breaks) in addresses {
                let address = if is_four { IpAddr::from(Ipv4Addr::from(four)) } else { Ipv6Addr::from(six).into() };
                printed += if breaks { "\n        " } else { " " };
                printed += &address.to_string();
                expected.push(ScopedAddress::from(address).on(&interface()).to_string());
            }
            printed += "\n";
            prop_assert_eq!(servers(&printed, &interface()), Some(expected));
        }

        #[test]
        fn nothing_makes_it_panic(text in "(?s).*", rest in "[ -~\n]{0,60}") {
            let _ = (servers(&text, &interface()), domains(&text, &interface()));
            let _ = servers(&format!("Link 3 (eth7): {rest}"), &interface());
        }
    }
}
