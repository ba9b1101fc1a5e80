//! What may be done to endpoints.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::*;
use crate::command::{Command, Emit, Route, present};
use crate::context::Context;
use crate::owners::Owners;
use crate::role::Permission;
use crate::{catalog, text};

/// Longest address, in bytes.
const URL_MAX: usize = 500;
/// Most kinds that an endpoint names.
const EVENTS_MAX: usize = 50;
/// Vault entries of addresses that are secrets.
pub const KEPT_URL: &str = "whu";

/// What both registering and changing say, checked and in order. Without an address the one before stays.
fn about(
    webhook: &On<Webhook>,
    kind: WebhookKind,
    url: Option<&str>,
    mut said: About,
    ctx: &mut Context,
) -> Result<About, Rejection> {
    said.description = text::optional_line(&said.description, "/description", 60)?;
    if said.events.is_empty() {
        return Err(Rejection::at("webhook.no_events", "/events"));
    }
    if said.events.len() > EVENTS_MAX {
        return Err(Rejection::at("webhook.too_many_events", "/events"));
    }
    let kinds = catalog::event_kinds();
    let known = |wanted: &String| match wanted.strip_suffix('*') {
        Some("") => true,
        Some(noun) => noun.ends_with('.') && kinds.iter().any(|kind| kind.starts_with(noun)),
        None => kinds.contains(wanted.as_str()),
    };
    if let Some(i) = said.events.iter().position(|wanted| !known(wanted)) {
        return Err(Rejection::at("webhook.unknown_event", format!("/events/{i}")));
    }
    said.events.sort();
    said.events.dedup();
    let Some(url) = url else {
        return Ok(About { url: webhook.about.url.clone(), kept_url: webhook.about.kept_url, ..said });
    };
    let host = host_of(url).ok_or_else(|| Rejection::at("webhook.bad_url", "/url"))?;
    if !ctx.world.may_send_to(kind, url) {
        return Err(Rejection::at("webhook.forbidden_url", "/url"));
    }
    (said.url, said.kept_url) = match kind {
        WebhookKind::Standard => (url.to_owned(), None),
        WebhookKind::Slack => (format!("{host}/…"), Some(ctx.world.keep(KEPT_URL, webhook.id, url))),
    };
    Ok(said)
}

/// Scheme and host of an address of the shape that webhooks have: visible ASCII, no user, no fragment.
fn host_of(url: &str) -> Option<&str> {
    let visible = url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'"' | b'<' | b'>'));
    let start = if url.starts_with("https://") { 8 } else { 7 };
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?']).next()?;
    let shaped = visible && url.len() <= URL_MAX && !authority.is_empty() && !authority.contains('@');
    shaped.then(|| &url[..start + authority.len()])
}

/// Tells a program elsewhere of records as they happen. Its secret, where it has one, is shown once.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterWebhook {
    /// What is sent; `standard` where nothing is said.
    #[serde(default)]
    pub kind: WebhookKind,
    /// `https://…`, at most 500 bytes, on port 443 or above 1024, at an address that the internet knows.
    pub url: String,
    /// What people call it, at most 60 characters.
    #[serde(default)]
    pub description: String,
    /// Kinds of events, 1 to 50: `*`, all of a noun (`document.*`), or one (`document.issued`).
    pub events: Vec<String>,
    /// Of Slack's sentences; `ja` where nothing is said.
    #[serde(default)]
    pub language: WebhookLanguage,
    /// Slack's sentences may name visitors.
    #[serde(default)]
    pub names_visitors: bool,
}

impl Command for RegisterWebhook {
    type On = (On<Webhook>, On<Webhooks>);
    const NAME: &'static str = "register_webhook";
    const ROUTE: Route = Route::create("/v1/webhooks");
    const PERMISSION: Permission = Permission("webhook.register");
    const REJECTS: &'static [&'static str] = &[
        "webhook.too_many", "webhook.bad_url", "webhook.forbidden_url", "webhook.no_events", "webhook.too_many_events",
        "webhook.unknown_event", "text.too_long", "text.control_character",
    ];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (webhook, webhooks): &Self::On, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        if webhooks.all.len() >= WEBHOOKS_MAX {
            return Err(Rejection::new("webhook.too_many"));
        }
        let RegisterWebhook { kind, url, description, events, language, names_visitors } = self;
        let said = About { description, events, language, names_visitors, ..About::default() };
        let about = about(webhook, kind, Some(&url), said, ctx)?;
        let mut emits = vec![webhook.emit(Registered { kind, about })];
        if kind == WebhookKind::Standard {
            let keys = ctx.world.signing_keys(webhook.id);
            emits.push(webhook.emit(SecretIssued { keys, prior: None, prior_until_us: 0 }));
        }
        emits.push(webhooks.emit(Added { webhook: webhook.id }));
        Ok(emits)
    }
}

