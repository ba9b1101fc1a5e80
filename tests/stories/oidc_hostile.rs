//! A provider of identities, or somebody on the way, that lies (FM-24): each answer is wrong in one thing, is refused with a
//! page that says so, and leaves an event. Nobody is let in by any of them.

use std::time::{Duration, Instant};

use keiin_tests::company::{read_export, text};
use keiin_tests::provider::{Provider, Tab, deployment, verified};
use keiin_tests::{Answer, Company, Deployment, Server, report};
use serde_json::{Value, json};

const GOOGLE: &str = "/login/with/google";
const ROOT: &str = "00000000-0000-0000-0000-000000000000";
/// A directory at Microsoft, and another.
const TID: &str = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490";
const OTHER: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// Longest wait for the checkpoint that an export ends at.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reasons of refused logins that nobody in particular was meant by, oldest first, when there are as many as expected.
fn told(deployment: &Deployment, expected: usize) -> Vec<String> {
    let (begun, mut reasons) = (Instant::now(), vec![]);
    for attempt in 0.. {
        let file = deployment.export(ROOT, &format!("root-{attempt}.keiin"), &["--open"]);
        let refused = read_export(&file).into_iter().filter(|record| record.leaf.event_kind == "session.refused");
        reasons = refused.map(|record| text(&record.event, "reason")).collect();
        if reasons.len() >= expected || begun.elapsed() > PATIENCE {
            break;
        }
    }
    reasons
}

/// Nobody is in, and the page says why.
#[track_caller]
fn refused(tab: &Tab, answer: &Answer, what: &str, title: &str) {
    assert!(tab.login().is_none(), "{what}: let in");
    assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    assert!(answer.text().contains(title), "{what}: {}", answer.text());
}

const ANSWER: &str = "The answer could not be trusted";
const STATE: &str = "This login cannot be continued";

