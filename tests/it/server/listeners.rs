//! Where the metrics page is, and where it is not.

use super::Home;

#[test]
fn with_metrics_off_there_is_no_page_and_the_api_works() {
    let home = Home::new().without_metrics();
    let (_server, client) = home.serve();
    client.get("/metrics").problem(404);
    client.get("/api/v1/jobs/stats").expect(200);
    assert!(client.get("/openapi.json").expect(200)["paths"]["/metrics"]["get"]["responses"]["404"].is_object());
}

#[test]
fn a_listener_of_its_own_takes_the_page_from_the_api() {
    let home = Home::new()
        .with("OSAPI_TELEMETRY__METRICS__LISTEN", "127.0.0.1:0")
        .with("OSAPI_TELEMETRY__METRICS__PATH", "/internal/prometheus");
    let (server, client) = home.serve();
    client.get("/internal/prometheus").problem(404);
    client.get("/metrics").problem(404);
    let url = server.metrics_url();
    let own = url.strip_suffix("/internal/prometheus").unwrap();
    assert_ne!(own, client_url(&server));
    let page = client.at(own).with_token(None).get("/internal/prometheus");
    assert_eq!((page.status, page.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    client.at(own).get("/api/v1/jobs").problem(404);
    client.at(own).get("/health").problem(404);
    let document = client.get("/openapi.json").expect(200);
    assert_eq!(document["paths"]["/internal/prometheus"]["servers"][0]["url"], own);
}

fn client_url(server: &super::Running) -> String {
    server.url().to_owned()
}

#[test]
fn the_page_is_public_and_everything_else_asks_for_a_token() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let nobody = client.with_token(None);
    for path in ["/metrics", "/health", "/health/ready", "/openapi.json", "/openapi.yaml", "/docs"] {
        assert_eq!(nobody.get(path).status, 200, "{path}");
    }
    for path in ["/api/v1/jobs", "/api/v1/jobs/stats", "/api/v1/workers", "/health/status"] {
        let refused = nobody.get(path);
        refused.problem(401);
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
}
