//! New devices (FM-25): the first login by a browser is told of by mail, with time, address and browser; "this was not me"
//! ends it; the second login by the same browser is told nobody.

use keiin_tests::company::{PASSWORD, cookie, text};
use keiin_tests::{Answer, Call, Company, Credential, Deployment, Server};
use serde_json::{Value, json};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

fn company(slug: &str) -> (Deployment, Server, Company) {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, slug);
    (deployment, server, company)
}

/// A login by a browser that brings this cookie along.
fn log_in(company: &Company, email: &str, device: Option<&str>) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD, "company": company.slug });
    let call = Call::new("POST", "/v1/sessions").json(&body).header("User-Agent", BROWSER);
    let call = device.map_or(call.clone(), |device| call.header("Cookie", device));
    company.client.send(&call).expect(201)
}

/// The cookie that a browser keeps for its next login.
fn device(answer: &Answer) -> String {
    let set = answer.headers_of("set-cookie");
    let set = set.iter().find(|set| set.starts_with("keiin-device=")).expect("a cookie for the device");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"] {
        assert!(set.contains(attribute), "{set}");
    }
    set.split(';').next().expect("a value").to_owned()
}

fn member(company: &Company) -> (String, String, Credential) {
    let (id, login) = company.new_member("member");
    let email = text(&company.get(&format!("/v1/members/{id}")), "email");
    (id, email, login)
}

fn as_login(company: &Company, login: &Credential, call: Call) -> Answer {
    company.client.send(&login.on(call))
}

fn devices(company: &Company, login: &Credential) -> Vec<Value> {
    let answer = as_login(company, login, Call::new("GET", "/v1/devices")).expect(200).json();
    answer["items"].as_array().expect("a list").clone()
}

fn mails_to(company: &Company, email: &str) -> Vec<Value> {
    company.mark();
    let mails = company.get("/v1/mails?template=new_device&limit=200");
    let items = mails["items"].as_array().expect("a list").iter();
    items.filter(|mail| mail["to"]["email"] == email).cloned().collect()
}

fn events(company: &Company, kind: &str) -> usize {
    company.get(&format!("/v1/events?kind={kind}&limit=200"))["items"].as_array().expect("a list").len()
}

#[test]
fn fm_25_the_first_login_by_a_browser_is_told_of_by_mail_and_the_second_is_not() {
    let (_deployment, _server, company) = company("browsers");
    let (_, email, _) = member(&company);
    let before = mails_to(&company, &email).len();
    let first = log_in(&company, &email, None);
    let browser = device(&first);
    let mails = mails_to(&company, &email);
    assert_eq!(mails.len(), before + 1);
    let body = text(&mails[0], "body");
    for part in [BROWSER, "127.0.0.1", "JST", "browsers KK"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    // The link is for the member's eyes alone.
    assert!(mails[0].get("link").is_none() && !body.contains("keiin_nme"), "{body}");

    let second = log_in(&company, &email, Some(&browser));
    assert_eq!(device(&second), browser, "one browser, one cookie");
    assert_eq!(mails_to(&company, &email).len(), before + 1);
    assert_eq!(events(&company, "device.used"), 1);
    // A cookie that somebody made up is another browser's; what is no secret of ours is replaced.
    let forged = "keiin-device=keiin_dev_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    log_in(&company, &email, Some(forged));
    assert_ne!(device(&log_in(&company, &email, Some("keiin-device=x"))), "keiin-device=x");
    assert_eq!(mails_to(&company, &email).len(), before + 3);
    // The browser is another one to everybody else.
    let (_, other, _) = member(&company);
    let before = mails_to(&company, &other).len();
    log_in(&company, &other, Some(&browser));
    assert_eq!(mails_to(&company, &other).len(), before + 1);
}

#[test]
fn a_forgotten_device_is_new_again_and_nobody_elses_business() {
    let (_deployment, _server, company) = company("forgets");
    let (_, email, _) = member(&company);
    let first = log_in(&company, &email, None);
    let (browser, login) = (device(&first), cookie(&first));
    company.mark();
    let newest = devices(&company, &login).remove(0);
    assert_eq!((text(&newest, "user_agent"), text(&newest, "ip")), (BROWSER.to_owned(), "127.0.0.1".to_owned()));
    let path = format!("/v1/devices/{}", text(&newest, "id"));
    let forget = |login: &Credential| {
        let call = Call::new("POST", &format!("{path}/forget")).if_match(&company.etag(&path));
        as_login(&company, login, call)
    };
    let (_, _, stranger) = member(&company);
    assert_eq!(forget(&stranger).expect(404).code(), "request.not_found");
    forget(&login).expect(200);
    assert!(devices(&company, &login).iter().all(|device| device["id"] != newest["id"]));
    // The login goes on; the next one by this browser is told of.
    as_login(&company, &login, Call::new("GET", "/v1/me")).expect(200);
    let before = mails_to(&company, &email).len();
    log_in(&company, &email, Some(&browser));
    assert_eq!(mails_to(&company, &email).len(), before + 1);
}

#[test]
fn fm_25_this_was_not_me_ends_the_login_and_forces_a_new_password_once() {
    let (_deployment, _server, company) = company("notme");
    let (id, email, mine) = member(&company);
    let theirs = log_in(&company, &email, None);
    let (browser, login) = (device(&theirs), cookie(&theirs));
    let secret = company.alert_secret(&id, &login);
    let me = |login: &Credential| as_login(&company, login, Call::new("GET", "/v1/me")).status;

    // Mail scanners open links: nothing happens by that.
    let page = company.client.get(&format!("/alert/{secret}")).expect(200).text();
    assert!(page.contains("X11; Linux x86_64") && page.contains("127.0.0.1"), "{page}");
    assert_eq!((me(&login), me(&mine)), (200, 200));
    let disown = |secret: &str| company.client.post(&format!("/v1/login_alerts/{secret}/disown"), &json!({}));
    disown("keiin_nme_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").expect(404);
    disown(&secret.replace("_nme_", "_lnk_")).expect(404);

    let client = &company.client;
    let path = format!("/v1/login_alerts/{secret}/disown");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| client.post(&path, &json!({})).status));
        both.map(|sent| sent.join().expect("an answer")).to_vec()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!((me(&login), me(&mine)), (401, 401));
    assert_eq!(disown(&secret).expect(410).code(), "device.alert_gone");
    assert_eq!(company.client.get(&format!("/alert/{secret}")).status, 410);
    // The password that somebody else knows is worth nothing, and the member is mailed the way to a new one.
    let body = json!({ "email": email, "password": PASSWORD, "company": company.slug });
    company.client.post("/v1/sessions", &body).expect(401);
    company.mark();
    for kind in ["device.disowned", "session.ended", "member.password_reset_required"] {
        assert!(events(&company, kind) >= 1, "{kind}");
    }
    let new = "eleven quiet otters under a lamp";
    let reset = company.reset_secret(&id);
    company.client.post(&format!("/v1/password_resets/{reset}/accept"), &json!({ "password": new })).expect(200);
    let before = mails_to(&company, &email).len();
    let body = json!({ "email": email, "password": new, "company": company.slug });
    company.client.send(&Call::new("POST", "/v1/sessions").json(&body).header("Cookie", &browser)).expect(201);
    assert_eq!(mails_to(&company, &email).len(), before + 1, "their browser is a new one");
}
