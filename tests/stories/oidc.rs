//! Logins by accounts elsewhere (FM-24), with a provider that others wrote: who comes in, who is linked, what is asked for.

use keiin_tests::company::text;
use keiin_tests::provider::{Provider, Tab, deployment, verified};
use keiin_tests::{Call, Company, Server};
use serde_json::json;

const GOOGLE: &str = "/login/with/google";

fn provider_and_company(slug: &str) -> (Provider, keiin_tests::Deployment, Server, Company) {
    let provider = Provider::start("/accounts");
    let deployment = deployment(&[provider.settings("google", &provider.issuer)]);
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (provider, deployment, server, company)
}

#[test]
fn fm_24_the_verified_address_of_a_member_logs_them_in_and_links_the_account() {
    let (provider, _deployment, _server, company) = provider_and_company("google");
    let (id, email, _) = company.new_person();
    provider.says(&verified("s-1", &email), &json!({}));

    // Off until the company wants it.
    let refused = Tab::new(&company).log_in(&provider, GOOGLE).expect(401);
    assert!(refused.text().contains("Nobody comes in by this account"), "{}", refused.text());
    assert_eq!(text(&company.told("session.refused")[0], "reason"), "provider_off");

    company.allow_providers(&["google"]);
    let mut tab = Tab::new(&company);
    let inside = tab.log_in(&provider, &format!("{GOOGLE}?next=/documents")).expect(303);
    assert_eq!(inside.header("location"), Some("/documents"));
    let me = tab.open("/v1/me").expect(200).json();
    assert_eq!((text(&me, "id"), &me["second_factor"]), (id.clone(), &json!(false)));
    let started = &company.told("session.started")[0];
    assert_eq!((text(started, "method"), text(started, "member_id")), ("google".into(), id.clone()));
    let linked = company.told("factor.account_linked");
    assert_eq!(
        (linked.len(), text(&linked[0], "by"), text(&linked[0], "provider")),
        (1, "address".into(), "google".into())
    );

    // What the provider was asked: a code, for a proof key, for this login alone.
    let asked = provider.says(&json!({ "sub": "s-1" }), &json!({}));
    let asked = asked.as_array().expect("a list").last().expect("it was asked").clone();
    assert_eq!((text(&asked, "response_type"), text(&asked, "code_challenge_method")), ("code".into(), "S256".into()));
    assert!(text(&asked, "scope").contains("openid") && text(&asked, "scope").contains("email"));
    assert!(text(&asked, "state").len() > 40 && text(&asked, "nonce").len() > 40);

    // From now on the account is known by the provider's name for it, whatever its address.
    let mut again = Tab::new(&company);
    again.log_in(&provider, GOOGLE).expect(303);
    assert_eq!(text(&again.open("/v1/me").json(), "id"), id);
    assert_eq!(company.told("factor.account_linked").len(), 1);
    // And another account with the member's address is somebody else.
    provider.says(&verified("s-2", &email), &json!({}));
    let other = Tab::new(&company).log_in(&provider, GOOGLE).expect(401);
    assert!(other.text().contains("Another account is linked"), "{}", other.text());
    assert_eq!(text(&company.told("session.refused")[0], "reason"), "other_account");

    // Nobody becomes a member by an address alone, nor comes back who may no more.
    provider.says(&verified("s-9", "stranger@example.jp"), &json!({}));
    Tab::new(&company).log_in(&provider, GOOGLE).expect(401);
    let (_, invited) = company.invite("member");
    assert!(!invited.is_empty());
    let path = format!("/v1/members/{id}");
    let suspend = Call::new("POST", &format!("{path}/suspend")).if_match(&company.etag(&path));
    company.ok(suspend.json(&json!({ "reason": "x" })));
    provider.says(&verified("s-1", &email), &json!({}));
    Tab::new(&company).log_in(&provider, GOOGLE).expect(401);
    assert_eq!(text(&company.told("session.refused")[0], "reason"), "inactive");
}

