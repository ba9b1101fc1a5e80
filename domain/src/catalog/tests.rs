//! What holds for everything in the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::command::{Emit, On, Route};
use crate::event::{Event, Stored};
use crate::json::event_json;
use crate::problem::{Problem, problems};
use crate::role::Role;
use crate::testing::{Opener, SAMPLE_ID, emit};

/// The catalog as data.
#[derive(Default)]
struct All {
    commands: Vec<CommandFacts>,
    streams: Vec<StreamFacts>,
    classes: Vec<&'static str>,
}

struct CommandFacts {
    type_name: &'static str,
    name: &'static str,
    route: Route,
    permission: Permission,
    rejects: &'static [&'static str],
    needs_key: bool,
}

struct StreamFacts {
    kind: &'static str,
    events: &'static [(&'static str, u16)],
    read_and_store: fn(&Stored) -> Stored,
}

impl Visit for All {
    fn command<C: Command>(&mut self) {
        self.commands.push(CommandFacts {
            type_name: std::any::type_name::<C>(),
            name: C::NAME,
            route: C::ROUTE,
            permission: C::PERMISSION,
            rejects: C::REJECTS,
            needs_key: C::NEEDS_KEY,
        });
    }
    fn aggregate<A: Aggregate>(&mut self) {
        self.streams.push(StreamFacts {
            kind: A::STREAM,
            events: A::Event::KINDS,
            read_and_store: |stored| A::Event::read(stored).expect("decodes").store(),
        });
    }
    fn personal<P: Personal>(&mut self) {
        self.classes.push(P::CLASS);
    }
}

/// One event of every kind that is written now.
fn samples() -> Vec<Emit> {
    struct Collect(Vec<Emit>);
    impl Visit for Collect {
        fn aggregate<A: Aggregate>(&mut self) {
            self.0.extend(A::samples().into_iter().map(|event| emit::<A>(SAMPLE_ID, event)));
        }
    }
    let mut all = Collect(vec![]);
    catalog(&mut all);
    all.0
}

