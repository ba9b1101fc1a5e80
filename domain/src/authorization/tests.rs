use super::*;
use crate::access_token::Issued;
use crate::application::{ApplicationEvent, Changed, Disabled, Registered, RevokeApplicationTokens, TokensRevoked};
use crate::testing::*;

const APP: Uuid = Uuid::from_u128(0xa99);
const OTHER: Uuid = Uuid::from_u128(0xa9a);
const AUTHORIZATION: Uuid = Uuid::from_u128(0x6a);
const URI: &str = "https://app.example/cb";

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

/// Reads and writes documents, in every way.
fn application() -> ApplicationEvent {
    let scopes = texts(&["documents:read", "documents:write"]);
    let grant_types = GrantType::ALL.to_vec();
    let (name, redirect_uris) = ("会計クラウド".into(), texts(&[URI]));
    Registered { name, confidential: true, redirect_uris, scopes, grant_types }.into()
}

/// The same, with these grant types from now on.
fn only(grant_types: &[GrantType]) -> ApplicationEvent {
    let scopes = texts(&["documents:read", "documents:write"]);
    let (name, redirect_uris) = ("会計クラウド".into(), texts(&[URI]));
    Changed { name, redirect_uris, scopes, grant_types: grant_types.to_vec() }.into()
}

fn ready() -> Scene {
    scene().given::<Application>(APP, application()).given::<Application>(OTHER, application())
}

fn give() -> GiveAuthorization {
    GiveAuthorization { application_id: APP, scopes: None, redirect_uri: URI.into(), challenge: hash("the verifier") }
}

fn given() -> Given {
    Given {
        application_id: APP,
        member_id: ME,
        revocations: 0,
        scopes: texts(&["documents:read", "documents:write"]),
        redirect_uri: URI.into(),
        challenge: hash("the verifier"),
        code_hash: hash("keiin_cod_1"),
        expires_at_us: us("2027-01-31T09:00:00+09:00"),
        code_expires_at_us: us("2026-11-02T09:01:00+09:00"),
    }
}

fn redeem() -> RedeemCode {
    let (code, redirect_uri, verifier) = ("keiin_cod_1".into(), URI.into(), "the verifier".into());
    RedeemCode { application_id: APP, code, redirect_uri, verifier }
}

fn refresh(secret: &str) -> RefreshAccess {
    RefreshAccess { application_id: APP, refresh_token: secret.into(), scopes: None }
}

fn issued(authorization_id: Option<Uuid>, secret: &str, at: &str) -> Issued {
    Issued {
        application_id: APP,
        authorization_id,
        revocations: 0,
        scopes: texts(&["documents:read", "documents:write"]),
        secret_hash: hash(secret),
        expires_at_us: us(at) + access_token::LIFE_US,
    }
}

fn end(reason: AuthorizationEnd) -> Emit {
    emit::<Authorization>(AUTHORIZATION, Revoked { reason })
}

/// An authorization whose code was exchanged; its tokens are `keiin_at_3` and `keiin_rt_2`, of the stream [`FRESH`].
fn connected() -> Scene {
    ready().when(AUTHORIZATION, give()).accepted().by_system().when(AUTHORIZATION, redeem()).accepted()
}

#[test]
fn a_consent_becomes_a_code_and_a_code_tokens() {
    let s = ready().when(AUTHORIZATION, give()).then([emit::<Authorization>(AUTHORIZATION, given())]).by_system();
    let token = issued(Some(AUTHORIZATION), "keiin_at_3", "2026-11-02T09:00:00+09:00");
    let s = s.when(AUTHORIZATION, redeem());
    let s = s.then([emit::<Authorization>(AUTHORIZATION, Redeemed {}), emit::<AccessToken>(FRESH, token)]);
    assert_eq!(s.world.secrets, ["keiin_cod_1", "keiin_rt_2", "keiin_at_3"]);
}

