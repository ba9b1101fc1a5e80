//! What the API says of itself is what it does: router, OpenAPI document and catalogs are the same set of operations, and
//! `docs/openapi.json` is that document.

use std::collections::BTreeSet;

use keiin_domain::catalog::{Visit, catalog};
use keiin_domain::command::Command;
use keiin_projections::catalog::{VisitQueries, queries};
use keiin_projections::query::Query;
use keiin_tests::operation::{Operation, all_operations, example, operations};
use keiin_tests::{Call, Company, Deployment, root};

const FILE: &str = "docs/openapi.json";

fn documented() -> Vec<Operation> {
    operations(&serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON"))
}

#[test]
fn the_checked_in_document_is_current() {
    let path = root().join(FILE);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, keiin::openapi::DOCUMENT.as_bytes()).expect("the document can be written");
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(file == *keiin::openapi::DOCUMENT, "{FILE} is not current: UPDATE=1 cargo test writes it");
}

#[test]
fn catalogs_and_document_hold_the_same_operations() {
    #[derive(Default)]
    struct Names(BTreeSet<[String; 3]>);
    impl Names {
        fn add(&mut self, name: &str, method: &str, path: &str) {
            let fresh = self.0.insert([name.to_owned(), method.to_owned(), path.replace("{*", "{")]);
            assert!(fresh, "{name} is there twice");
        }
    }
    impl Visit for Names {
        fn command<C: Command>(&mut self) {
            if !C::ROUTE.method.is_empty() {
                self.add(C::NAME, C::ROUTE.method, C::ROUTE.path);
            }
        }
    }
    impl VisitQueries for Names {
        fn query<Q: Query>(&mut self) {
            self.add(Q::NAME, "GET", Q::PATH);
        }
    }
    let mut known = Names::default();
    catalog(&mut known);
    queries(&mut known);
    for operation in keiin::openapi::OPERATIONS.iter().copied().flatten() {
        known.add(operation.name, operation.method, operation.path);
    }
    let all = all_operations(&serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON"));
    let documented: BTreeSet<_> = all.into_iter().map(|o| [o.name, o.method, o.path]).collect();
    assert_eq!(known.0, documented);
}

/// Routes that are written by hand, not mounted from a catalog, are in the document too.
#[test]
fn no_route_is_left_out_of_the_document() {
    let documented: BTreeSet<String> = documented().into_iter().map(|o| o.path).collect();
    let (mut routes, mut missing) = (0, Vec::new());
    for file in keiin_tests::repository_files().iter().filter(|f| f.starts_with("http/src/") && f.ends_with(".rs")) {
        let source = std::fs::read_to_string(root().join(file)).expect("sources are text");
        for (at, _) in source.match_indices(".route(\"") {
            let path = source[at + ".route(\"".len()..].split('"').next().unwrap_or_default();
            if path.starts_with("/v1/") || path.starts_with("/log/") || keiin::oauth::is_for_programs(path) {
                routes += 1;
                missing.extend(Some(path.replace("{*", "{")).filter(|path| !documented.contains(path)));
            }
        }
    }
    assert!(routes > 5, "only {routes} routes found: are they written differently now?");
    assert!(missing.is_empty(), "not in the document: {missing:?}");
}

#[test]
fn every_documented_operation_is_served_and_no_other_method() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "served");
    let operations = documented();
    assert_eq!(company.client.get("/openapi.json").expect(200).text(), *keiin::openapi::DOCUMENT);
    for operation in &operations {
        let example = example(&company, operation);
        let answer = company.client.send(&example.sender.on(example.call()));
        assert_eq!(answer.status, operation.status, "{}: {}", operation.name, answer.text());
        let media = answer.header("content-type").unwrap_or_default();
        assert!(media.starts_with(&operation.answer), "{}: {media}", operation.name);
        assert_eq!(answer.body.is_empty(), operation.status == 204, "{}", operation.name);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            if operations.iter().any(|o| o.method == method && o.path == operation.path) {
                continue;
            }
            let answer = company.send(Call::new(method, &example.target()));
            assert_eq!(answer.status, 405, "{method} {} is not in the document: {}", operation.path, answer.text());
        }
    }
}