/// Says anew where and of what an endpoint is told.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWebhook {
    /// Absent = where it is now.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// What people call it, at most 60 characters.
    #[serde(default)]
    pub description: String,
    /// All of them.
    pub events: Vec<String>,
    /// Of Slack's sentences; `ja` where nothing is said.
    #[serde(default)]
    pub language: WebhookLanguage,
    /// Slack's sentences may name visitors.
    #[serde(default)]
    pub names_visitors: bool,
}

impl Command for ChangeWebhook {
    type On = On<Webhook>;
    const NAME: &'static str = "change_webhook";
    const ROUTE: Route = Route::put("/v1/webhooks/{id}");
    const PERMISSION: Permission = Permission("webhook.change");
    const REJECTS: &'static [&'static str] = &[
        "webhook.unknown", "webhook.gone", "webhook.bad_url", "webhook.forbidden_url", "webhook.no_events",
        "webhook.too_many_events", "webhook.unknown_event", "text.too_long", "text.control_character",
    ];
    fn decide(self, webhook: &On<Webhook>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_live()?;
        let ChangeWebhook { url, description, events, language, names_visitors } = self;
        let said = About { description, events, language, names_visitors, ..About::default() };
        let about = about(webhook, webhook.kind, url.as_deref(), said, ctx)?;
        Ok(if about == webhook.about { vec![] } else { vec![webhook.emit(Changed { about })] })
    }
}

/// Gives an endpoint a new secret and a new Ed25519 key, the secret shown once. Those before sign beside them for 24 hours.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateWebhookSecret {}

impl Command for RotateWebhookSecret {
    type On = On<Webhook>;
    const NAME: &'static str = "rotate_webhook_secret";
    const ROUTE: Route = Route::post("/v1/webhooks/{id}/secret");
    const PERMISSION: Permission = Permission("webhook.change");
    const REJECTS: &'static [&'static str] = &["webhook.unknown", "webhook.gone", "webhook.unsigned"];
    fn decide(self, webhook: &On<Webhook>, ctx: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_live()?;
        let Some(prior) = webhook.keys else { return Err(Rejection::new("webhook.unsigned")) };
        let (keys, prior_until_us) = (ctx.world.signing_keys(webhook.id), ctx.now_us + OVERLAP_US);
        Ok(vec![webhook.emit(SecretIssued { keys, prior: Some(prior), prior_until_us })])
    }
}

/// Switches an endpoint on. It is told of what happens from now on, and of what still waited for it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnableWebhook {}

impl Command for EnableWebhook {
    type On = On<Webhook>;
    const NAME: &'static str = "enable_webhook";
    const ROUTE: Route = Route::post("/v1/webhooks/{id}/enable");
    const PERMISSION: Permission = Permission("webhook.change");
    const REJECTS: &'static [&'static str] = &["webhook.unknown", "webhook.gone"];
    fn decide(self, webhook: &On<Webhook>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_live()?;
        Ok(if webhook.off.is_some() { vec![webhook.emit(Enabled {})] } else { vec![] })
    }
}

/// Switches an endpoint off. What waits for it goes on waiting.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableWebhook {}

impl Command for DisableWebhook {
    type On = On<Webhook>;
    const NAME: &'static str = "disable_webhook";
    const ROUTE: Route = Route::post("/v1/webhooks/{id}/disable");
    const PERMISSION: Permission = Permission("webhook.change");
    const REJECTS: &'static [&'static str] = &["webhook.unknown", "webhook.gone"];
    fn decide(self, webhook: &On<Webhook>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_live()?;
        let disabled = Disabled { why: WebhookOff::ByHand, status: 0, mail_to: vec![] };
        Ok(if webhook.off.is_some() { vec![] } else { vec![webhook.emit(disabled)] })
    }
}

