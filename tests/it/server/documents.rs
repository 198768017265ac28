//! The API document: what is served, what the command prints and what is committed are one.

use std::{env, fs, path::Path};

use serde_json::Value;

use super::Home;

fn committed(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(name)
}

#[test]
fn the_committed_openapi_document_is_that_of_the_code() {
    let home = Home::new();
    for (name, format) in [("openapi.yaml", "yaml"), ("openapi.json", "json")] {
        let printed = home.run(&["openapi", "--output", format]);
        let printed = String::from_utf8(printed.stdout).unwrap();
        if env::var_os("OSAPI_BLESS").is_some() {
            fs::create_dir_all(committed("")).unwrap();
            fs::write(committed(name), &printed).unwrap();
        }
        let found = fs::read_to_string(committed(name)).unwrap_or_default();
        assert!(found == printed, "openapi/{name} differs from the code: run `make openapi` and review the difference");
    }
}

#[test]
fn the_served_document_is_the_printed_one() {
    let home = Home::new();
    let (_server, client) = home.serve();
    let printed = home.run(&["openapi", "--output", "json"]);
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(client.get("/openapi.json").expect(200), printed);
    let yaml = client.get("/openapi.yaml");
    let yaml: Value = serde_yaml::from_str(&yaml.body).unwrap();
    assert_eq!(yaml, printed);
}