#[test]
fn without_the_grant_type_no_refresh_token_comes_along() {
    let s = ready().given::<Application>(APP, only(&[GrantType::AuthorizationCode]));
    let s = s.when(AUTHORIZATION, give()).accepted().when(AUTHORIZATION, redeem()).accepted();
    assert_eq!(s.world.secrets, ["keiin_cod_1", "keiin_at_2"]);
}

#[test]
fn a_code_that_comes_twice_ends_what_was_made_from_it() {
    let twice = RedeemCode { verifier: "another".into(), ..redeem() };
    let s = connected().when(AUTHORIZATION, twice).then([end(AuthorizationEnd::CodeReused)]);
    let application = s.now::<Application>(APP);
    assert_eq!(s.now::<Authorization>(AUTHORIZATION).holds(&application, us("2026-11-02T09:00:01+09:00")), None);
    let s = s.when(AUTHORIZATION, redeem()).refused("authorization.revoked");
    s.when(FRESH, refresh("keiin_rt_2")).refused("authorization.revoked");
    // Two at the same moment are one and a reuse.
    let s = ready().when(AUTHORIZATION, give()).accepted();
    s.race((AUTHORIZATION, redeem()), (AUTHORIZATION, redeem())).then([end(AuthorizationEnd::CodeReused)]);
}

#[test]
fn a_refresh_token_is_good_once_and_one_that_comes_again_ends_the_authorization() {
    let s = connected().at("2026-11-02T12:00:00+09:00").when(FRESH, refresh("keiin_rt_2"));
    let next = Uuid::from_u128(FRESH.as_u128() + 1);
    let token = issued(Some(AUTHORIZATION), "keiin_at_5", "2026-11-02T12:00:00+09:00");
    let s = s.then([emit::<AccessToken>(FRESH, access_token::Refreshed {}), emit::<AccessToken>(next, token)]);
    let s = s.when(next, refresh("keiin_rt_4")).accepted();
    s.clone().when(FRESH, refresh("keiin_rt_2")).then([end(AuthorizationEnd::RefreshReused)]);
    s.when(FRESH, refresh("keiin_rt_4")).then([end(AuthorizationEnd::RefreshReused)]);
    let s = connected();
    s.race((FRESH, refresh("keiin_rt_2")), (FRESH, refresh("keiin_rt_2"))).then([end(AuthorizationEnd::RefreshReused)]);
}

#[test]
fn a_refresh_may_ask_for_less_and_the_next_for_all_again_but_never_for_more() {
    let asks = |scopes: &[&str], secret: &str| RefreshAccess { scopes: Some(texts(scopes)), ..refresh(secret) };
    let s = connected().when(FRESH, asks(&["documents:read"], "keiin_rt_2")).accepted();
    let s = s.when(FRESH, asks(&["documents:write", "documents:read"], "keiin_rt_4")).accepted();
    s.when(FRESH, asks(&["documents:read", "visits:read"], "keiin_rt_6")).refused("application.scope");
}

#[test]
fn an_authorization_ends_with_time_also_when_it_is_not_used() {
    let idle = connected().at("2026-12-02T09:00:00+09:00");
    idle.clone().when(FRESH, refresh("keiin_rt_2")).refused("authorization.revoked");
    // A refresh every week does not lengthen the authorization itself.
    let (mut s, mut secret) = (connected(), "keiin_rt_2".to_owned());
    for week in 1..13 {
        s = s.at("2026-11-02T09:00:00+09:00");
        let at = keep_time(week * 7);
        s = s.at(&at).when(FRESH, refresh(&secret)).accepted();
        secret = s.world.secrets[s.world.secrets.len() - 2].clone();
    }
    s.at("2027-01-31T09:00:00+09:00").when(FRESH, refresh(&secret)).refused("authorization.revoked");
}

/// So many days after the scene began.
fn keep_time(days: i64) -> String {
    crate::date::instant(us("2026-11-02T09:00:00+09:00") + days * DAY_US)
}

