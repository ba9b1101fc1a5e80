//! Who may do what: every operation, sent by everybody. `docs/permissions.md` is the matrix that the server is held to;
//! here it is read as text, as a customer reads it.

use std::collections::{BTreeMap, BTreeSet};

use keiin::session::{SESSION, Session};
use keiin_eventlog::vault::{Entry, Vault};
use keiin_tests::mailbox::vault_at_rest;
use keiin_tests::oauth::bearer;
use keiin_tests::operation::{Operation, all_operations, example, operations};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Plane, Server, report, root};
use serde_json::{Value, json};
use uuid::Uuid;

/// Whoever has an account may end their own login, confirm it, and begin to set up an app.
const OWN: &[&str] = &["log_out", "confirm_me", "confirm_by_passkey", "begin_totp", "send_confirm_code"];
/// Rules finer than the matrix: roles, operations, the code of the refusal.
const RULES: &[(&[&str], &[&str], &str)] = &[
    // Others' visits.
    (
        &["member", "lawyer"],
        &["register_visit", "change_visit", "cancel_visit", "receive_visitor", "release_visitor"],
        "visit.own_only",
    ),
    (&["member", "lawyer"], &["reschedule_appointment", "correct_visit", "add_visitors"], "visit.own_only"),
    (&["member", "viewer", "lawyer"], &["get_visit"], "request.not_found"),
    // What is of all visits.
    (&["member", "lawyer"], &["acknowledge_visit"], "visit.own_only"),
    (&["member", "viewer", "lawyer", "secretary"], &["get_present_visitors", "get_visit_figures"], "access.forbidden"),
    // Others' sessions and devices.
    (
        &[
            "member", "viewer", "accountant", "receptionist", "auditor", "lawyer", "secretary", "postal_clerk",
            "recipient", "custom",
        ],
        &["get_session", "revoke_session", "get_device", "forget_device"],
        "request.not_found",
    ),
    // Others' consents.
    (
        &[
            "member", "viewer", "accountant", "receptionist", "auditor", "custom", "lawyer", "secretary",
            "postal_clerk", "recipient",
        ],
        &["get_authorization", "revoke_authorization"],
        "request.not_found",
    ),
    // What the example holds is another member's: a code of their app, an app to remove.
    (ROLES, &["enrol_totp", "register_phone"], "factor.wrong_code"),
    (ROLES, &["remove_phone"], "factor.no_phone"),
    (ROLES, &["register_passkey"], "access.gone"),
    (ROLES, &["rename_passkey", "remove_passkey"], "factor.unknown_passkey"),
    (ROLES, &["change_password"], "member.wrong_password"),
    (ROLES, &["remove_totp", "issue_recovery_codes"], "factor.none"),
    // Others' actions: as if they were not there.
    (
        &["member", "viewer", "accountant", "receptionist", "lawyer", "secretary", "postal_clerk", "custom"],
        &["get_event", "get_lifecycle", "get_lifecycle_csv"],
        "request.not_found",
    ),
    // Others' inboxes.
    (
        &["recipient"],
        &["open_delivery", "take_file", "take_files", "reply_to_delivery", "accept_quote"],
        "request.not_found",
    ),
    // Others' secretaries.
    (&["lawyer"], &["get_secretary", "end_secretary"], "request.not_found"),
];
const ROLES: &[&str] = &[
    "owner", "admin", "member", "viewer", "accountant", "receptionist", "auditor", "lawyer", "secretary",
    "postal_clerk", "custom", "recipient",
];
/// What the company's own set says in the sweep.
const SET: &[&str] =
    &["client.read", "document.read", "document.draft", "delivery.read", "visit.read", "visit.register", "log.export"];

