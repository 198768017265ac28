//! Labels that are named in templates: `{{ $labels.job }}` in alerts, `{{job}}` in legends.

/// The names of labels in a template.
pub(super) fn labels(template: &str) -> Vec<String> {
    let parts = template.split("{{").skip(1).map(|part| part.split("}}").next().unwrap_or_default().trim());
    let label = |part: &str| {
        let named = part.split_whitespace().find_map(|word| word.strip_prefix("$labels."));
        let alone = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && part != "else" && part != "end";
        named.or(alone.then_some(part)).map(str::to_owned)
    };
    parts.filter_map(label).collect()
}

#[test]
fn labels_are_found_in_both_kinds_of_templates() {
    assert_eq!(
        labels("{{ $labels.job }} {{ $value | printf \"%.0f\" }} {{with $labels.a}}{{.}}{{else}}{{end}}"),
        ["job", "a"]
    );
    assert_eq!(labels("{{instance}} {{http_route}} of __auto"), ["instance", "http_route"]);
}