#[test]
fn fm_24_an_account_is_linked_by_who_is_certainly_there_and_unlinked() {
    let (provider, _deployment, _server, company) = provider_and_company("linking");
    company.allow_providers(&["google"]);
    let (id, _, login) = company.new_person();
    // Another address, not even verified: it says nothing, the link does.
    let person = json!({ "sub": "s-7", "email": "private@example.com", "email_verified": false });
    provider.says(&person, &json!({}));
    let refused = Tab::new(&company).log_in(&provider, GOOGLE).expect(401);
    assert!(refused.text().contains("not verified"), "{}", refused.text());

    let mut tab = Tab::of(&company, &login);
    let there = tab.link("/account/link/google");
    let done = tab.open(&provider.visit(&there)).expect(303);
    assert_eq!(done.header("location"), Some("/account?done=account-linked"));
    let mine = tab.open("/v1/me/accounts").expect(200).json();
    assert_eq!(text(&mine["items"][0], "address"), "private@example.com");
    assert_eq!(text(&mine["items"][0], "linked_by"), "confirmation");
    let mut google = Tab::new(&company);
    google.log_in(&provider, GOOGLE).expect(303);
    assert_eq!(text(&google.open("/v1/me").json(), "id"), id);

    // Somebody else cannot have it too, and nobody a second one.
    let (_, _, other) = company.new_person();
    let mut others = Tab::of(&company, &other);
    let there = others.link("/account/link/google");
    let taken = others.open(&provider.visit(&there)).expect(409);
    assert!(taken.text().contains("access.account_taken"), "{}", taken.text());
    provider.says(&verified("s-8", "private@example.com"), &json!({}));
    let there = tab.link("/account/link/google");
    tab.open(&provider.visit(&there)).expect(409);

    // What one began, another cannot end: nor the same browser after logging in as somebody else.
    let there = others.link("/account/link/google");
    let back = provider.visit(&there);
    let stolen = Tab::of(&company, &login).open(&back).expect(401);
    assert!(stolen.text().contains("access.provider_state"), "{}", stolen.text());

    let unlink = Call::new("POST", "/v1/me/accounts/unlink").json(&json!({ "provider": "google" }));
    company.client.send(&tab.login().expect("logged in").on(unlink)).expect(200);
    provider.says(&person, &json!({}));
    Tab::new(&company).log_in(&provider, GOOGLE).expect(401);
    assert_eq!(company.told("factor.account_unlinked").len(), 1);
    // A form of another site begins nothing.
    let foreign = Call::new("POST", "/account/link/google").header("Sec-Fetch-Site", "cross-site");
    tab.send(foreign.bytes("application/x-www-form-urlencoded", "")).expect(403);
}

#[test]
fn fm_24_a_second_factor_is_asked_for_and_nothing_is_linked_before() {
    let (provider, _deployment, _server, company) = provider_and_company("both");
    company.allow_providers(&["google"]);
    let (email, mut app) = company.enrolled();
    provider.says(&verified("s-3", &email), &json!({}));
    let mut tab = Tab::new(&company);
    let page = tab.log_in(&provider, GOOGLE).expect(200).text();
    assert!(page.contains("action=\"/login/code\"") && tab.login().is_none(), "{page}");
    assert!(company.told("factor.account_linked").is_empty());
    let pending =
        page.split("name=\"pending\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("it waits");
    let form = format!("pending={pending}&code={}", app.next_code());
    tab.send(Call::new("POST", "/login/code").bytes("application/x-www-form-urlencoded", form)).expect(303);
    assert!(tab.login().is_some());
    assert_eq!(company.told("factor.account_linked").len(), 1);
    assert_eq!(text(&company.told("session.started")[0], "method"), "google");
}

#[test]
fn fm_24_whoever_belongs_to_two_companies_chooses_one() {
    let (provider, _deployment, server, company) = provider_and_company("first");
    let second = Company::sign_up(&server, "second");
    let email = "both@example.jp";
    for (at, role) in [(&company, "member"), (&second, "viewer")] {
        at.allow_providers(&["google"]);
        let body = json!({ "name": "Both", "email": email, "role": role });
        let invited = at.ok(Call::new("POST", "/v1/members").key(email).json(&body));
        let secret = at.mailed_link(invited["id"].as_str().expect("an id"));
        let secret = secret.rsplit('/').next().expect("a path").to_owned();
        let accept = json!({ "name": "Both", "password": keiin_tests::company::PASSWORD });
        at.client.post(&format!("/v1/invitations/{secret}/accept"), &accept).expect(200);
    }
    provider.says(&verified("s-4", email), &json!({}));
    let mut tab = Tab::new(&company);
    let page = tab.log_in(&provider, GOOGLE).expect(200).text();
    assert!(page.contains("?company=first") && page.contains("?company=second") && tab.login().is_none(), "{page}");
    tab.log_in(&provider, &format!("{GOOGLE}?company=second")).expect(303);
    assert_eq!(text(&tab.open("/v1/me").json()["tenant"], "slug"), "second");
    assert!(company.told("factor.account_linked").is_empty(), "the other company learns nothing");
}

#[test]
fn settings_that_cannot_work_stop_the_start() {
    let deployment = deployment(&["\n[oidc.google]\nclient_id = \"x\"\n".to_owned()]);
    let ran = keiin_tests::keiin(&["serve", "--data", deployment.data_arg(), "--listen", "127.0.0.1:0"]).expect(2);
    assert!(ran.stderr.contains("oidc.google: client_id needs client_secret"), "{}", ran.stderr);
}