/// Permission → who may, from the table in the documentation.
fn matrix() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("docs/permissions.md")).expect("the matrix is there");
    let rows = text.lines().filter(|line| line.starts_with('|')).map(|line| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
    });
    let mut rows = rows.skip_while(|row| row[0] != "permission");
    let roles = rows.next().expect("the table has a head");
    let mut matrix = BTreeMap::new();
    for row in rows.take_while(|row| row[0] != "command").filter(|row| row.len() == roles.len() && row[0].contains('.'))
    {
        let may = roles.iter().zip(&row).skip(2).filter(|(_, cell)| *cell == "✓").map(|(role, _)| role.clone());
        matrix.insert(row[0].clone(), may.collect());
    }
    matrix
}

/// Operations that ask for a permission. What is public asks for none: it is reached by a secret or by anybody.
fn guarded() -> Vec<(Operation, String)> {
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    let operations = operations(&document).into_iter().filter(|o| !o.is_public && !OWN.contains(&o.name.as_str()));
    operations
        .map(|operation| {
            let permission = operation.permission.clone();
            let permission = permission.unwrap_or_else(|| panic!("{} asks for nothing", operation.name));
            (operation, permission)
        })
        .collect()
}

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

#[track_caller]
fn is_forbidden(answer: &Answer, who: &str, operation: &Operation) {
    let seen = (answer.status, answer.code());
    assert_eq!(seen, (403, "access.forbidden".to_owned()), "{who} {}: {}", operation.name, answer.text());
}

#[track_caller]
fn is_unknown(answer: &Answer, who: &str, operation: &Operation) {
    let seen = (answer.status, answer.code());
    assert_eq!(seen, (401, "access.unauthenticated".to_owned()), "{who} {}: {}", operation.name, answer.text());
}

#[test]
fn everybody_may_what_the_matrix_says_and_nothing_else() {
    let (_deployment, _server, company) = company("matrix");
    let matrix = matrix();
    let mut people: Vec<(&str, Credential)> = vec![("owner", company.login.clone())];
    let set = company.new_permission_set(SET);
    people.extend(ROLES.iter().skip(1).map(|role| {
        let given = if *role == "custom" { set.as_str() } else { role };
        let login = match *role {
            "secretary" => company.new_secretary().1,
            "recipient" => company.new_recipient().1,
            _ => company.new_member(given).1,
        };
        (*role, login)
    }));
    people.push(("device", company.new_kiosk().1));
    let (mut allowed, mut forbidden) = (0, 0);
    for (operation, permission) in guarded() {
        let may = matrix.get(&permission).unwrap_or_else(|| panic!("{permission} is not in docs/permissions.md"));
        let may = |role: &str| may.contains(role) || role == "custom" && SET.contains(&permission.as_str());
        let untouched = example(&company, &operation);
        let before = company.mark();
        for (role, credential) in people.iter().filter(|(role, _)| !may(role)) {
            is_forbidden(&company.client.send(&credential.on(untouched.call())), role, &operation);
            forbidden += 1;
        }
        // Refused access is itself in the ledger; nothing else is.
        let written = company.event_after(before).filter(|event| event["kind"] != "access.denied");
        assert_eq!(written, None, "{}", operation.name);
        for (role, credential) in people.iter().filter(|(role, _)| may(role)) {
            let fresh = if operation.method == "GET" { untouched.clone() } else { example(&company, &operation) };
            let answer = company.client.send(&credential.on(fresh.call()));
            let rule =
                RULES.iter().find(|(roles, names, _)| roles.contains(role) && names.contains(&operation.name.as_str()));
            match rule {
                Some((_, _, code)) => assert_eq!(answer.code(), *code, "{role} {}: {}", operation.name, answer.text()),
                None => assert!(answer.status < 300, "{role} {}: {} {}", operation.name, answer.status, answer.text()),
            }
            allowed += 1;
        }
    }
    assert!(allowed > 150 && forbidden > 150, "{allowed} {forbidden}");
    report!("guard roles={} allowed={allowed} forbidden={forbidden} wrong=0", people.len());
}

