//! `deny.toml` against what cargo resolves, so that its rules hold also where `cargo deny` is not installed.

use keiin_tests::{cargo_metadata, root};
use serde_json::Value;

fn deny() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml").parse().expect("deny.toml is TOML")
}

fn strings(list: &toml::Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|v| v.as_str().expect("a string")).collect()
}

fn packages(metadata: &Value) -> &Vec<Value> {
    metadata["packages"].as_array().expect("packages")
}

#[test]
fn every_licence_is_allowed_and_every_exception_is_needed() {
    let (deny, metadata) = (deny(), cargo_metadata());
    let allowed = strings(&deny["licenses"]["allow"]);
    let exceptions = deny["licenses"]["exceptions"].as_array().expect("exceptions");
    let mut used = Vec::new();
    for package in packages(&metadata) {
        let name = package["name"].as_str().expect("name");
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} states no licence"));
        if satisfied(licence, &allowed) {
            continue;
        }
        let exception = exceptions.iter().find(|e| e["crate"].as_str() == Some(name));
        let exception = exception.unwrap_or_else(|| panic!("{name}: licence {licence} is not in deny.toml"));
        assert!(satisfied(licence, &strings(&exception["allow"])), "{name}: its exception does not cover {licence}");
        used.push(name);
    }
    for exception in exceptions {
        let name = exception["crate"].as_str().expect("crate");
        assert!(used.contains(&name), "deny.toml: the exception for {name} is not needed any more");
    }
}

#[test]
fn nothing_banned_is_in_the_tree() {
    let (deny, metadata) = (deny(), cargo_metadata());
    for ban in deny["bans"]["deny"].as_array().expect("bans.deny") {
        let name = ban["crate"].as_str().expect("crate");
        assert!(packages(&metadata).iter().all(|p| p["name"] != name), "{name} is banned: {:?}", ban["reason"]);
    }
    for ban in deny["bans"]["features"].as_array().expect("bans.features") {
        let name = ban["crate"].as_str().expect("crate");
        let ids: Vec<_> = packages(&metadata).iter().filter(|p| p["name"] == name).map(|p| &p["id"]).collect();
        assert!(!ids.is_empty(), "deny.toml: {name} is not used any more");
        let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
        for node in nodes.iter().filter(|node| ids.contains(&&node["id"])) {
            for feature in strings(&ban["deny"]) {
                let on = node["features"].as_array().expect("features").iter().any(|f| f == feature);
                assert!(!on, "{name} with {feature} is banned: {:?}", ban["reason"]);
            }
        }
    }
}

/// An SPDX expression (`/` as the old spelling of OR) can be met with the allowed licences alone.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut tokens: Vec<&str> = spaced.split_whitespace().rev().collect();
    let met = any(&mut tokens, allowed);
    assert!(tokens.is_empty(), "not an SPDX expression: {expression}");
    met
}

fn any(tokens: &mut Vec<&str>, allowed: &[&str]) -> bool {
    let mut met = all(tokens, allowed);
    while tokens.pop_if(|t| *t == "OR").is_some() {
        met |= all(tokens, allowed);
    }
    met
}

fn all(tokens: &mut Vec<&str>, allowed: &[&str]) -> bool {
    let mut met = one(tokens, allowed);
    while tokens.pop_if(|t| *t == "AND").is_some() {
        met &= one(tokens, allowed);
    }
    met
}

fn one(tokens: &mut Vec<&str>, allowed: &[&str]) -> bool {
    let first = tokens.pop().expect("a licence");
    if first == "(" {
        let met = any(tokens, allowed);
        assert_eq!(tokens.pop(), Some(")"));
        return met;
    }
    match tokens.pop_if(|t| *t == "WITH") {
        Some(_) => allowed.contains(&format!("{first} WITH {}", tokens.pop().expect("an exception")).as_str()),
        None => allowed.contains(&first),
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "Apache-2.0"];
    for yes in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(MIT OR X) AND Apache-2.0", "X AND Y OR MIT"] {
        assert!(satisfied(yes, &allowed), "{yes}");
    }
    for no in ["GPL-3.0", "MIT AND X", "X OR (MIT AND Y)", "Apache-2.0 WITH LLVM-exception"] {
        assert!(!satisfied(no, &allowed), "{no}");
    }
}
