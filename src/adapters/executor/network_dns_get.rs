//! `network.dns.get`: what keeps the settings says them.

use super::{dns_keeper::DnsKeeper, host_executor::Host};
use crate::domain::{
    Failure,
    operation::network_dns_get::{DnsQuery, DnsSettings},
};

pub(super) async fn run(host: &Host, query: &DnsQuery) -> Result<DnsSettings, Failure> {
    DnsKeeper::find(host, &query.interface).await.map(|(_, settings)| settings)
}