#[test]
fn fm_24_answers_that_do_not_hold_let_nobody_in_and_are_written_down() {
    let (provider, other) = (Provider::start("/accounts"), Provider::start("/elsewhere"));
    let settings = [provider.settings("google", &provider.issuer), other.settings("microsoft", &other.issuer)];
    let deployment = deployment(&settings);
    let server = deployment.serve();
    let company = Company::sign_up(&server, "hostile");
    company.allow_providers(&["google", "microsoft"]);
    let (_, email, _) = company.new_person();
    let person = verified("s-1", &email);
    let now = keiin::clock::now_us() / 1_000_000;
    let mut expected = vec![];

    // What the provider says.
    let lies = [
        ("no nonce", json!({ "claims": { "nonce": null } })),
        ("another login's nonce", json!({ "claims": { "nonce": "keiin_non_x" } })),
        ("for another client", json!({ "claims": { "aud": "another-client" } })),
        ("for two clients", json!({ "claims": { "aud": ["keiin-test", "another-client"] } })),
        ("for nobody", json!({ "claims": { "aud": null } })),
        ("by another issuer", json!({ "claims": { "iss": "https://evil.example" } })),
        ("by the other provider", json!({ "claims": { "iss": other.issuer } })),
        ("by nobody", json!({ "claims": { "iss": null } })),
        ("expired", json!({ "claims": { "exp": now - 60 } })),
        ("without an end", json!({ "claims": { "exp": null } })),
        ("made long ago", json!({ "claims": { "iat": now - 86_400 } })),
        ("made tomorrow", json!({ "claims": { "iat": now + 86_400 } })),
        ("about nobody", json!({ "claims": { "sub": null } })),
        ("with another access token", json!({ "claims": { "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" } })),
        ("not signed", json!({ "header": { "alg": "none" } })),
        ("signed with the client's secret", json!({ "header": { "alg": "HS256" } })),
        ("signed by a stranger", json!({ "key": "strange" })),
        ("signed by an unknown key", json!({ "key": "strange", "header": { "kid": "strange" } })),
    ];
    for (what, lie) in &lies {
        provider.says(&person, lie);
        let mut tab = Tab::new(&company);
        let answer = tab.log_in(&provider, GOOGLE);
        refused(&tab, &answer, what, ANSWER);
        expected.push("provider_answer");
    }

    // What comes back with the browser.
    let ways = [
        ("another issuer", json!({ "iss": "https://evil.example" }), ANSWER, "provider_answer"),
        ("the other provider's issuer", json!({ "iss": other.issuer }), ANSWER, "provider_answer"),
        ("no issuer, though it names itself", json!({ "iss": null }), ANSWER, "provider_answer"),
        ("no state", json!({ "state": null }), STATE, "provider_state"),
        ("a state of nobody", json!({ "state": format!("keiin_oid_{}", "A".repeat(43)) }), STATE, "provider_state"),
        ("a made-up code", json!({ "code": "made-up" }), ANSWER, "provider_answer"),
        ("no code", json!({ "code": null }), "You were not logged in there", "provider_refused"),
        ("a refusal", json!({ "error": "access_denied" }), "You were not logged in there", "provider_refused"),
    ];
    for (what, lie, title, reason) in &ways {
        provider.says(&person, &json!({ "answer": lie }));
        let mut tab = Tab::new(&company);
        let answer = tab.log_in(&provider, GOOGLE);
        refused(&tab, &answer, what, title);
        expected.push(reason);
    }

    // Whose it is.
    let people = [
        ("an address that is not verified", json!({ "sub": "s-2", "email": email, "email_verified": false })),
        ("an address of which nothing is said", json!({ "sub": "s-2", "email": email })),
        ("no address", json!({ "sub": "s-2" })),
    ];
    for (what, person) in &people {
        provider.says(person, &json!({}));
        let mut tab = Tab::new(&company);
        let answer = tab.log_in(&provider, GOOGLE);
        refused(&tab, &answer, what, "not verified");
        expected.push("unverified_address");
    }
    provider.says(&verified("s-2", "nobody@example.jp"), &json!({}));
    let mut tab = Tab::new(&company);
    let answer = tab.log_in(&provider, GOOGLE);
    refused(&tab, &answer, "nobody's address", "Nobody comes in by this account");
    expected.push("unknown_member");

    // A code of somebody else's login, slipped into one's own: the proof key stops it, and where the provider does not
    // check that, the nonce.
    for (what, unchecked) in [("a swapped code", ""), ("a swapped code, not checked there", "verifier")] {
        provider.says(&person, &json!({}));
        let theirs = Tab::new(&company).leave(GOOGLE);
        provider.visit(&theirs);
        provider.says(&person, &json!({ "kept_code": true, "unchecked": unchecked }));
        let mut tab = Tab::new(&company);
        let answer = tab.log_in(&provider, GOOGLE);
        refused(&tab, &answer, what, ANSWER);
        expected.push("provider_answer");
    }

    // Mix-up: what one provider said, brought to the other's door; another browser's way back.
    provider.says(&person, &json!({}));
    let mut tab = Tab::new(&company);
    let url = tab.leave(GOOGLE);
    let back = provider.visit(&url).replace(GOOGLE, "/login/with/microsoft");
    let answer = tab.open(&back);
    refused(&tab, &answer, "at the other provider's door", STATE);
    let mut victim = Tab::new(&company);
    let back = provider.visit(&Tab::new(&company).leave(GOOGLE));
    let answer = victim.open(&back);
    refused(&victim, &answer, "in another browser", STATE);
    victim.leave(GOOGLE);
    let back = provider.visit(&Tab::new(&company).leave(GOOGLE));
    let answer = victim.open(&back);
    refused(&victim, &answer, "in another browser that began one too", STATE);
    expected.extend(["provider_state"; 3]);

    // A way back is walked once.
    let mut tab = Tab::new(&company);
    let url = tab.leave(GOOGLE);
    let back = provider.visit(&url);
    tab.open(&back).expect(303);
    let mut again = tab.clone();
    let answer = again.open(&back);
    assert!(answer.text().contains(STATE) || answer.text().contains("access.provider_state"), "{}", answer.text());
    assert_eq!(answer.status, 401);
    expected.push("provider_state");

    // New keys are fetched when the provider has them.
    provider.says(&person, &json!({ "key": "rotated" }));
    Tab::new(&company).log_in(&provider, GOOGLE).expect(303);

    assert_eq!(told(&deployment, expected.len()), expected);
    assert_eq!(company.told("session.started").iter().filter(|event| event["method"] == "google").count(), 2);
    report!("oidc hostile={} let_in=0", expected.len());
}

fn microsoft() -> (Provider, Deployment, Server, Company, String) {
    let provider = Provider::start("/organizations/v2.0");
    let deployment = deployment(&[provider.settings("microsoft", &provider.issuer)]);
    let server = deployment.serve();
    let company = Company::sign_up(&server, "tenants");
    company.allow_providers(&["microsoft"]);
    let (_, email, _) = company.new_person();
    (provider, deployment, server, company, email)
}