#[test]
fn an_application_acts_for_itself_without_a_refresh_token() {
    let ask = IssueAccess { application_id: APP, scopes: None };
    let s = ready().by_system().when(FRESH, ask.clone());
    let s = s.then([emit::<AccessToken>(FRESH, issued(None, "keiin_at_1", "2026-11-02T09:00:00+09:00"))]);
    assert_eq!(s.world.secrets, ["keiin_at_1"]);
    let less = IssueAccess { scopes: Some(texts(&["documents:read"])), ..ask };
    let s = s.when(BEN, less).accepted();
    assert_eq!(s.now::<AccessToken>(BEN).issued.as_ref().unwrap().scopes, ["documents:read"]);
}

/// ML-09: what is taken away is away.
#[test]
fn tokens_hold_no_longer_than_what_they_were_made_from() {
    let now_us = us("2026-11-02T09:30:00+09:00");
    let holds = |s: &Scene| s.now::<AccessToken>(FRESH).holds(&s.now::<Application>(APP), now_us);
    let s = connected();
    assert_eq!(holds(&s), Some(texts(&["documents:read", "documents:write"])));
    assert_eq!(s.now::<AccessToken>(FRESH).holds(&s.now::<Application>(OTHER), now_us), None);
    let late = us("2026-11-02T10:00:00+09:00");
    assert_eq!(s.now::<AccessToken>(FRESH).holds(&s.now::<Application>(APP), late), None);
    assert_eq!(holds(&s.clone().given::<Application>(APP, Disabled {})), None);
    assert_eq!(holds(&s.clone().given::<AccessToken>(FRESH, access_token::Revoked {})), None);
    let less = Changed {
        name: "会計クラウド".into(),
        redirect_uris: texts(&[URI]),
        scopes: texts(&["documents:read", "visits:read"]),
        grant_types: GrantType::ALL.to_vec(),
    };
    assert_eq!(holds(&s.clone().given::<Application>(APP, less)), Some(texts(&["documents:read"])));
    let all = s.by(Role::Owner).when(APP, RevokeApplicationTokens {}).accepted();
    assert_eq!(holds(&all), None);
    assert_eq!(all.now::<Authorization>(AUTHORIZATION).holds(&all.now::<Application>(APP), now_us), None);
    all.by_system().when(FRESH, refresh("keiin_rt_2")).refused("authorization.revoked");
}

#[test]
fn one_takes_away_what_one_gave_and_an_admin_what_anybody_gave() {
    let s = connected();
    let own =
        s.clone().by(Role::Viewer).when(AUTHORIZATION, RevokeAuthorization {}).then([end(AuthorizationEnd::Member)]);
    own.when(AUTHORIZATION, RevokeAuthorization {}).then([]);
    s.clone().when(AUTHORIZATION, RevokeAuthorization {}).then([end(AuthorizationEnd::Application)]);
    let hers = scene().given::<Authorization>(AUTHORIZATION, Given { member_id: ANNA, ..given() });
    hers.clone().by(Role::Member).when(AUTHORIZATION, RevokeAuthorization {}).refused("authorization.unknown");
    hers.by(Role::Admin).when(AUTHORIZATION, RevokeAuthorization {}).then([end(AuthorizationEnd::Administrator)]);
}

/// Refused because of the application, whatever else was right.
fn refuses_applications<C: Command>(s: Scene, way: GrantType, at: Uuid, command: C) {
    s.clone().given::<Application>(APP, Disabled {}).when(at, command.clone()).refused("application.disabled");
    let others: Vec<_> = GrantType::ALL.iter().copied().filter(|other| *other != way).collect();
    s.given::<Application>(APP, only(&others)).when(at, command).refused("application.grant_type");
}

