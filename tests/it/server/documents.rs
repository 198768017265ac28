//! The API document: what is served, what the command prints and what is committed are one.

use std::{env, fs, path::Path};

use osapi::{
    adapters::http::{HttpSettings, document},
    domain::OperationKind,
};
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

#[test]
fn every_operation_has_a_section_and_what_it_says_is_true() {
    let page = include_str!("../../../docs/operations.md");
    for kind in OperationKind::ALL {
        let name = kind.name();
        assert!(page.contains(&format!("\n### `{name}`\n")), "docs/operations.md has no section about {name}");
        let row = page.lines().find(|line| line.starts_with(&format!("| [`{name}`](#"))).expect(name);
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[2..4], [kind.effect().as_str(), kind.scope().as_str()], "{name}");
    }
}

#[test]
fn every_file_of_an_operation_is_one_and_every_node_operation_has_a_typed_call() {
    let known = OperationKind::ALL.map(|kind| kind.name().replace('.', "_"));
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain/operation")).unwrap();
    for file in files {
        let name = file.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".rs").unwrap();
        assert!(name == "mod" || known.iter().any(|known| known == name), "{name} has no line in the table");
    }
    let document = document(&HttpSettings::default());
    for kind in OperationKind::ALL {
        let results = format!("#/components/schemas/{}Results", kind.type_name());
        assert!(document["paths"].to_string().contains(&results), "{} has no typed call", kind.name());
    }
}
