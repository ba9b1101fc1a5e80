//! Terms of use and privacy policy: files of the operator's, or samples. What is agreed to is the SHA-256 of a file's bytes,
//! and those bytes are what `/terms.txt` and `/privacy.txt` send.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use keiin_domain::command::On;
use keiin_domain::role::Permission;
use keiin_domain::terms::{AcceptTerms, Terms, Text, TextName};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

use crate::api::identify;
use crate::app::App;
use crate::config::{BadConfig, Config};
use crate::console::{common, render};
use crate::denial;
use crate::locale::Lang;
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::serve::Peer;
use crate::session_api::Operation;

/// Operations of this file.
pub const OPERATIONS: &[Operation] = &[
    Operation { public: true, ..Operation::new("get_texts", "GET", "/v1/texts") },
    Operation { permission: Some(READ), ..Operation::new("get_terms", "GET", "/v1/terms") },
];

const READ: Permission = Permission("tenant.read");

/// Routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/terms", get(|s, h| page(s, h, TextName::Terms)))
        .route("/privacy", get(|s, h| page(s, h, TextName::Privacy)))
        .route("/terms.txt", get(|s, h| file(s, h, TextName::Terms)))
        .route("/privacy.txt", get(|s, h| file(s, h, TextName::Privacy)))
        .route("/terms/accept", get(accept_page))
        .route("/v1/texts", get(texts))
        .route("/v1/terms", get(terms))
}

/// The texts in force.
pub struct Legal(Vec<Shown>);

/// A text and what it says.
pub struct Shown {
    /// What is agreed to.
    pub text: Text,
    /// The file's content.
    pub body: String,
}

const SAMPLES: [(TextName, Lang, &str); 4] = [
    (TextName::Terms, Lang::Ja, include_str!("../legal/terms.ja.txt")),
    (TextName::Terms, Lang::En, include_str!("../legal/terms.en.txt")),
    (TextName::Privacy, Lang::Ja, include_str!("../legal/privacy.ja.txt")),
    (TextName::Privacy, Lang::En, include_str!("../legal/privacy.en.txt")),
];

impl Legal {
    /// The operator's files, or the samples.
    pub fn of(config: &Config) -> Result<Legal, BadConfig> {
        let folder = &config.signup.texts;
        let mut texts = vec![];
        for (name, lang, sample) in SAMPLES {
            let file = format!("{}.{}.txt", name.name(), lang.code());
            let body = if folder.as_os_str().is_empty() { sample.to_owned() } else { read(&folder.join(&file))? };
            let version = body.lines().next().and_then(|line| line.strip_prefix("version: ")).map(str::trim);
            let version = version.filter(|version| !version.is_empty() && version.len() <= 40);
            let bad =
                || BadConfig::new(format!("signup.texts: {file} must begin with a line such as version: 2026-11-22"));
            let text = Text {
                name,
                version: version.ok_or_else(bad)?.to_owned(),
                lang: lang.code().to_owned(),
                sha256: Sha256::digest(body.as_bytes()).into(),
            };
            texts.push(Shown { text, body });
        }
        for both in texts.chunks(2) {
            if both[0].text.version != both[1].text.version {
                let name = both[0].text.name.name();
                return Err(BadConfig::new(format!("signup.texts: {name}.ja.txt and {name}.en.txt differ in version")));
            }
        }
        Ok(Legal(texts))
    }

    /// What is agreed to, in every language.
    pub fn in_force(&self) -> Vec<Text> {
        self.0.iter().map(|shown| shown.text.clone()).collect()
    }

    /// A text in a language.
    pub fn find(&self, name: TextName, lang: Lang) -> Option<&Shown> {
        self.0.iter().find(|shown| shown.text.name == name && shown.text.lang == lang.code())
    }

    /// What somebody says who agrees to both texts in Japanese.
    pub fn agreement(&self) -> AcceptTerms {
        let hash = |name| self.find(name, Lang::Ja).map_or_else(String::new, |shown| hex::encode(shown.text.sha256));
        AcceptTerms { terms: hash(TextName::Terms), privacy: hash(TextName::Privacy) }
    }

    /// Both texts in a language, for a page that asks for an agreement.
    pub fn both(&self, lang: Lang) -> Value {
        let view = |name| self.find(name, lang).map_or(Value::Null, Shown::view);
        json!({ "terms": view(TextName::Terms), "privacy": view(TextName::Privacy) })
    }
}

fn read(path: &Path) -> Result<String, BadConfig> {
    std::fs::read_to_string(path).map_err(|error| BadConfig::new(format!("signup.texts: {}: {error}", path.display())))
}

impl Shown {
    /// For a page: what it is, and its parts.
    fn view(&self) -> Value {
        let mut view = about(&self.text);
        view["parts"] = parts(&self.body);
        view
    }
}

