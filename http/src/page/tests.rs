//! Every template, in both languages, with as much and with as little as the queries may answer.

use std::sync::Arc;

use serde_json::Value;

use super::*;

fn pages() -> Pages {
    let texts = Arc::new(Texts::new().expect("the texts are read"));
    Pages::new(texts, Arc::new(Assets::new())).expect("the templates are read")
}

/// The sample contexts: `template` → list of contexts. `tests/*.json` beside this file.
fn samples() -> Vec<(String, Value)> {
    let common: Value = serde_json::from_str(include_str!("tests/common.json")).expect("JSON");
    let all: Value = serde_json::from_str(include_str!("tests/samples.json")).expect("JSON");
    let mut out = Vec::new();
    for (template, contexts) in all.as_object().expect("an object") {
        for context in contexts.as_array().expect("a list of contexts") {
            let mut whole = common.clone();
            for (key, value) in context.as_object().expect("a context is an object") {
                whole[key] = value.clone();
            }
            out.push((template.clone(), whole));
        }
    }
    out
}

#[test]
fn every_template_renders_in_both_languages_with_much_and_with_little() {
    let pages = pages();
    let samples = samples();
    // Set to a folder to look at the pages in a browser.
    let look = std::env::var_os("KEIIN_TEST_PAGES").map(std::path::PathBuf::from);
    for lang in Lang::ALL {
        for (at, (template, context)) in samples.iter().enumerate() {
            let html = match pages.render(template, lang, context) {
                Ok(html) => html,
                Err(error) => panic!("{}, sample {at}: {error:#}", lang.code()),
            };
            assert!(!html.contains("{{") && !html.contains("undefined"), "{template}: {html}");
            if let Some(folder) = &look {
                let name = format!("{}-{at}.{}.html", template.replace('/', "-"), lang.code());
                std::fs::write(folder.join(name), &html).expect("the folder exists");
            }
        }
    }
    for name in Pages::names().filter(|name| !["base", "public", "macros"].contains(&name.as_str())) {
        let own = samples.iter().any(|(template, _)| *template == name);
        assert!(own || name.starts_with("partials/"), "{name}: no sample in http/src/page/tests/samples.json");
    }
}

#[test]
fn every_code_and_every_kind_of_record_has_words() {
    let texts = Texts::new().expect("the texts are read");
    let domain = keiin_domain::problem::problems().into_iter().map(|problem| problem.code);
    let codes = domain.chain(crate::problem::CODES.iter().map(|(code, _)| *code));
    let problems = codes.map(|code| format!("problem-{}", code.replace(['.', '_'], "-")));
    let problems = problems.flat_map(|key| [format!("{key}-detail"), key]);
    let kinds = event_kinds().into_iter().map(|kind| format!("kind-{}", kind.replace(['.', '_'], "-")));
    let roles = Role::OF_MEMBERS.map(Role::name).into_iter().map(|role| format!("role-{role}-hint"));
    let permissions = Permission::grantable().flat_map(|permission| {
        let text = format!("permission-{}", permission.0.replace(['.', '_'], "-"));
        [text, format!("permission-noun-{}", permission.noun().replace('_', "-"))]
    });
    let scopes = catalog::scopes().into_iter().map(|scope| format!("scope-{}", scope.replace([':', '_'], "-")));
    let all = problems.chain(kinds).chain(roles).chain(permissions).chain(scopes);
    let missing: Vec<String> = all.filter(|key| !texts.has(key)).collect();
    assert!(missing.is_empty(), "no text: {missing:#?}");
}

#[test]
fn no_text_uses_words_that_blame_or_claim_too_much() {
    // What a change shows is said; that none is possible is not.
    const FORBIDDEN: [&str; 14] = [
        "不正", "無効", "エラーが発生", "システムエラー", "改ざん不可能", "100%安全", "invalid", "please ", "oops",
        "tamper-proof", "immutable", "don't", "can't", "n't ",
    ];
    for name in ["ja", "en"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("locales").join(name);
        for file in std::fs::read_dir(folder).expect("the folder is there") {
            let path = file.expect("it can be listed").path();
            let text = std::fs::read_to_string(&path).expect("it can be read").to_lowercase();
            for word in FORBIDDEN {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
}