/// What Microsoft says about itself, and an answer for one of its directories.
fn directory(provider: &Provider, tid: &str, claims: &Value) -> Value {
    let issuer = provider.issuer.replace("organizations", tid);
    let mut all = json!({ "iss": issuer, "tid": tid });
    all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
    json!({ "claims": all, "answer": { "iss": null }, "discovery": template(provider) })
}

fn template(provider: &Provider) -> Value {
    let issuer = provider.issuer.replace("organizations", "{tenantid}");
    json!({ "issuer": issuer, "authorization_response_iss_parameter_supported": null })
}

#[test]
fn fm_24_a_directory_at_microsoft_speaks_for_itself_only() {
    let (provider, deployment, _server, company, email) = microsoft();
    const MICROSOFT: &str = "/login/with/microsoft";
    let person = json!({ "sub": "m-1", "email": email });
    let mut expected = vec![];
    let wrong = [
        ("a directory that it does not name", directory(&provider, TID, &json!({ "tid": null }))),
        ("another directory than its issuer's", directory(&provider, TID, &json!({ "tid": OTHER }))),
        ("a directory that is none", directory(&provider, "common", &json!({}))),
        ("a way out of the issuer", directory(&provider, TID, &json!({ "tid": format!("{TID}/../{OTHER}") }))),
    ];
    for (what, lies) in &wrong {
        provider.says(&person, lies);
        let mut tab = Tab::new(&company);
        let answer = tab.log_in(&provider, MICROSOFT);
        refused(&tab, &answer, what, ANSWER);
        expected.push("provider_answer");
    }
    // Its administrator may type any address: it counts only where the directory owns it.
    for claims in [json!({}), json!({ "xms_edov": false }), json!({ "xms_edov": "0" })] {
        provider.says(&person, &directory(&provider, TID, &claims));
        let mut tab = Tab::new(&company);
        let answer = tab.log_in(&provider, MICROSOFT);
        refused(&tab, &answer, "an address that the directory does not own", "not verified");
        expected.push("unverified_address");
    }
    provider.says(&person, &directory(&provider, TID, &json!({ "xms_edov": true })));
    let mut tab = Tab::new(&company);
    tab.log_in(&provider, MICROSOFT).expect(303);
    assert_eq!(text(&company.told("session.started")[0], "method"), "microsoft");
    // The same name in another directory is somebody else.
    provider.says(&person, &directory(&provider, OTHER, &json!({ "xms_edov": true })));
    let mut tab = Tab::new(&company);
    let answer = tab.log_in(&provider, MICROSOFT);
    refused(&tab, &answer, "another directory", "Another account is linked");
    assert_eq!(told(&deployment, expected.len()), expected);
}

#[test]
fn fm_24_a_key_of_another_directory_signs_nothing() {
    let provider = Provider::start("/organizations/v2.0");
    let keys = json!({ "issuer": provider.issuer.replace("organizations", OTHER) });
    let deployment = deployment(&[provider.settings("microsoft", &provider.issuer)]);
    let server = deployment.serve();
    let company = Company::sign_up(&server, "keys");
    company.allow_providers(&["microsoft"]);
    let (_, email, _) = company.new_person();
    let mut lies = directory(&provider, TID, &json!({ "xms_edov": true }));
    lies["keys"] = keys;
    provider.says(&json!({ "sub": "m-1", "email": email }), &lies);
    let mut tab = Tab::new(&company);
    let answer = tab.log_in(&provider, "/login/with/microsoft");
    refused(&tab, &answer, "a key of another directory", ANSWER);
}

#[test]
fn fm_24_a_provider_that_is_not_there_or_is_another_is_not_used() {
    let provider = Provider::start("/accounts");
    let deployment = deployment(&[provider.settings("google", &provider.issuer)]);
    let server = deployment.serve();
    let company = Company::sign_up(&server, "silent");
    for lie in [
        json!({ "issuer": "https://evil.example" }),
        json!({ "token_endpoint": "http://evil.example/token" }),
        json!({ "jwks_uri": "https://user@127.0.0.1:1/keys" }),
        json!({ "authorization_endpoint": null }),
    ] {
        provider.says(&json!({}), &json!({ "discovery": lie }));
        let answer = Tab::new(&company).open(GOOGLE).expect(503);
        assert!(answer.text().contains("access.provider_unreachable"), "{}", answer.text());
    }
    drop(provider);
    Tab::new(&company).open(GOOGLE).expect(503);
    Tab::new(&company).open("/login/with/microsoft").expect(404);
    Tab::new(&company).open("/login/with/nobody").expect(404);
}