#[test]
fn a_token_may_only_what_its_scopes_say() {
    let (_deployment, _server, company) = company("scopes");
    let all = keiin_domain::catalog::scopes();
    let mut without: BTreeMap<String, Credential> = BTreeMap::new();
    let (mut forbidden, mut never) = (0, 0);
    for (operation, permission) in guarded() {
        let permission = keiin_domain::role::Permission(permission.leak());
        let needed = permission.scope();
        let tried = example(&company, &operation);
        if !keiin_domain::role::Role::Owner.permits(permission) {
            continue;
        }
        if !all.contains(&needed) {
            // No token may this, whatever its scopes are.
            is_forbidden(&company.send(tried.call()), "a token with every scope", &operation);
            never += 1;
            continue;
        }
        let token = without.entry(needed.clone()).or_insert_with(|| {
            let others: Vec<String> = all.iter().filter(|scope| **scope != needed).cloned().collect();
            company.issue_token(&others).1
        });
        is_forbidden(&company.client.send(&token.on(tried.call())), &format!("a token without {needed}"), &operation);
        assert!(company.send(tried.call()).status < 300, "{}", operation.name);
        forbidden += 1;
    }
    assert!(forbidden > 40 && never > 0, "{forbidden} {never}");
    report!("guard scopes={} forbidden={forbidden} never_by_token={never}", without.len());
}

/// As if the logins of a member had been used last, and begun, this long ago.
fn age(vault: &Vault, ledger: Uuid, member: Uuid, unused_us: i64, since_us: i64) {
    let entries = vault.list(SESSION, ledger, Some(member)).expect("the vault answers");
    let aged = entries.into_iter().map(|entry| {
        let mut session = Session::of(&entry).expect("a login");
        session.seen_us -= unused_us;
        let (value, expires_us) =
            (serde_json::to_vec(&session).expect("JSON"), entry.expires_us.map(|at| at - since_us));
        Entry { value, expires_us, ..entry }
    });
    let aged: Vec<Entry> = aged.collect();
    assert_eq!(aged.len(), 1);
    vault.put(&aged).expect("the vault takes them");
}

/// Operations that only a person can do, though a scope names them: what refuses a program that acts for itself.
const NOT_FOR_PROGRAMS: &[(&[&str], &str)] = &[
    (&["get_session", "get_device", "get_authorization", "get_token", "end_secretary"], "request.not_found"),
    (&["assign_secretary"], "secretary.not_a_member"),
];

#[test]
fn ml_08_a_program_may_only_what_its_scopes_say() {
    let (_deployment, _server, company) = company("programs");
    let all: Vec<String> = keiin_domain::catalog::scopes().into_iter().collect();
    let application = company.new_application(&all);
    // For itself, and for the owner, who may everything.
    let own = |scopes: &[String]| application.own_token(&scopes.join(" "));
    let for_owner = |scopes: &[String]| bearer(&application.connect(&company.login, &scopes.join(" ")));
    let whole = [own(&all), for_owner(&all)];
    let mut without: BTreeMap<String, [Credential; 2]> = BTreeMap::new();
    let (mut allowed, mut forbidden, mut never) = (0, 0, 0);
    for (operation, permission) in guarded() {
        let needed = keiin_domain::role::Permission(permission.leak()).scope();
        let tried = example(&company, &operation);
        if !all.contains(&needed) {
            for token in &whole {
                is_forbidden(&company.client.send(&token.on(tried.call())), "a program with every scope", &operation);
                never += 1;
            }
            continue;
        }
        let tokens = without.entry(needed.clone()).or_insert_with(|| {
            let others: Vec<String> = all.iter().filter(|scope| **scope != needed).cloned().collect();
            [own(&others), for_owner(&others)]
        });
        for token in tokens {
            let who = format!("a program without {needed}");
            is_forbidden(&company.client.send(&token.on(tried.call())), &who, &operation);
            forbidden += 1;
        }
        for (token, is_own) in whole.iter().zip([true, false]) {
            let fresh = if operation.method == "GET" { tried.clone() } else { example(&company, &operation) };
            let answer = company.client.send(&token.on(fresh.call()));
            let rule = NOT_FOR_PROGRAMS.iter().find(|(names, _)| is_own && names.contains(&operation.name.as_str()));
            match rule {
                Some((_, code)) => assert_eq!(answer.code(), *code, "{}: {}", operation.name, answer.text()),
                None => assert!(answer.status < 300, "{}: {} {}", operation.name, answer.status, answer.text()),
            }
            allowed += 1;
        }
    }
    assert!(allowed > 80 && forbidden > 80 && never > 0, "{allowed} {forbidden} {never}");
    report!("guard programs allowed={allowed} forbidden={forbidden} never={never} wrong=0");
}

