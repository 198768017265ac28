//! The text of `/etc/resolv.conf` (resolv.conf(5)): reads what the C libraries read, and changes nothing else.

use crate::domain::ScopedAddress;

/// How many servers the C libraries ask (`MAXNS`); they ignore what comes after them.
pub(super) const MAX_SERVERS: usize = 3;

/// The lines of the file, each with its end, whatever they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvConf {
    lines: Vec<Vec<u8>>,
}

/// What a line says, as far as it is understood.
enum Directive {
    Server(Option<ScopedAddress>),
    /// `search`, or `domain`, which is a list of one. The last such line counts.
    Search(Vec<String>),
    Other,
}

impl ResolvConf {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self { lines: text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.lines.concat()
    }

    /// The servers that are asked, in their order.
    pub(super) fn servers(&self) -> Vec<String> {
        let servers = self.lines.iter().filter_map(|line| match directive(line) {
            Directive::Server(server) => server,
            _ => None,
        });
        servers.take(MAX_SERVERS).map(|server| server.to_string()).collect()
    }

    /// The domains in which short names are looked up.
    pub(super) fn search_domains(&self) -> Vec<String> {
        let last = self.lines.iter().rev().find_map(|line| match directive(line) {
            Directive::Search(domains) => Some(domains),
            _ => None,
        });
        last.unwrap_or_default()
    }

    /// With these servers in place of those that are there.
    #[must_use]
    pub(super) fn with_servers(self, servers: &[String]) -> Self {
        let lines = servers.iter().map(|server| format!("nameserver {server}\n").into_bytes()).collect();
        self.with(lines, |directive| matches!(directive, Directive::Server(_)))
    }

    /// With these search domains in place of those that are there.
    #[must_use]
    pub(super) fn with_search_domains(self, domains: &[String]) -> Self {
        let line = format!("search {}\n", domains.join(" ")).into_bytes();
        let lines = if domains.is_empty() { Vec::new() } else { vec![line] };
        self.with(lines, |directive| matches!(directive, Directive::Search(_)))
    }

    /// Puts lines where the first line of their kind is, else at the end, and leaves the others of their kind out.
    fn with(mut self, new: Vec<Vec<u8>>, is_of_kind: impl Fn(&Directive) -> bool) -> Self {
        if let Some(last) = self.lines.last_mut().filter(|last| !last.ends_with(b"\n")) {
            last.push(b'\n');
        }
        let is_of_kind = |line: &Vec<u8>| is_of_kind(&directive(line));
        let place = self.lines.iter().position(is_of_kind).unwrap_or(self.lines.len());
        self.lines.retain(|line| !is_of_kind(line));
        self.lines.splice(place..place, new);
        self
    }
}

