//! `node.hostname.get`: what this worker is called and labelled.

use super::host_executor::Host;
use crate::domain::operation::node_hostname_get::NodeHostname;

pub(super) fn read(host: &Host) -> NodeHostname {
    NodeHostname {
        hostname: host.hostname.to_string(),
        labels: host.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    }
}
