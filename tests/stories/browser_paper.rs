//! Somebody who holds a paper checks it in their own browser.

use keiin_tests::company::text;
use keiin_tests::{Browser, Call, Company, Deployment};

#[test]
fn a_stranger_checks_a_file_that_never_leaves_the_browser() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let company = Company::sign_up(&server, "genuine");
    let id = company.new_document();
    company.printed(&id);
    let file = company.send(Call::new("GET", &format!("/v1/documents/{id}/pdf"))).expect(200).body;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let genuine = folder.path().join("invoice.pdf");
    std::fs::write(&genuine, &file).expect("written");
    let forged = folder.path().join("forged.pdf");
    let mut bytes = file.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&forged, &bytes).expect("written");

    let secret = keiin_tests::mailbox::vault_secret(&deployment.data(), "chk", &company.id, &id);
    for (language, number) in [("ja", 1), ("en", 2)] {
        let browser = Browser::open(language);
        browser.goto(&format!("{}/check/{secret}", server.url));
        browser.wait_for_text("h1", &text(&company.get("/v1/tenant"), "name"));
        browser.fill("input[type=file]", forged.to_str().expect("text"));
        browser.wait_for("[data-outcome=unknown]:not([hidden])");
        browser.screenshot(&format!("paper-unknown-{language}"));
        // That nothing was found, the browser notes for itself.
        browser.console();
        browser.goto(&format!("{}/check", server.url));
        browser.fill("input[type=file]", genuine.to_str().expect("text"));
        browser.wait_for("[data-outcome=genuine]:not([hidden])");
        assert_eq!(browser.count("[data-check][data-state=verified]"), 3, "language {number}");
        assert_eq!(browser.text("[data-fill=number]"), "INV-2026-0001");
        browser.resize(390, 844);
        browser.screenshot(&format!("paper-genuine-{language}"));
        assert_eq!(browser.console(), Vec::<String>::new());
    }
}