#[test]
fn whoever_is_no_active_member_is_nobody() {
    let (deployment, server, company) = company("nobody");
    let (idle, idle_login) = company.new_member("admin");
    let (old, old_login) = company.new_member("admin");
    assert_eq!(server.stop(), 0);
    let ids = [&company.id, &idle, &old].map(|id| Uuid::parse_str(id).expect("an id"));
    let (longest, unused) = (keiin::session::ABSOLUTE_US, keiin::session::IDLE_US);
    age(&vault_at_rest(&deployment.data()), ids[0], ids[1], unused, 0);
    age(&vault_at_rest(&deployment.data()), ids[0], ids[2], 0, longest);
    let server = deployment.serve();
    let company = company.at(&server);
    let mut nobodies = vec![("an idle login", idle_login), ("an old login", old_login)];
    for (who, login) in &nobodies {
        assert_eq!(company.client.send(&login.on(Call::new("GET", "/v1/me"))).status, 401, "{who}");
    }
    let scopes = json!(keiin_domain::catalog::scopes());
    let application = company.new_application(&[]);
    for (verb, body) in [("suspend", json!({ "reason": "For now" })), ("remove", json!({}))] {
        let (id, login) = company.new_member("admin");
        let issue = Call::new("POST", "/v1/tokens").json(&json!({ "name": "Theirs", "scopes": scopes }));
        let token = company.client.send(&login.on(issue)).expect(201).json();
        let path = format!("/v1/members/{id}");
        company.client.send(&login.on(Call::new("GET", &path))).expect(200);
        let connected = bearer(&application.connect(&login, "me:read members:read"));
        company.client.send(&connected.on(Call::new("GET", &path))).expect(200);
        company.ok(Call::new("POST", &format!("{path}/{verb}")).if_match(&company.etag(&path)).json(&body));
        let token = Credential::Bearer(token["secret"].as_str().expect("a secret").to_owned());
        nobodies.extend([(verb, login), (verb, token), (verb, connected)]);
    }
    let (id, revoked) = company.issue_token(&["me:read".to_owned()]);
    let path = format!("/v1/tokens/{id}");
    company.ok_logged_in(Call::new("POST", &format!("{path}/revoke")).if_match(&company.etag(&path)));
    let application = company.new_application(&[]);
    let revoked_program = application.own_token("me:read");
    let path = format!("/v1/applications/{}", application.id);
    company.ok_logged_in(Call::new("POST", &format!("{path}/revoke_tokens")).if_match(&company.etag(&path)));
    let secret = Credential::Bearer(application.secret.clone());
    nobodies.extend([("a program's revoked token", revoked_program), ("a program's secret", secret)]);
    let (id, kiosk) = company.new_kiosk();
    let path = format!("/v1/kiosks/{id}");
    company.ok(Call::new("POST", &format!("{path}/revoke")).if_match(&company.etag(&path)));
    nobodies.extend([("a revoked token", revoked), ("a revoked kiosk", kiosk)]);
    // Secrets of paths are no logins.
    let (_, invitation) = company.invite("admin");
    let (_, link) = company.new_delivery();
    let (_, pass) = company.new_visit();
    for (who, secret) in [("invited", invitation.clone()), ("a link holder", link.clone()), ("a visitor", pass)] {
        nobodies.push((who, Credential::Bearer(secret.clone())));
        nobodies.push((who, Credential::Cookie(format!("keiin={secret}"))));
    }
    let mut tried = 0;
    for (operation, _) in guarded() {
        let example = example(&company, &operation);
        let before = company.mark();
        for (who, credential) in &nobodies {
            is_unknown(&company.client.send(&credential.on(example.call())), who, &operation);
            tried += 1;
        }
        assert_eq!(company.event_after(before), None, "{}", operation.name);
    }
    // A link opens a document and no company, an invitation the company and no document.
    let body = json!({ "name": "Somebody", "password": "correct horse battery staple" });
    company.client.post(&format!("/v1/invitations/{link}/accept"), &body).expect(404);
    company.client.post(&format!("/v1/links/{invitation}/open"), &json!({})).expect(404);
    company.client.post(&format!("/v1/invitations/{invitation}/accept"), &body).expect(200);
    report!("guard nobodies={} tried={tried} let_in=0", nobodies.len());
}