fn about(text: &Text) -> Value {
    json!({ "name": text.name, "version": text.version, "lang": text.lang, "sha256": hex::encode(text.sha256) })
}

/// Headings, list items and paragraphs. Everything but the line with the version is shown.
fn parts(body: &str) -> Value {
    let part = |line: &str| {
        let (kind, text) = [("# ", "h1"), ("## ", "h2"), ("- ", "item")]
            .iter()
            .find_map(|(mark, kind)| Some((*kind, line.strip_prefix(mark)?)))
            .unwrap_or(("p", line));
        json!({ "kind": kind, "text": text })
    };
    body.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()).map(part).collect()
}

/// Has the company's owner still to agree to what is in force?
pub async fn is_waiting(app: &App, principal: &Principal) -> Result<bool, Problem> {
    if !principal.may(Permission("terms.accept")) || principal.session_id.is_none() {
        return Ok(false);
    }
    let terms: On<Terms> = principal::load(app, principal.ledger, principal.ledger).await?;
    Ok(!terms.covers(&app.legal.in_force()))
}

async fn page(State(app): State<Arc<App>>, head: Parts, name: TextName) -> Result<Response, Problem> {
    let peer = Peer::of(&head);
    let mut context = common(&app, head.uri.path(), peer, None).await?;
    context["text"] = app.legal.find(name, peer.lang).map_or(Value::Null, Shown::view);
    render(&app, peer.lang, "legal", &context, StatusCode::OK)
}

async fn file(State(app): State<Arc<App>>, head: Parts, name: TextName) -> Result<Response, Problem> {
    let shown = app.legal.find(name, Peer::of(&head).lang).ok_or_else(Problem::not_found)?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], shown.body.clone()).into_response())
}

/// Where an owner agrees to texts that have changed.
async fn accept_page(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, _) = identify(&app, &BTreeMap::new(), &head, "accept_terms").await?;
    principal.check(Permission("terms.accept"))?;
    let peer = Peer::of(&head);
    let mut context = common(&app, head.uri.path(), peer, Some(&principal)).await?;
    context["texts"] = app.legal.both(peer.lang);
    render(&app, peer.lang, "terms_accept", &context, StatusCode::OK)
}

/// What is in force, for programs: version, SHA-256 and content.
async fn texts(State(app): State<Arc<App>>) -> Response {
    let view = |shown: &Shown| {
        let mut view = about(&shown.text);
        view["text"] = json!(shown.body);
        view
    };
    let items: Vec<Value> = app.legal.0.iter().map(view).collect();
    axum::Json(json!({ "items": items })).into_response()
}

/// What the company agreed to, and whether that is in force.
async fn terms(State(app): State<Arc<App>>, head: Parts) -> Result<Response, Problem> {
    let (principal, call) = identify(&app, &BTreeMap::new(), &head, "get_terms").await?;
    if let Err(problem) = principal.check(READ) {
        denial::denied(&app, &principal, "get_terms", &call).await;
        return Err(problem);
    }
    let terms: On<Terms> = principal::load(&app, principal.ledger, principal.ledger).await?;
    let accepted: Vec<Value> = terms.accepted.iter().map(about).collect();
    let waiting = !terms.covers(&app.legal.in_force());
    Ok(axum::Json(json!({ "accepted": accepted, "waiting": waiting })).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_whole_and_say_that_they_are_samples() {
        let legal = Legal::of(&Config::default()).unwrap();
        assert_eq!(legal.in_force().len(), 4);
        for shown in &legal.0 {
            assert!(shown.body.contains("見本") || shown.body.contains("sample"), "{}", shown.body);
            assert_eq!(shown.view()["parts"][0]["kind"], "h1");
        }
    }

    #[test]
    fn el_57_an_operators_files_take_the_samples_place() {
        let folder = std::env::temp_dir().join(format!("keiin-legal-{}", crate::random::digits(12)));
        std::fs::create_dir(&folder).unwrap();
        let mut config = Config::default();
        config.signup.texts = folder.clone();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        let missing = Legal::of(&config).err().expect("nothing is there").to_string();
        assert!(missing.contains("terms.ja.txt"), "{missing}");
        for name in ["terms.ja.txt", "terms.en.txt", "privacy.ja.txt", "privacy.en.txt"] {
            write(name, "version: 7\n\n# Ours\n\nText\n");
        }
        let ours = Legal::of(&config).unwrap();
        assert!(ours.in_force().iter().all(|text| text.version == "7"));
        write("terms.en.txt", "version: 8\n\n# Ours\n");
        assert!(Legal::of(&config).err().expect("two versions").to_string().contains("differ in version"));
        write("terms.en.txt", "# Ours\n");
        assert!(Legal::of(&config).err().expect("no version").to_string().contains("terms.en.txt must begin"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