fn all() -> All {
    let mut all = All::default();
    catalog(&mut all);
    all
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn is_name(text: &str, most: usize) -> bool {
    text.len() <= most
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_dotted(text: &str, most: usize) -> bool {
    text.len() <= most && text.split_once('.').is_some_and(|(a, b)| is_name(a, most) && is_name(b, most))
}

/// No two of them are equal.
fn distinct<T: Ord + Clone + std::fmt::Debug>(items: impl IntoIterator<Item = T>) {
    let mut seen = BTreeSet::new();
    let twice: Vec<T> = items.into_iter().filter(|item| !seen.insert(item.clone())).collect();
    assert!(twice.is_empty(), "twice: {twice:?}");
    assert!(!seen.is_empty());
}

#[test]
fn names_follow_the_rules_and_stand_once() {
    let all = all();
    for command in &all.commands {
        assert!(is_name(command.name, 64), "{}", command.name);
        assert!(is_dotted(command.permission.0, 64), "{}", command.permission.0);
        let snake: String = command.type_name.rsplit("::").next().unwrap().chars().fold(String::new(), |mut s, c| {
            if c.is_uppercase() && !s.is_empty() {
                s.push('_');
            }
            s.extend(c.to_lowercase());
            s
        });
        assert_eq!(snake, command.name, "a command is named as its type");
    }
    for stream in &all.streams {
        assert!(is_name(stream.kind, 32), "{}", stream.kind);
        for (kind, version) in stream.events {
            assert!(is_dotted(kind, 64) && *version >= 1, "{kind} v{version}");
            assert!(!kind.starts_with("ledger."), "{kind}: these kinds belong to the log");
        }
    }
    distinct(all.commands.iter().map(|c| c.name));
    distinct(all.commands.iter().filter(|c| c.route != Route::internal()).map(|c| (c.route.method, c.route.path)));
    distinct(all.streams.iter().map(|s| s.kind));
    distinct(all.streams.iter().flat_map(|s| s.events.iter().copied()));
    distinct(all.classes);
}

#[test]
fn routes_have_the_agreed_shape() {
    for CommandFacts { name, route, needs_key, .. } in all().commands {
        if route == Route::internal() {
            continue;
        }
        assert!(route.path.starts_with("/v1/"), "{name}");
        assert!(matches!(route.method, "POST" | "PUT" | "PATCH"), "{name}");
        assert!(!route.creates || !route.path.contains('{'), "{name} makes something new at a path of something old");
        assert!(!needs_key || route.method == "POST", "{name}: only a POST carries a key");
    }
}

#[test]
fn rejections_are_named_by_the_rules() {
    let problems = problems();
    assert!(problems.len() > 50, "{}", problems.len());
    for Problem { code, status } in problems {
        assert!(is_dotted(code, 64), "{code}");
        assert!(matches!(status, 403 | 404 | 409 | 410 | 422), "{code} {status}");
    }
}

/// `covered::<C>()` fails where a test has not seen every rejection; this fails where no test asks.
#[test]
fn every_rejection_of_every_command_has_a_case() {
    let mut sources = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => sources.push_str(&std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    for command in all().commands {
        let name = command.type_name.rsplit("::").next().unwrap();
        assert!(sources.contains(&format!("covered::<{name}>()")), "{name} is in no test that covers it");
    }
}

#[test]
fn stored_events_are_read_as_they_were_written_for_ever() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let samples: BTreeMap<_, _> = samples().into_iter().map(|s| ((s.event.kind.clone(), s.event.version), s)).collect();
    let (mut missing, mut known) = (vec![], BTreeSet::new());
    for stream in all().streams {
        for (kind, version) in stream.events {
            let name = format!("{kind}.v{version}.hex");
            let sample = samples.get(&(kind.to_string(), *version));
            let Ok(text) = std::fs::read_to_string(folder.join(&name)) else {
                let bytes = sample.map_or("a sample first".into(), |s| hex::encode(&s.event.bytes));
                missing.push(format!("echo {bytes} > domain/golden/{name}"));
                continue;
            };
            let bytes = hex::decode(text.trim_end()).unwrap_or_else(|e| panic!("{name}: {e}"));
            let golden = Stored { kind: kind.to_string(), version: *version, bytes };
            let again = (stream.read_and_store)(&golden);
            if let Some(sample) = sample {
                assert_eq!((sample.stream, &sample.event), (stream.kind, &golden), "{name}");
                assert_eq!(again, golden, "{name}");
            }
            let mut longer = golden.clone();
            longer.bytes.push(0);
            let read = std::panic::catch_unwind(|| (stream.read_and_store)(&longer));
            assert!(read.is_err(), "{name}: a byte too many was accepted");
            known.insert(name);
        }
        let newest: BTreeMap<_, _> = stream.events.iter().rev().copied().collect();
        for (kind, version) in newest {
            assert!(samples.contains_key(&(kind.to_owned(), version)), "{kind} v{version} has no sample");
        }
    }
    assert!(missing.is_empty(), "missing golden files; write them once, they never change:\n{}", missing.join("\n"));
    let files: BTreeSet<_> =
        std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    known.insert("codes.txt".into());
    assert_eq!(files, known, "a golden file that no build reads: its kind was taken out of the catalog");
}

/// What was written once is accepted for ever: no order of events, however odd, stops a fold.
#[test]
fn every_history_folds() {
    struct Fold(usize);
    impl Visit for Fold {
        fn aggregate<A: Aggregate>(&mut self) {
            let mine: Vec<Stored> = A::samples().iter().map(Event::store).collect();
            for (a, b) in mine.iter().flat_map(|a| mine.iter().map(move |b| (a, b))) {
                for c in &mine {
                    let history = [a.clone(), b.clone(), c.clone()];
                    let on = On::<A>::fold(SAMPLE_ID, &history).expect("samples decode");
                    assert_eq!(on.version, Some(2));
                    self.0 += 1;
                }
            }
        }
    }
    let mut fold = Fold(0);
    catalog(&mut fold);
    assert!(fold.0 > 1_000, "{} histories", fold.0);
}

#[test]
fn codes_in_stored_events_never_change() {
    fn line<T: Copy>(name: &str, all: &[T], code: fn(T) -> u8, text: fn(T) -> &'static str) -> String {
        let values: Vec<_> = all.iter().map(|v| format!("{}={}", text(*v), code(*v))).collect();
        format!("{name} {}\n", values.join(" "))
    }
    macro_rules! lines {
        ($($path:ty),+ $(,)?) => {
            [$(line(stringify!($path).rsplit("::").next().unwrap_or("").trim(), <$path>::ALL, <$path>::code, <$path>::name)),+]
        };
    }
    let lines = lines![
        Role,
        crate::member::MemberStatus,
        crate::identity::NumberSource,
        crate::identity::CallResult,
        crate::client::Honorific,
        crate::document::DocumentType,
        crate::document::DocumentStatus,
        crate::money::Currency,
        crate::money::Rounding,
        crate::tax::TaxRate,
        crate::delivery::Closed,
        crate::visit::VisitStatus,
        crate::session::LoginMethod,
        crate::session::SessionEnd,
        crate::session::LoginRefusal,
        crate::session::Proof,
        crate::data::DataClass,
        crate::data::Look,
        crate::operator::OperatorKind,
        crate::grant::Purpose,
        crate::application::GrantType,
        crate::authorization::AuthorizationEnd,
        crate::factor::account::Provider,
        crate::factor::account::LinkedBy,
        crate::recurrence::Mode,
        crate::webhook::WebhookKind,
        crate::webhook::WebhookLanguage,
        crate::webhook::WebhookOff,
        crate::postage::Service,
        crate::postage::Extra,
        crate::postage::Envelope,
        crate::postal_item::PostalStatus,
        crate::postal_item::Carrier,
        crate::postal_item::ReturnReason,
        crate::postal_item::PostalPurpose,
        crate::visit::Weekday,
        crate::visit::VisitorLanguage,
        crate::visit::VisitAnswer,
        crate::visit::EscalationReason,
        crate::visit::MatchMoment,
        crate::blocklist::BlockKind,
        crate::visit_policy::NoticeContent,
        crate::mail_template::MailKind,
    ];
    let held = include_str!("../../golden/codes.txt");
    assert_eq!(lines.concat(), held, "a code that was written once keeps its meaning; new ones are added at the end");
}

/// A checked-in file equals what the catalog says; `UPDATE=1 cargo test -p keiin-domain` writes it.
fn generated(path: &str, text: &str) {
    let path = repository().join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(repository().join("docs")).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(held == text, "{} is out of date: UPDATE=1 cargo test -p keiin-domain", path.display());
}

#[test]
fn the_permissions_page_is_current() {
    let others = [Role::Custom, Role::Device, Role::LinkHolder, Role::System, Role::Operator, Role::Vendor];
    let shown = [&Role::OF_MEMBERS[..], &others].concat();
    let mut page = String::from(
        "# Permissions\n\nGenerated from the catalog: `UPDATE=1 cargo test -p keiin-domain` writes it, a test holds it.\n\n\
         ## Who may what\n\nThe roles `member` and `lawyer` handle visits to themselves only, a `secretary` those to the lawyers who took them on; `event.read_own` shows one's own actions. \
         Nobody but an owner touches an owner. \
         The role `custom` has beside its column what one of the company's own permission sets says, see below.\n\n| permission | scope of a token |",
    );
    for role in &shown {
        page += &format!(" {} |", role.name());
    }
    page += &format!("\n|---|---|{}\n", "---|".repeat(shown.len()));
    let scopes = scopes();
    for permission in permissions() {
        let scope = Some(permission.scope()).filter(|s| scopes.contains(s) && !permission.is_outside());
        page += &format!("| `{}` | {} |", permission.0, scope.map_or(String::new(), |s| format!("`{s}`")));
        for role in &shown {
            page += if role.permits(permission) { " ✓ |" } else { " |" };
        }
        page.push('\n');
    }
    page += "\n## What a permission set can hold\n\nOwners and admins make sets and give them to members. A set holds no right \
         over people, permissions or security; what changes a thing needs the permission to see it.\n\n";
    for permission in Permission::grantable() {
        let needs = permission.needs().map_or(String::new(), |needed| format!(" (needs `{}`)", needed.0));
        page += &format!("* `{}`{needs}\n", permission.0);
    }
    page += "\n## What asks for it\n\n| command | request | permission | can be refused with |\n|---|---|---|---|\n";
    for command in all().commands {
        let request = match command.route {
            route if route == Route::internal() => "by the server".to_owned(),
            route => format!("`{} {}`", route.method, route.path),
        };
        let codes: Vec<_> = command.rejects.iter().map(|code| format!("`{code}`")).collect();
        page += &format!("| `{}` | {request} | `{}` | {} |\n", command.name, command.permission.0, codes.join(" "));
    }
    generated("docs/permissions.md", &page);
}

/// With its keys in order, whatever order this build's maps have.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[test]
fn the_events_page_is_current() {
    let mut page = String::from(
        "# Events\n\nGenerated from the catalog: `UPDATE=1 cargo test -p keiin-domain` writes it, a test holds it. \
         Each kind has one frozen layout per version; `domain/golden/` holds its bytes. \
         The examples are as the audit trail shows them, personal fields opened.\n",
    );
    let samples = samples();
    for stream in all().streams {
        page += &format!("\n## `{}`\n", stream.kind);
        for sample in samples.iter().filter(|s| s.stream == stream.kind) {
            let shown = event_json(sample.stream, &sample.event, &Opener::default()).expect("samples are known");
            let body = match shown {
                Value::Object(fields) if fields.is_empty() => "Nothing more is said.\n".to_owned(),
                shown => format!("```json\n{}\n```\n", serde_json::to_string_pretty(&sorted(shown)).expect("JSON")),
            };
            page += &format!("\n### `{}` v{}\n\n{body}", sample.event.kind, sample.event.version);
        }
    }
    generated("docs/events.md", &page);
}

#[test]
fn every_event_is_shown_and_every_box_in_it_is_found() {
    for sample in samples() {
        let shown = event_json(sample.stream, &sample.event, &Opener::default()).expect(&sample.event.kind);
        let text = shown.to_string();
        assert!(!text.contains("\"key_version\"") && !text.contains("null"), "{}: {text}", sample.event.kind);
        let personal = text.contains("\"subject\"");
        assert_eq!(personal, !crate::json::subjects(sample.stream, &sample.event).is_empty(), "{text}");
    }
}
