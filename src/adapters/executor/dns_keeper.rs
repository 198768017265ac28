//! Which of the two keeps the name servers of a host: systemd-resolved where it runs, `/etc/resolv.conf` otherwise.

use super::{
    host_executor::{Host, on_thread},
    host_files::HostFiles,
    resolv_conf::ResolvConf,
    resolv_conf_file::ResolvConfFile,
    resolvectl::{CallError, Resolvectl},
};
use crate::domain::{
    Failure, FailureKind, InterfaceName, Output,
    operation::network_dns_get::{DnsSettings, DnsSource},
};

/// What keeps the settings.
#[derive(Debug)]
pub(super) enum DnsKeeper {
    /// systemd-resolved.
    Resolved(Resolvectl),
    /// The file.
    File(ResolvConfFile),
}

impl DnsKeeper {
    /// Finds it, with what it says of an interface that the host must have. What is not understood is named in the failure,
    /// beside what is.
    pub(super) async fn find(host: &Host, interface: &InterfaceName) -> Result<(Self, DnsSettings), Failure> {
        let (files, name) = (host.files.clone(), interface.clone());
        let tool = on_thread(move || must_exist(&files, &name).map(|()| Resolvectl::find(&files))).await?;
        let refused = match tool {
            Some(tool) => match tool.settings(interface).await {
                Ok(settings) => return Ok((Self::Resolved(tool), settings)),
                Err(CallError::Refused(message)) => Some(message),
                Err(CallError::Partly(settings, message)) => {
                    let partial = Some(Box::new(Output::NetworkDnsGet(settings)));
                    return Err(Failure { kind: FailureKind::Operation, message, partial });
                }
                Err(CallError::Broken(message)) => return Err(Failure::operation(message)),
            },
            None => None,
        };
        let files = host.files.clone();
        let file = on_thread(move || ResolvConfFile::find(&files)).await?;
        match refused {
            // The file says to ask a service that does not answer.
            Some(message) if file.is_of_resolved() => Err(Failure::operation(message)),
            // Nobody on this host asks the service: it does not run, or does not matter.
            _ => {
                let settings = said_by(&file);
                Ok((Self::File(file), settings))
            }
        }
    }
}

/// What a file says.
pub(super) fn said_by(file: &ResolvConfFile) -> DnsSettings {
    let conf = ResolvConf::parse(file.contents());
    DnsSettings { servers: conf.servers(), search_domains: conf.search_domains(), source: DnsSource::ResolvConf }
}

fn must_exist(files: &HostFiles, interface: &InterfaceName) -> Result<(), String> {
    // Interfaces are directories; a file beside them, `bonding_masters`, is none.
    let exists = files.path(format!("/sys/class/net/{interface}")).is_dir();
    if exists { Ok(()) } else { Err(format!("this host has no interface {interface}")) }
}
