//! What the page for those who connect programs tells them to type, typed: its shell commands about visitors and documents run
//! one after the other against a server, and leave what the page says.

use std::process::Command;

use keiin_tests::{Company, Credential, Deployment, root};
use serde_json::json;

/// The page's shell commands from this heading on, to that one.
fn commands(from: &str, to: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/CONNECTING.md")).expect("the page is there");
    let (_, part) = page.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    let (part, _) = part.split_once(to).unwrap_or_else(|| panic!("no {to} behind {from}"));
    let blocks = part.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("it ends"));
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_the_page_for_programs_says_works_as_it_stands() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "programs");
    let scopes: Vec<String> = keiin_domain::catalog::scopes().into_iter().collect();
    let Credential::Bearer(token) = company.issue_token(&scopes).1 else { panic!("a token") };
    let Credential::Cookie(session) = &company.login else { panic!("a login") };
    let session = session.split_once('=').map_or(session.as_str(), |(_, value)| value);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = format!("set -euo pipefail\n{}", commands("## 6. Visitors", "## What is refused"));
    let out = Command::new("bash")
        .args(["-c", &script])
        .envs([("URL", server.url.as_str()), ("TOKEN", &token), ("HOST_ID", &company.owner), ("SESSION", session)])
        .current_dir(folder.path())
        .output()
        .expect("bash runs (apt-get install bash curl)");
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{}: {said}", out.status);

    let visits = company.get("/v1/visits");
    let names: Vec<&str> = visits["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|visit| visit["visitor"]["name"].as_str())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.contains(&"Robert Brown") && names.contains(&"鈴木 一郎"), "{names:?}");
    let sheet = std::fs::read_to_string(folder.path().join("visits-2031-04.csv")).expect("the history");
    assert_eq!(sheet.lines().count(), 4, "{sheet}");
    assert_eq!(company.get("/v1/documents")["items"][0]["status"], "issued");
    assert_eq!(company.get("/v1/deliveries")["items"][0]["to"]["email"], json!("keiri@client.example"));
}
