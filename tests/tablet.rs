//! A browser that is the kiosk of a company's reception.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{Browser, Company, Credential, Server};

/// Longest wait for what the page does by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the browser a kiosk of the company; which.
pub fn pair(company: &Company, browser: &Browser, server: &Server) -> String {
    let (id, Credential::Bearer(secret)) = company.new_kiosk() else { panic!("a kiosk has a secret") };
    browser.goto(&format!("{}/kiosk/pair/{secret}", server.url));
    browser.wait_for("body[data-paired]");
    id
}

/// What the page has put down under this name.
pub fn number(browser: &Browser, name: &str) -> Option<f64> {
    browser.eval_with("return document.body.dataset[arguments[0]]", vec![json!(name)]).as_str()?.parse().ok()
}

/// Waits until the page has put this down.
pub fn wait_for_number(browser: &Browser, name: &str) -> f64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = number(browser, name) {
            return found;
        }
        assert!(Instant::now() < deadline, "no {name}: {}", browser.screenshot("no-number").display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the kiosk has sent all that it kept.
pub fn wait_until_sent(browser: &Browser) {
    let deadline = Instant::now() + PATIENCE;
    while number(browser, "waiting") != Some(0.0) {
        assert!(Instant::now() < deadline, "still waiting: {}", browser.screenshot("still-waiting").display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The page scrolls in no direction.
pub fn fits(browser: &Browser) -> bool {
    let script =
        "const d = document.documentElement; return d.scrollHeight <= innerHeight && d.scrollWidth <= innerWidth";
    browser.eval(script) == true
}

/// No complaint but those about refusals and about a server that was away on purpose.
pub fn is_content(browser: &Browser) {
    let complaints: Vec<String> = browser
        .console()
        .into_iter()
        .filter(|line| {
            !["the server responded with a status of 4", "ERR_CONNECTION_REFUSED", "Failed to fetch"]
                .iter()
                .any(|on_purpose| line.contains(on_purpose))
        })
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}
