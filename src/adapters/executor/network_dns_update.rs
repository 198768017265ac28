//! `network.dns.update`: changes what is not yet as it shall be, where it is kept.

use std::sync::Arc;

use super::{
    dns_keeper::{DnsKeeper, said_by},
    host_executor::{Host, on_thread},
    resolv_conf::{MAX_SERVERS, ResolvConf},
    resolv_conf_file::ResolvConfFile,
    resolvectl::Resolvectl,
};
use crate::domain::{
    Failure, InterfaceName, ScopedAddress, SearchDomain,
    operation::{
        network_dns_get::DnsSettings,
        network_dns_update::{ChangedDnsSettings, DnsChange},
    },
};

/// What shall be, of what shall change.
#[derive(Debug, Clone)]
struct Wanted {
    servers: Option<Vec<String>>,
    search_domains: Option<Vec<String>>,
}

impl Wanted {
    fn of(change: &DnsChange) -> Self {
        let server = |server: &ScopedAddress| server.clone().on(&change.interface).to_string();
        Self {
            servers: change.servers.as_ref().map(|servers| servers.iter().map(server).collect()),
            search_domains: change.search_domains.as_ref().map(|list| list.iter().map(ToString::to_string).collect()),
        }
    }

    /// What is still to do.
    fn beyond(self, settings: &DnsSettings) -> Self {
        // Domains compare without case (RFC 4343).
        let same = |wanted: &[String], is: &[String]| {
            wanted.len() == is.len() && wanted.iter().zip(is).all(|(wanted, is)| wanted.eq_ignore_ascii_case(is))
        };
        Self {
            servers: self.servers.filter(|servers| !same(servers, &settings.servers)),
            search_domains: self.search_domains.filter(|domains| !same(domains, &settings.search_domains)),
        }
    }

    const fn is_nothing(&self) -> bool {
        self.servers.is_none() && self.search_domains.is_none()
    }
}

pub(super) async fn run(host: &Host, change: &DnsChange) -> Result<ChangedDnsSettings, Failure> {
    // Two changes at once would each undo the other's half.
    let turn = Arc::clone(&host.dns_turn).lock_owned().await;
    let found = DnsKeeper::find(host, &change.interface).await;
    // What was not understood could be lost by a change, and what was is no result of one.
    let (keeper, before) = found.map_err(|failure| Failure { partial: None, ..failure })?;
    let wanted = Wanted::of(change).beyond(&before);
    if wanted.is_nothing() {
        return Ok(ChangedDnsSettings { settings: before, changed: false });
    }
    let settings = match keeper {
        DnsKeeper::Resolved(tool) => set(&tool, &change.interface, &wanted).await?,
        DnsKeeper::File(file) => {
            let routing_only =
                change.search_domains.iter().flat_map(|list| list.iter()).any(SearchDomain::is_routing_only);
            let files = host.files.clone();
            on_thread(move || {
                // Not given up before the file is written, also when nobody waits for it any more.
                let _turn = turn;
                edit(&file, &wanted, routing_only)?;
                ResolvConfFile::find(&files).map(|file| said_by(&file))
            })
            .await?
        }
    };
    Ok(ChangedDnsSettings { changed: settings != before, settings })
}

async fn set(tool: &Resolvectl, interface: &InterfaceName, wanted: &Wanted) -> Result<DnsSettings, Failure> {
    if let Some(servers) = &wanted.servers {
        tool.set_servers(interface, servers).await.map_err(|error| Failure::operation(error.into_message()))?;
    }
    if let Some(domains) = &wanted.search_domains {
        let done = if wanted.servers.is_some() { "the servers were set, the search domains were not: " } else { "" };
        let set = tool.set_domains(interface, domains).await;
        set.map_err(|error| Failure::operation(format!("{done}{}", error.into_message())))?;
    }
    let settings = tool.settings(interface).await.map_err(|error| Failure::operation(error.into_message()))?;
    if wanted.clone().beyond(&settings).is_nothing() {
        Ok(settings)
    } else {
        Err(Failure::operation("systemd-resolved took the settings and has others: another program sets them too"))
    }
}

fn edit(file: &ResolvConfFile, wanted: &Wanted, routing_only: bool) -> Result<(), String> {
    if routing_only {
        return Err("search domains with ~ need systemd-resolved, which does not run on this host".to_owned());
    }
    if wanted.servers.as_ref().is_some_and(|servers| servers.len() > MAX_SERVERS) {
        return Err(format!("/etc/resolv.conf takes at most {MAX_SERVERS} servers"));
    }
    let mut conf = ResolvConf::parse(file.contents());
    if let Some(servers) = &wanted.servers {
        conf = conf.with_servers(servers);
    }
    if let Some(domains) = &wanted.search_domains {
        conf = conf.with_search_domains(domains);
    }
    file.write(&conf.to_bytes())
}
