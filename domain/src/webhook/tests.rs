use uuid::Uuid;

use super::*;
use crate::command::Command;
use crate::owners::{OwnerAdded, Owners};
use crate::role::Role;
use crate::testing::*;

const HOOK: Uuid = Uuid::from_u128(0x400c);
const URL: &str = "https://app.example/hook?tenant=1";

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn register() -> RegisterWebhook {
    RegisterWebhook {
        kind: WebhookKind::Standard,
        url: URL.into(),
        description: "会計".into(),
        events: texts(&["visit.checked_in", "document.*", "document.*"]),
        language: WebhookLanguage::En,
        names_visitors: false,
    }
}

fn change() -> ChangeWebhook {
    let RegisterWebhook { description, events, language, names_visitors, .. } = register();
    ChangeWebhook { url: None, description, events, language, names_visitors }
}

fn about() -> About {
    About {
        description: "会計".into(),
        url: URL.into(),
        kept_url: None,
        events: texts(&["document.*", "visit.checked_in"]),
        language: WebhookLanguage::En,
        names_visitors: false,
    }
}

fn registered() -> Scene {
    scene().when(HOOK, register()).accepted()
}

fn keys(n: u128, secret: &str) -> SigningKeys {
    SigningKeys { id: Uuid::from_u128(0xf000 + n), public_key: hash(secret) }
}

#[test]
fn an_endpoint_is_told_and_signed_for() {
    let first = SecretIssued { keys: keys(1, "whsec_1"), prior: None, prior_until_us: 0 };
    let s = scene().when(HOOK, register()).then([
        emit::<Webhook>(HOOK, Registered { kind: WebhookKind::Standard, about: about() }),
        emit::<Webhook>(HOOK, first),
        emit::<Webhooks>(TENANT, Added { webhook: HOOK }),
    ]);
    let prior_until_us = us("2026-11-03T09:00:00+09:00");
    let second = SecretIssued { keys: keys(2, "whsec_2"), prior: Some(keys(1, "whsec_1")), prior_until_us };
    let s = s.when(HOOK, RotateWebhookSecret {}).then([emit::<Webhook>(HOOK, second)]);
    let s = s.when(HOOK, change()).then([]);
    let url = Some("https://other.example/".to_owned());
    let about = About { url: "https://other.example/".into(), ..about() };
    let s = s.when(HOOK, ChangeWebhook { url, ..change() }).then([emit::<Webhook>(HOOK, Changed { about })]);
    let s = s.when(HOOK, PingWebhook {}).then([emit::<Webhook>(HOOK, Pinged {})]);
    let all = ReplayOrdered { first: 7, last: 1_006 };
    let s = s.when(HOOK, ReplayWebhook { first: 7, last: None }).then([emit::<Webhook>(HOOK, all)]);
    let one = ReplayWebhook { first: 7, last: Some(7) };
    let s = s.when(HOOK, one).then([emit::<Webhook>(HOOK, ReplayOrdered { first: 7, last: 7 })]);
    let off = Disabled { why: WebhookOff::ByHand, status: 0, mail_to: vec![] };
    let s = s.when(HOOK, DisableWebhook {}).then([emit::<Webhook>(HOOK, off)]);
    let s = s.when(HOOK, DisableWebhook {}).then([]);
    let s = s.when(HOOK, EnableWebhook {}).then([emit::<Webhook>(HOOK, Enabled {})]);
    let s = s.when(HOOK, EnableWebhook {}).then([]);
    let gone = [emit::<Webhook>(HOOK, Removed {}), emit::<Webhooks>(TENANT, Dropped { webhook: HOOK })];
    s.when(HOOK, RemoveWebhook {}).then(gone);
}

