//! The pages beside the API: the document in both forms, and the page to browse it.

use serde_json::Value;

use super::{call::call, scene::Scene};
use crate::adapters::http::{HttpSettings, document};

#[tokio::test]
async fn anybody_can_read_the_document_in_both_forms() {
    let settings = HttpSettings { metrics_path: "/internal/metrics".to_owned(), ..HttpSettings::default() };
    let mut scene = Scene::new();
    scene.settings = settings.clone();
    let app = scene.app();
    let json = call("GET", "/openapi.json").to(&app).await;
    let yaml = call("GET", "/openapi.yaml").to(&app).await;
    assert_eq!((json.status, json.header("content-type")), (200, Some("application/json")));
    assert_eq!((yaml.status, yaml.header("content-type")), (200, Some("application/yaml")));
    assert_eq!(json.json(), document(&settings));
    assert_eq!(serde_yaml::from_str::<Value>(&yaml.text()).expect("YAML"), document(&settings));
}

#[tokio::test]
async fn the_browsable_page_loads_nothing_from_elsewhere() {
    let page = call("GET", "/docs").to(&Scene::new().app()).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(policy.contains("connect-src 'self'"), "the page reads the document of its own server: {policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let text = page.text();
    for elsewhere in ["http://", "https://", "//cdn", "@import", "src="] {
        assert!(!text.contains(elsewhere), "{elsewhere}");
    }
    assert!(text.contains("/openapi.json"));
}
