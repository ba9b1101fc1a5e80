use uuid::Uuid;

use super::*;
use crate::role::Role;
use crate::testing::*;

const APP: Uuid = Uuid::from_u128(0xa99);

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn register() -> RegisterApplication {
    RegisterApplication {
        name: "会計クラウド".into(),
        confidential: true,
        redirect_uris: texts(&["https://app.example/cb"]),
        scopes: texts(&["documents:write", "documents:read", "documents:write"]),
        grant_types: vec![GrantType::ClientCredentials, GrantType::AuthorizationCode],
    }
}

fn change() -> ChangeApplication {
    let RegisterApplication { name, redirect_uris, scopes, grant_types, .. } = register();
    ChangeApplication { name, redirect_uris, scopes, grant_types }
}

fn registered() -> Scene {
    scene().when(APP, register()).accepted()
}

#[test]
fn an_application_that_can_keep_a_secret_gets_one() {
    let registered = Registered {
        name: "会計クラウド".into(),
        confidential: true,
        redirect_uris: texts(&["https://app.example/cb"]),
        scopes: texts(&["documents:read", "documents:write"]),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::ClientCredentials],
    };
    let secret = |secret: &str| emit::<Application>(APP, SecretIssued { secret_hash: hash(secret) });
    let s = scene().when(APP, register());
    let s = s.then([emit::<Application>(APP, registered), secret("keiin_app_1")]);
    s.when(APP, RotateApplicationSecret {}).then([secret("keiin_app_2")]);
    let public = RegisterApplication {
        confidential: false,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        ..register()
    };
    let s = scene().when(APP, public).accepted();
    assert_eq!(s.now::<Application>(APP).secret_hash, None);
    s.when(APP, RotateApplicationSecret {}).refused("application.public");
}

#[test]
fn a_change_that_changes_nothing_is_nothing_and_revoking_all_counts() {
    let s = registered().when(APP, change()).then([]);
    let s = s.when(APP, ChangeApplication { scopes: texts(&["documents:read"]), ..change() }).accepted();
    assert_eq!(s.now::<Application>(APP).scopes, ["documents:read"]);
    let s = s.when(APP, RevokeApplicationTokens {}).then([emit::<Application>(APP, TokensRevoked {})]);
    let s = s.when(APP, RevokeApplicationTokens {}).accepted();
    assert_eq!(s.now::<Application>(APP).revocations, 2);
    s.when(APP, DisableApplication {}).then([emit::<Application>(APP, Disabled {})]);
}

#[test]
fn no_application_may_make_credentials_or_applications() {
    for scope in ["tokens:write", "applications:write", "security:write", "me:write", "links:write", "*", ""] {
        let scopes = texts(&["documents:read", scope]);
        let command = RegisterApplication { scopes, ..register() };
        scene().when(APP, command).refused_at("application.unknown_scope", "/scopes/1");
    }
}

#[test]
fn what_an_application_may_for_itself_is_what_scopes_can_name() {
    for permission in crate::catalog::permissions() {
        let named = crate::catalog::scopes().contains(&permission.scope()) && !permission.is_outside();
        assert_eq!(Role::Application.permits(permission), named, "{permission:?}");
    }
}

/// What both commands refuse alike.
fn refuses_alike<C: Command>(scene: Scene, with: impl Fn(RegisterApplication) -> C) -> Scene {
    let stale = scene.clone().stale().when(APP, with(register())).refused("access.confirm_first");
    drop(stale);
    let s = refuses_bad_text(scene, APP, "/name", true, 60, |name| with(RegisterApplication { name, ..register() }));
    let uris = |redirect_uris| with(RegisterApplication { redirect_uris, ..register() });
    let many = (0..11).map(|n| format!("https://app.example/{n}")).collect();
    let s = s.when(APP, uris(many)).refused_at("application.too_many_redirect_uris", "/redirect_uris");
    let odd = texts(&["https://app.example/cb", "http://app.example/cb"]);
    let s = s.when(APP, uris(odd)).refused_at("application.bad_redirect_uri", "/redirect_uris/1");
    let s = s.when(APP, uris(vec![])).refused_at("application.no_redirect_uri", "/redirect_uris");
    let scopes = |scopes| with(RegisterApplication { scopes, ..register() });
    let s = s.when(APP, scopes(vec![])).refused_at("application.no_scopes", "/scopes");
    let s = s.when(APP, scopes(texts(&["x"]))).refused_at("application.unknown_scope", "/scopes/0");
    [vec![], vec![GrantType::RefreshToken, GrantType::ClientCredentials]].into_iter().fold(s, |s, grant_types| {
        let command = with(RegisterApplication { grant_types, ..register() });
        s.when(APP, command).refused_at("application.bad_grant_types", "/grant_types")
    })
}

#[test]
fn every_refusal() {
    let s = refuses_alike(scene(), |command| command);
    let public = RegisterApplication { confidential: false, ..register() };
    s.when(APP, public).refused_at("application.bad_grant_types", "/grant_types");
    covered::<RegisterApplication>();
    refuses_alike(registered(), |RegisterApplication { name, redirect_uris, scopes, grant_types, .. }| {
        ChangeApplication { name, redirect_uris, scopes, grant_types }
    });
    let s = scene().when(APP, change()).refused("application.unknown");
    let s = s.when(APP, RotateApplicationSecret {}).refused("application.unknown");
    let s = s.when(APP, RevokeApplicationTokens {}).refused("application.unknown");
    s.when(APP, DisableApplication {}).refused("application.unknown");
    registered().stale().when(APP, RotateApplicationSecret {}).refused("access.confirm_first");
    let public = vec![GrantType::AuthorizationCode];
    let public = RegisterApplication { confidential: false, grant_types: public, ..register() };
    let s = scene().when(APP, public).accepted();
    s.when(APP, RotateApplicationSecret {}).refused("application.public");
    let s = registered().when(APP, DisableApplication {}).accepted();
    let s = s.when(APP, change()).refused("application.disabled");
    let s = s.when(APP, RotateApplicationSecret {}).refused("application.disabled");
    let s = s.when(APP, RevokeApplicationTokens {}).refused("application.disabled");
    s.when(APP, DisableApplication {}).refused("application.disabled");
    covered::<ChangeApplication>();
    covered::<RotateApplicationSecret>();
    covered::<RevokeApplicationTokens>();
    covered::<DisableApplication>();
}

/// One event of every kind that is written now; the golden files hold their bytes, so a value never changes.
pub fn samples() -> Vec<ApplicationEvent> {
    let (name, redirect_uris) = ("会計クラウド".to_owned(), texts(&["https://app.example/cb"]));
    let (scopes, grant_types) =
        (texts(&["documents:read"]), vec![GrantType::AuthorizationCode, GrantType::RefreshToken]);
    let changed = Changed { name, redirect_uris, scopes, grant_types };
    let Changed { name, redirect_uris, scopes, grant_types } = changed.clone();
    vec![
        Registered { name, confidential: true, redirect_uris, scopes, grant_types }.into(),
        changed.into(),
        SecretIssued { secret_hash: [0xab; 32] }.into(),
        TokensRevoked {}.into(),
        Disabled {}.into(),
    ]
}