#[test]
fn slacks_address_is_a_secret() {
    let (kind, url) = (WebhookKind::Slack, "https://hooks.slack.com/services/T0/B0/secret".to_owned());
    let s = scene().when(HOOK, RegisterWebhook { kind, url, ..register() }).accepted();
    let webhook = s.now::<Webhook>(HOOK);
    assert_eq!(webhook.about.url, "https://hooks.slack.com/…");
    assert_eq!(webhook.about.kept_url, Some(FRESH));
    assert_eq!(webhook.keys, None);
    assert_eq!(s.world.secrets, ["https://hooks.slack.com/services/T0/B0/secret"]);
    // It stays where nothing is said of it.
    let s = s.when(HOOK, ChangeWebhook { events: texts(&["*"]), ..change() }).accepted();
    assert_eq!(s.now::<Webhook>(HOOK).about.kept_url, Some(FRESH));
    s.when(HOOK, RotateWebhookSecret {}).refused("webhook.unsigned");
}

#[test]
fn what_the_server_notes_is_written_once_and_told_to_the_owners() {
    let s = registered().given::<Owners>(TENANT, OwnerAdded { member: BEN });
    let s = s.given::<Owners>(TENANT, OwnerAdded { member: ANNA }).by_system();
    let failed = DeliveryFailed { of_position: 41, attempts: 10, status: 500 };
    let s = s.when(HOOK, GiveUpWebhook { of_position: 41, attempts: 10, status: 500 });
    let s = s.then([emit::<Webhook>(HOOK, failed)]);
    let off = Disabled { why: WebhookOff::Gone, status: 410, mail_to: vec![ANNA, BEN] };
    let s = s.when(HOOK, SuspendWebhook { why: WebhookOff::Gone, status: 410 }).then([emit::<Webhook>(HOOK, off)]);
    s.when(HOOK, SuspendWebhook { why: WebhookOff::Failing, status: 0 }).then([]);
}

#[test]
fn kinds_are_named_in_full_by_their_noun_or_by_a_star() {
    let wanted = texts(&["document.*", "visit.checked_in"]);
    for (kind, hears) in
        [("document.issued", true), ("visit.checked_in", true), ("visit.checked_out", false), ("documents.x", false)]
    {
        assert_eq!(wants(&wanted, kind), hears, "{kind}");
    }
    assert!(wants(&texts(&["*"]), "ledger.opened") && !wants(&[], "document.issued"));
}

/// What both commands refuse alike.
fn refuses_alike<C: Command>(s: Scene, with: impl Fn(RegisterWebhook) -> C) -> Scene {
    let s = refuses_bad_text(s, HOOK, "/description", false, 60, |description| {
        with(RegisterWebhook { description, ..register() })
    });
    let long = format!("https://app.example/{}", "a".repeat(500));
    let bad = [
        "", "app.example", "ftp://app.example", "https://", "https:///x", "https://me@app.example/",
        "https://a.example/#x", "https://a.example/ x", "https://例え.jp/", "https://a.example\\@b.example",
        "javascript:alert(1)", &long,
    ];
    let urls = |url: &str| with(RegisterWebhook { url: url.into(), ..register() });
    let s = bad.iter().fold(s, |s, url| s.when(HOOK, urls(url)).refused_at("webhook.bad_url", "/url"));
    let s = s.when(HOOK, urls("https://10.0.0.1/")).refused_at("webhook.forbidden_url", "/url");
    let events = |events| with(RegisterWebhook { events, ..register() });
    let s = s.when(HOOK, events(vec![])).refused_at("webhook.no_events", "/events");
    let s = s.when(HOOK, events(vec!["*".into(); 51])).refused_at("webhook.too_many_events", "/events");
    ["document.issue", "document", "doc*", "document.iss*", "", "**", "nothing.*"]
        .iter()
        .fold(s, |s, odd| s.when(HOOK, events(texts(&["*", odd]))).refused_at("webhook.unknown_event", "/events/1"))
}