/// A directive begins at the first column, or the C libraries do not see it.
fn directive(line: &[u8]) -> Directive {
    let text = String::from_utf8_lossy(line);
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text.trim_end(), ""));
    // What follows a word after `;` or `#` is a comment.
    let first = || rest.split([' ', '\t', '\r', '\n', ';', '#']).find(|word| !word.is_empty());
    let spelled = |domain: &str| domain.strip_suffix('.').unwrap_or(domain).to_owned();
    match word {
        "nameserver" => Directive::Server(first().and_then(|address| address.parse().ok())),
        // The root alone means that there is none.
        "domain" => Directive::Search(first().map(spelled).into_iter().filter(|domain| !domain.is_empty()).collect()),
        "search" => {
            let domains = rest.split_ascii_whitespace().map(spelled);
            Directive::Search(domains.filter(|domain| !domain.is_empty()).collect())
        }
        _ => Directive::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_file_is_read_as_the_c_library_reads_it() {
        let text = "# made by hand\n; nameserver 192.0.2.9\n  nameserver 192.0.2.8\nnameserver\t192.0.2.1 # first\n\
                    domain old.example\nsearch a.example B.example. \t c.example\nnameserver nonsense\n\
                    nameservers 192.0.2.7\nnameserver 2001:DB8::1\nnameserver fe80::1%eth0\nnameserver 192.0.2.6\n\
                    options edns0 trust-ad";
        let conf = ResolvConf::parse(text.as_bytes());
        assert_eq!(conf.servers(), ["192.0.2.1", "2001:db8::1", "fe80::1%eth0"]);
        assert_eq!(conf.search_domains(), ["a.example", "B.example", "c.example"]);
    }

    #[test]
    fn the_last_of_search_and_domain_counts_and_the_root_is_none() {
        let domains = |text: &str| ResolvConf::parse(text.as_bytes()).search_domains();
        assert_eq!(domains("search a.example\ndomain b.example\n"), ["b.example"]);
        assert_eq!(domains("search a.example\nsearch .\n"), strings(&[]));
        assert_eq!(domains("search\n"), strings(&[]));
    }

    #[test]
    fn a_change_leaves_every_other_line_as_it_is() {
        let text = b"# keep\nsearch old.example\nnameserver 192.0.2.1\n\xff\xfe odd\nnameserver 192.0.2.2\n\
                     options ndots:2\ndomain older.example\nsortlist 192.0.2.0";
        let conf = ResolvConf::parse(text);
        let servers = conf.clone().with_servers(&strings(&["192.0.2.3", "::1"]));
        let expected = b"# keep\nsearch old.example\nnameserver 192.0.2.3\nnameserver ::1\n\xff\xfe odd\n\
                         options ndots:2\ndomain older.example\nsortlist 192.0.2.0\n";
        assert_eq!(servers.to_bytes(), expected);
        let domains = conf.clone().with_search_domains(&strings(&["a.example", "b.example"]));
        let expected = b"# keep\nsearch a.example b.example\nnameserver 192.0.2.1\n\xff\xfe odd\n\
                         nameserver 192.0.2.2\noptions ndots:2\nsortlist 192.0.2.0\n";
        assert_eq!(domains.to_bytes(), expected);
        let none = conf.with_search_domains(&[]).to_bytes();
        assert!(!none.windows(6).any(|word| word == b"search" || word == b"domain"));
    }

    #[test]
    fn an_empty_file_gets_what_is_set() {
        let conf =
            ResolvConf::parse(b"").with_servers(&strings(&["192.0.2.1"])).with_search_domains(&strings(&["lan"]));
        assert_eq!(conf.to_bytes(), b"nameserver 192.0.2.1\nsearch lan\n");
    }

    fn any_text() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            "[ -~]{0,30}".prop_map(String::into_bytes),
            "(nameserver|search|domain|options|#|;)[ \t][a-z0-9.: ]{0,20}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..20),
        ];
        prop::collection::vec(line, 0..12).prop_map(|lines| lines.join(&b'\n'))
    }

    proptest! {
        #[test]
        fn what_is_not_changed_is_kept_byte_for_byte(text in any_text()) {
            prop_assert_eq!(ResolvConf::parse(&text).to_bytes(), text);
        }

        #[test]
        fn what_is_set_reads_back_and_setting_it_again_changes_nothing(
            text in any_text(),
            servers in prop::collection::vec("(192\\.0\\.2\\.[1-9]|2001:db8::[1-9])", 1..=3),
            domains in prop::collection::vec("[a-z]{1,9}\\.example", 0..4),
        ) {
            let set = |conf: ResolvConf| conf.with_servers(&servers).with_search_domains(&domains);
            let conf = set(ResolvConf::parse(&text));
            let read = ResolvConf::parse(&conf.to_bytes());
            prop_assert_eq!((read.servers(), read.search_domains()), (servers.clone(), domains.clone()));
            prop_assert_eq!(set(read), conf);
        }

        #[test]
        fn lines_of_other_kinds_survive_in_their_order(text in any_text()) {
            let others = |text: &[u8]| -> Vec<Vec<u8>> {
                let lines = ResolvConf::parse(text).lines.into_iter();
                let other = lines.filter(|line| matches!(directive(line), Directive::Other));
                other.map(|line| line.strip_suffix(b"\n").unwrap_or(&line).to_vec()).collect()
            };
            let changed = ResolvConf::parse(&text).with_servers(&strings(&["::1"])).with_search_domains(&[]).to_bytes();
            prop_assert_eq!(others(&changed), others(&text));
        }
    }
}