/// Sends an endpoint a message to see whether it arrives, `webhook.pinged`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PingWebhook {}

impl Command for PingWebhook {
    type On = On<Webhook>;
    const NAME: &'static str = "ping_webhook";
    const ROUTE: Route = Route::post("/v1/webhooks/{id}/ping");
    const PERMISSION: Permission = Permission("webhook.change");
    const REJECTS: &'static [&'static str] = &["webhook.unknown", "webhook.gone", "webhook.off"];
    fn decide(self, webhook: &On<Webhook>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_be_on()?;
        Ok(vec![webhook.emit(Pinged {})])
    }
}

/// Sends an endpoint records once more, under the same ids: one, or all that it wants from one on. Those that were never
/// sent, because it was off or did not want them then, are sent as well.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayWebhook {
    /// Position of the first record.
    pub first: u64,
    /// Position of the last, at most 999 behind the first; absent = as far as that goes.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub last: Option<u64>,
}

impl Command for ReplayWebhook {
    type On = On<Webhook>;
    const NAME: &'static str = "replay_webhook";
    const ROUTE: Route = Route::post("/v1/webhooks/{id}/replay");
    const PERMISSION: Permission = Permission("webhook.change");
    const REJECTS: &'static [&'static str] = &["webhook.unknown", "webhook.gone", "webhook.off", "webhook.bad_range"];
    fn decide(self, webhook: &On<Webhook>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_be_on()?;
        let first = self.first;
        if first > i64::MAX as u64 - REPLAY_MAX {
            return Err(Rejection::at("webhook.bad_range", "/first"));
        }
        let last = self.last.unwrap_or(first + REPLAY_MAX - 1);
        if last < first || last - first >= REPLAY_MAX {
            return Err(Rejection::at("webhook.bad_range", "/last"));
        }
        Ok(vec![webhook.emit(ReplayOrdered { first, last })])
    }
}

/// Takes an endpoint away for good, with its secrets and what waits for it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveWebhook {}

impl Command for RemoveWebhook {
    type On = (On<Webhook>, On<Webhooks>);
    const NAME: &'static str = "remove_webhook";
    const ROUTE: Route = Route::post("/v1/webhooks/{id}/remove");
    const PERMISSION: Permission = Permission("webhook.change");
    const REJECTS: &'static [&'static str] = &["webhook.unknown", "webhook.gone"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (webhook, webhooks): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_live()?;
        Ok(vec![webhook.emit(Removed {}), webhooks.emit(Dropped { webhook: webhook.id })])
    }
}

/// A message is given up.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveUpWebhook {
    /// Position of the record that it is about.
    pub of_position: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// HTTP status of the last answer; 0 where there was none.
    pub status: u16,
}

impl Command for GiveUpWebhook {
    type On = On<Webhook>;
    const NAME: &'static str = "give_up_webhook";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("webhook.give_up");
    const REJECTS: &'static [&'static str] = &["webhook.unknown", "webhook.gone"];
    fn decide(self, webhook: &On<Webhook>, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_live()?;
        let GiveUpWebhook { of_position, attempts, status } = self;
        Ok(vec![webhook.emit(DeliveryFailed { of_position, attempts, status })])
    }
}

/// Switches off an endpoint that is gone or takes nothing; the company's owners get a mail.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendWebhook {
    /// Why.
    pub why: WebhookOff,
    /// HTTP status of its last answer; 0 where there was none.
    pub status: u16,
}

impl Command for SuspendWebhook {
    type On = (On<Webhook>, On<Owners>);
    const NAME: &'static str = "suspend_webhook";
    const ROUTE: Route = Route::internal();
    const PERMISSION: Permission = Permission("webhook.suspend");
    const REJECTS: &'static [&'static str] = &["webhook.unknown", "webhook.gone"];
    fn streams(&self, target: Uuid, ctx: &mut Context) -> Result<Vec<Uuid>, Rejection> {
        Ok(vec![target, ctx.tenant])
    }
    fn decide(self, (webhook, owners): &Self::On, _: &mut Context) -> Result<Vec<Emit>, Rejection> {
        webhook.must_live()?;
        let disabled = Disabled { why: self.why, status: self.status, mail_to: owners.members() };
        Ok(if webhook.off.is_some() { vec![] } else { vec![webhook.emit(disabled)] })
    }
}