#[test]
fn every_refusal() {
    let s = refuses_alike(scene(), |command| command);
    let many = (0..20u128).fold(s, |s, n| s.given::<Webhooks>(TENANT, Added { webhook: Uuid::from_u128(n) }));
    let s = many.when(HOOK, register()).refused("webhook.too_many");
    s.given::<Webhooks>(TENANT, Dropped { webhook: Uuid::from_u128(7) }).when(HOOK, register()).accepted();
    covered::<RegisterWebhook>();
    refuses_alike(registered(), |RegisterWebhook { url, description, events, language, names_visitors, .. }| {
        ChangeWebhook { url: Some(url), description, events, language, names_visitors }
    });
    let s = registered().when(HOOK, ReplayWebhook { first: 7, last: Some(6) }).refused_at("webhook.bad_range", "/last");
    let s = s.when(HOOK, ReplayWebhook { first: 7, last: Some(1_007) }).refused_at("webhook.bad_range", "/last");
    let s = s.when(HOOK, ReplayWebhook { first: u64::MAX, last: None }).refused_at("webhook.bad_range", "/first");
    let s = s.when(HOOK, DisableWebhook {}).accepted();
    let s = s.when(HOOK, PingWebhook {}).refused("webhook.off");
    s.when(HOOK, ReplayWebhook { first: 1, last: None }).refused("webhook.off");
    let slack = RegisterWebhook { kind: WebhookKind::Slack, ..register() };
    scene().when(HOOK, slack).accepted().when(HOOK, RotateWebhookSecret {}).refused("webhook.unsigned");
    let gone = registered().when(HOOK, RemoveWebhook {}).accepted();
    for (s, code) in [(scene(), "webhook.unknown"), (gone, "webhook.gone")] {
        let s = s.when(HOOK, change()).refused(code);
        let s = s.when(HOOK, RotateWebhookSecret {}).refused(code);
        let s = s.when(HOOK, EnableWebhook {}).refused(code);
        let s = s.when(HOOK, DisableWebhook {}).refused(code);
        let s = s.when(HOOK, PingWebhook {}).refused(code);
        let s = s.when(HOOK, ReplayWebhook { first: 1, last: None }).refused(code);
        let s = s.when(HOOK, RemoveWebhook {}).refused(code).by_system();
        let s = s.when(HOOK, GiveUpWebhook { of_position: 1, attempts: 1, status: 0 }).refused(code);
        s.when(HOOK, SuspendWebhook { why: WebhookOff::Gone, status: 410 }).refused(code);
    }
    covered::<ChangeWebhook>();
    covered::<RotateWebhookSecret>();
    covered::<EnableWebhook>();
    covered::<DisableWebhook>();
    covered::<PingWebhook>();
    covered::<ReplayWebhook>();
    covered::<RemoveWebhook>();
    covered::<GiveUpWebhook>();
    covered::<SuspendWebhook>();
}

#[test]
fn endpoints_are_a_setting_of_the_company() {
    for role in Role::OF_MEMBERS {
        let may = matches!(role, Role::Owner | Role::Admin);
        assert_eq!(role.permits(RegisterWebhook::PERMISSION), may, "{role:?}");
        assert_eq!(role.permits(ChangeWebhook::PERMISSION), may, "{role:?}");
    }
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<WebhookEvent> {
    let keys = SigningKeys { id: SAMPLE_ID, public_key: [0xab; 32] };
    vec![
        Registered { kind: WebhookKind::Standard, about: about() }.into(),
        Changed { about: About { kept_url: Some(SAMPLE_ID), ..about() } }.into(),
        SecretIssued { keys, prior: Some(keys), prior_until_us: SAMPLE_US }.into(),
        Enabled {}.into(),
        Disabled { why: WebhookOff::Failing, status: 503, mail_to: vec![SAMPLE_ID] }.into(),
        Pinged {}.into(),
        ReplayOrdered { first: 7, last: 41 }.into(),
        DeliveryFailed { of_position: 41, attempts: 10, status: 500 }.into(),
        Removed {}.into(),
    ]
}

/// The same for the boundary.
pub fn boundary_samples() -> Vec<WebhooksEvent> {
    vec![Added { webhook: SAMPLE_ID }.into(), Dropped { webhook: SAMPLE_ID }.into()]
}
