//! Words from outside that would break a page.

use std::time::Duration;

use osapi::{
    adapters::metrics::OtelMetrics,
    ports::driven::{FleetSnapshot, HttpEnd, HttpMethod, HttpMetrics, MetricsExposition, RouteId},
};

use super::scene::{config, page};
use crate::exposition::Page;

const HOSTILE: &str = "a\"b\\c\nd\te\0f\u{200B}g}{=,# HELP";

#[test]
fn hostile_values_keep_their_meaning_and_the_page_its_form() {
    let mut config = config();
    config.version = HOSTILE.to_owned();
    config.service_name = Some(HOSTILE.to_owned());
    config.queue.backend = "x\"\\\n";
    let page = page(&OtelMetrics::new(&config).expect("valid"));
    assert_eq!(page.value("osapi_build_info", &[("revision", "abc1234"), ("version", HOSTILE)]), Some(1.0));
    assert_eq!(page.value("osapi_queue_info", &[("backend", "x\"\\\n"), ("durability", "power_loss")]), Some(1.0));
    assert_eq!(page.samples("target_info").next().expect("there").labels["service_name"], HOSTILE);
}

#[test]
fn routes_and_components_may_hold_anything() {
    let mut config = config();
    config.routes[3].template = HOSTILE.to_owned();
    let metrics = OtelMetrics::new(&config).expect("valid");
    metrics.request_finished(RouteId(3), HttpMethod::Get, HttpEnd::Answered(404), Duration::ZERO, false);
    let snapshot = FleetSnapshot { components: vec![("\"\\\n\0", true)], ..FleetSnapshot::default() };
    let page = Page::parse(&metrics.render(snapshot).expect("a page")).expect("readable");
    assert_eq!(page.samples("http_server_request_total").next().expect("there").labels["http_route"], HOSTILE);
    assert_eq!(page.value("osapi_health_component_up", &[("component", "\"\\\n\0")]), Some(1.0));
}

fn target(service_name: Option<&str>, attributes: Option<&str>) -> Vec<(String, String)> {
    let mut config = config();
    config.service_name = service_name.map(str::to_owned);
    config.resource_attributes = attributes.map(str::to_owned);
    let page = page(&OtelMetrics::new(&config).expect("valid"));
    let info: Vec<_> = page.samples("target_info").collect();
    assert_eq!((info.len(), info[0].value), (1, 1.0));
    info[0].labels.clone().into_iter().filter(|(name, _)| name != "service_version").collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_environment_names_the_service() {
    assert_eq!(target(None, None), pairs(&[("service_name", "osapi")]));
    assert_eq!(target(Some(""), None), pairs(&[("service_name", "osapi")]));
    let attributes = Some("service.name=a, deployment.environment = b%20c%2Cd ");
    let environment = ("deployment_environment", "b c,d");
    assert_eq!(target(None, attributes), pairs(&[environment, ("service_name", "a")]));
    assert_eq!(target(Some("mine"), attributes), pairs(&[environment, ("service_name", "mine")]));
}

#[test]
fn attributes_that_would_break_the_page_are_rewritten_or_left_out() {
    let attributes = "9lives=1,=2,__name__=3,a:b=4,ü=5,novalue,.._x=7,percent=%zz%4,utf=%ff";
    let expected =
        [("_", "5"), ("_9lives", "1"), ("a_b", "4"), ("percent", "%zz%4"), ("service_name", "osapi"), ("utf", "%ff")];
    assert_eq!(target(None, Some(attributes)), pairs(&expected));
}
