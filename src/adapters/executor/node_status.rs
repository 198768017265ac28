//! `node.status.get`: all parts in one answer. A part that failed is named and does not hide the others.

use super::{host_executor::Host, node_disk, node_load, node_memory, node_os, node_uptime};
use crate::domain::operation::node_status_get::{NodeStatus, PartError};

pub(super) fn read(host: &Host) -> NodeStatus {
    let mut errors = Vec::new();
    let files = &host.files;
    let (os, uptime, load, memory, disks) = (
        node_os::read(files),
        node_uptime::read(files),
        node_load::read(files),
        node_memory::read(files),
        node_disk::read(host),
    );
    NodeStatus {
        hostname: host.hostname.to_string(),
        os: part("os", os, &mut errors),
        uptime_seconds: part("uptime", uptime, &mut errors),
        load: part("load", load, &mut errors),
        memory: part("memory", memory, &mut errors),
        disks: part("disks", disks, &mut errors).map(|found| {
            errors.extend(found.errors.into_iter().map(|message| PartError { part: "disks".to_owned(), message }));
            found.disks
        }),
        errors,
    }
}

fn part<T>(name: &str, read: Result<T, String>, errors: &mut Vec<PartError>) -> Option<T> {
    read.map_err(|message| errors.push(PartError { part: name.to_owned(), message })).ok()
}