/// ML-24, MN-05, FM-10, EL-42: an operator, at every operation there is, in a company that granted nothing. Looks are refused
/// and the company sees that somebody tried; commands are not there at all, also under a grant for everything a grant can
/// open; and the operators' port serves none of the customers' operations, whoever asks.
#[test]
fn an_operator_without_a_grant_gets_nothing_from_any_operation() {
    let plane = Plane::new();
    let company = Company::sign_up(&plane.server, "ungranted");
    let lenient = Company::sign_up(&plane.server, "granted");
    plane.opened(&lenient, &json!({ "classes": ["internal", "personal"] }));
    let suzuki = plane.operator("suzuki");
    let asked = plane.approved(&company, &json!({}));
    let document: Value = serde_json::from_str(&keiin::openapi::DOCUMENT).expect("the document is JSON");
    let (mut looks, mut commands) = (0, 0);
    // Giving one's own grant back is the one thing that an operator does in a company, and the operators' stories show it.
    for operation in all_operations(&document).into_iter().filter(|operation| operation.name != "end_grant") {
        let call_in = |company: &Company| match operation.name.as_str() {
            "get_grant" | "open_grant" => {
                let path = operation.path.replace("{id}", &asked);
                let call = Call::new(&operation.method, &path);
                if operation.method == "GET" { call } else { call.json(&json!({})) }
            }
            _ => example(company, &operation).call(),
        };
        let call = call_in(&company);
        let before = company.mark();
        // On the operators' port under the company's name.
        let named = |call: &Call, company: &Company| {
            let rest = call.path().strip_prefix("/v1/").unwrap_or(call.path().trim_start_matches('/')).to_owned();
            call.clone().to(format!("/operator/v1/companies/{}/{rest}", company.slug))
        };
        let answer = suzuki.send(&named(&call, &company));
        let refused = matches!((answer.status, answer.code().as_str()), (403, "access.grant" | "access.forbidden"))
            || matches!(answer.status, 404 | 405 | 415);
        assert!(refused, "{}: {} {}", operation.name, answer.status, answer.text());
        assert!(!answer.text().contains(&format!("of {}", company.slug)), "{}", operation.name);
        // The operation itself, with the certificate and the company's own login at once.
        let itself = suzuki.send(&company.login.on(call));
        assert_eq!(itself.status, 404, "{}: {}", operation.name, itself.text());
        let written = company.event_after(before).filter(|event| event["kind"] != "access.denied");
        assert_eq!(written, None, "{}", operation.name);
        if operation.method == "GET" {
            looks += 1;
            continue;
        }
        if operation.name != "open_grant" {
            let call = call_in(&lenient);
            let before = lenient.mark();
            let answer = suzuki.send(&named(&call, &lenient));
            assert!(matches!(answer.status, 404 | 405 | 415), "{}: {}", operation.name, answer.text());
            assert_eq!(lenient.event_after(before), None, "{}", operation.name);
        }
        commands += 1;
    }
    let denied = company.get("/v1/events?kind=access.denied&limit=200");
    assert!(denied["items"].as_array().is_some_and(|tried| !tried.is_empty()), "{denied}");
    assert!(looks > 25 && commands > 45, "{looks} {commands}");
    report!("guard vendor looks={looks} commands={commands} let_in=0");
}
