//! Connecting a program by clicking: register it, consent to it, disconnect it, shut it out. Japanese on a wide screen, English
//! on a phone. The program is a page of its own on another port, which the browser is sent back to.

use std::io::{Read, Write};
use std::net::TcpListener;

use keiin_tests::company::PASSWORD;
use keiin_tests::oauth::{VERIFIER, challenge, form};
use keiin_tests::{Browser, Company, Deployment};

/// Answers every request with a page that says what was asked.
fn program() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/callback", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut buffer = [0; 8192];
            let read = stream.read(&mut buffer).unwrap_or(0);
            let asked = String::from_utf8_lossy(&buffer[..read]);
            let path = asked.split(' ').nth(1).unwrap_or_default().replace('<', "");
            let body = format!("<!doctype html><title>app</title><p id=got>{path}</p>");
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length:";
            let _ = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
        }
    });
    url
}

#[test]
fn a_program_is_registered_allowed_and_taken_away_by_clicking() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "connect");
    let owner = format!("owner@{}.example", company.slug);
    let redirect = program();
    for (lang, width, name, sees, denied) in [
        ("ja", 1280, "会計クラウド", "書類を見る", "access_denied"),
        ("en", 390, "Accounting cloud", "See documents", "access_denied"),
    ] {
        let browser = Browser::open(lang);
        browser.resize(width, 900);
        let at = |path: &str| format!("{}{path}", server.url);
        let shot = |name: &str| browser.screenshot(&format!("{lang}-{width}-oauth_{name}"));
        browser.goto(&at("/login"));
        browser.fill("[name=email]", &owner);
        browser.fill("[name=password]", PASSWORD);
        browser.click("main button[type=submit]");
        browser.wait_for(".figures");

        browser.goto(&at("/applications/new"));
        shot("new");
        browser.fill("[name=name]", name);
        browser.fill("[name='redirect_uris.0']", &redirect);
        for scope in ["documents:read", "me:read"] {
            // The bar at the bottom may lie over it.
            browser.eval(&format!("document.querySelector(\"input[value='{scope}']\").click()"));
        }
        shot("new_filled");
        browser.click("main form button[type=submit]");
        browser.wait_for("#flash-secret");
        shot("registered");
        let client_id = browser.text("#client-id");
        browser.goto(&at("/applications"));
        shot("list");

        // What the program sends the browser to. First no, then yes.
        let hash = challenge(VERIFIER);
        let question = form(&[
            ("response_type", "code"),
            ("client_id", &client_id),
            ("redirect_uri", &redirect),
            ("scope", "documents:read me:read"),
            ("state", "s"),
            ("code_challenge", &hash),
            ("code_challenge_method", "S256"),
        ]);
        let ask = at(&format!("/oauth/authorize?{question}"));
        browser.goto(&ask);
        browser.wait_for_text("main h1", name);
        browser.wait_for_text("main", sees);
        shot("consent");
        browser.click("button[value=deny]");
        browser.wait_for_text("#got", denied);
        // The language can be changed without losing the question, and back.
        browser.goto(&ask);
        browser.click(".public-head a.btn");
        browser.wait_for("button[value=allow]");
        browser.click(".public-head a.btn");
        browser.wait_for_text("main", sees);
        // By keyboard alone.
        browser.eval("document.querySelector('button[value=allow]').focus()");
        browser.run(async |c| c.active_element().await?.send_keys("\u{e007}").await);
        browser.wait_for_text("#got", "code=keiin_cod_");
        browser.wait_for_text("#got", "state=s");
        browser.wait_for_text("#got", "iss=http");

        browser.goto(&at("/account"));
        browser.wait_for("form[action*='/v1/authorizations/']");
        browser.eval("document.querySelector('#authorizations').scrollIntoView()");
        shot("account");
        browser.click("form[action*='/v1/authorizations/'] button");
        browser.wait_for(".toast");
        assert_eq!(browser.count("form[action*='/v1/authorizations/']"), 0);

        // Somewhere else: a page of ours that says why, and no redirect.
        browser.goto(&ask.replace("callback", "elsewhere"));
        shot("refused");
        assert!(browser.url().starts_with(&server.url), "{}", browser.url());

        browser.goto(&at("/applications"));
        browser.click(".plain-list a");
        browser.wait_for("#client-id");
        browser.click("details.fold summary");
        shot("change");
        browser.click("button[popovertarget=disable]");
        browser.click("#disable button[type=submit]");
        browser.wait_for(".toast");
        shot("disabled");
        browser.goto(&ask);
        assert_eq!(browser.count("button[value=allow]"), 0);
        let refused: Vec<String> =
            browser.console().into_iter().filter(|line| line.contains("Security Policy")).collect();
        assert_eq!(refused, Vec::<String>::new());
    }
}