#[test]
fn every_refusal() {
    let nobody = Uuid::from_u128(0xdead);
    refuses_applications(ready(), GrantType::AuthorizationCode, AUTHORIZATION, give());
    let s = ready()
        .when(AUTHORIZATION, GiveAuthorization { application_id: nobody, ..give() })
        .refused("application.unknown");
    let s = s
        .when(AUTHORIZATION, GiveAuthorization { redirect_uri: format!("{URI}/"), ..give() })
        .refused("authorization.redirect_uri");
    for scopes in [texts(&["visits:read"]), vec![]] {
        let command = GiveAuthorization { scopes: Some(scopes), ..give() };
        s.clone().when(AUTHORIZATION, command).refused("application.scope");
    }
    s.by_system().when(AUTHORIZATION, give()).refused("authorization.not_a_member");
    covered::<GiveAuthorization>();

    let s = ready().when(AUTHORIZATION, give()).accepted().by_system();
    refuses_applications(s.clone(), GrantType::AuthorizationCode, AUTHORIZATION, redeem());
    let s =
        s.when(AUTHORIZATION, RedeemCode { code: "keiin_cod_9".into(), ..redeem() }).refused("authorization.unknown");
    let s = s.when(AUTHORIZATION, RedeemCode { application_id: nobody, ..redeem() }).refused("application.unknown");
    let s = s.when(AUTHORIZATION, RedeemCode { application_id: OTHER, ..redeem() }).refused("authorization.unknown");
    let s = s.when(AUTHORIZATION, RedeemCode { redirect_uri: "https://app.example".into(), ..redeem() });
    let s = s.refused("authorization.redirect_uri");
    let s =
        s.when(AUTHORIZATION, RedeemCode { verifier: "another".into(), ..redeem() }).refused("authorization.verifier");
    let late = s.clone().at("2026-11-02T09:01:00+09:00");
    late.when(AUTHORIZATION, redeem()).refused("authorization.code_expired");
    let revoked = s.given::<Application>(APP, TokensRevoked {});
    revoked.when(AUTHORIZATION, redeem()).refused("authorization.revoked");
    covered::<RedeemCode>();

    refuses_applications(connected(), GrantType::RefreshToken, FRESH, refresh("keiin_rt_2"));
    let s = connected().when(FRESH, refresh("keiin_rt_9")).refused("authorization.unknown");
    let refreshes = |application_id| RefreshAccess { application_id, ..refresh("keiin_rt_2") };
    let s = s.when(FRESH, refreshes(nobody)).refused("application.unknown");
    let s = s.when(FRESH, refreshes(OTHER)).refused("authorization.unknown");
    let more = RefreshAccess { scopes: Some(texts(&["visits:read"])), ..refresh("keiin_rt_2") };
    let s = s.when(FRESH, more).refused("application.scope").when(AUTHORIZATION, RevokeAuthorization {}).accepted();
    s.when(FRESH, refresh("keiin_rt_2")).refused("authorization.revoked");
    covered::<RefreshAccess>();

    let ask = IssueAccess { application_id: APP, scopes: None };
    refuses_applications(ready(), GrantType::ClientCredentials, FRESH, ask.clone());
    let s = ready().when(FRESH, IssueAccess { application_id: nobody, ..ask.clone() }).refused("application.unknown");
    let more = IssueAccess { scopes: Some(texts(&["documents:read", "visits:read"])), ..ask };
    s.when(FRESH, more).refused("application.scope");
    covered::<IssueAccess>();
    scene().when(AUTHORIZATION, RevokeAuthorization {}).refused("authorization.unknown");
    covered::<RevokeAuthorization>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<AuthorizationEvent> {
    let given = Given {
        application_id: SAMPLE_ID,
        member_id: SAMPLE_ID,
        revocations: 2,
        scopes: texts(&["documents:read"]),
        redirect_uri: URI.into(),
        challenge: [0xcd; 32],
        code_hash: [0xab; 32],
        expires_at_us: SAMPLE_US,
        code_expires_at_us: SAMPLE_US + 1,
    };
    vec![given.into(), Redeemed {}.into(), Revoked { reason: AuthorizationEnd::CodeReused }.into()]
}
