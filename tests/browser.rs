//! A real browser: Debian's Chromium without a window, driven through chromedriver on a free loopback port.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::lines_of;
use crate::{root, tool};

/// Longest wait for something to appear on a page.
const PATIENCE: Duration = Duration::from_secs(20);

/// One browser with a fresh profile. Dropping it ends it.
pub struct Browser {
    runtime: tokio::runtime::Runtime,
    client: Option<Client>,
    driver: Child,
    driver_url: String,
    _profile: TempDir,
}

impl Browser {
    /// Opens a browser whose user prefers `language` (`ja` or `en`), 1280 × 900 pixels.
    pub fn open(language: &str) -> Browser {
        Browser::open_with(language, &[])
    }

    /// The same with a camera that shows this film, and nobody who asks whether the page may see it.
    pub fn filming(language: &str, film: &Path) -> Browser {
        let film = format!("--use-file-for-fake-video-capture={}", film.display());
        let fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
        Browser::open_with(language, &[&fake[..], &[&film]].concat())
    }

    fn open_with(language: &str, more: &[&str]) -> Browser {
        let chromium =
            std::env::var_os("KEIIN_TEST_CHROMIUM").map_or_else(|| tool("chromium", "chromium"), PathBuf::from);
        // It takes a free port twice, for IPv4 and IPv6, and ends when somebody was faster with the second.
        let (driver, port) = (0..5).find_map(|_| start_driver()).expect("chromedriver prints its port");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let driver_url = format!("http://127.0.0.1:{port}");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let mut browser = Browser { runtime, client: None, driver, driver_url, _profile: profile };
        let capabilities = capabilities(&chromium, browser._profile.path(), language, more);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let client = browser.runtime.block_on(builder.connect(&browser.driver_url)).expect("Chromium starts");
        browser.client = Some(client);
        browser
    }

    /// Runs anything of fantoccini's client.
    #[track_caller]
    pub fn run<T, F>(&self, what: impl FnOnce(Client) -> F) -> T
    where
        F: Future<Output = Result<T, fantoccini::error::CmdError>>,
    {
        let client = self.client.clone().expect("open until dropped");
        self.runtime.block_on(what(client)).unwrap_or_else(|e| panic!("the browser says: {e}"))
    }

    /// Opens a page and waits until it is loaded.
    pub fn goto(&self, url: &str) {
        self.run(async |c| c.goto(url).await);
    }

    /// Logs in with the password of the stories, and goes on to this page of the console.
    #[track_caller]
    pub fn log_in(&self, server: &str, email: &str, page: &str) {
        self.goto(&format!("{server}/login?next={page}"));
        self.fill("[name=email]", email);
        self.fill("[name=password]", crate::company::PASSWORD);
        self.click("main button[type=submit]");
        self.wait_for("form[action='/logout']");
    }

    /// Where the browser is now.
    pub fn url(&self) -> String {
        self.run(async |c| c.current_url().await).to_string()
    }

    /// Waits until an element is there.
    #[track_caller]
    pub fn wait_for(&self, css: &str) {
        self.wait_until(css, |browser| browser.count(css) > 0);
    }

    /// Waits until the element's visible text contains `text`.
    #[track_caller]
    pub fn wait_for_text(&self, css: &str, text: &str) {
        self.wait_until(&format!("{css} with {text:?}"), |browser| browser.texts(css).iter().any(|t| t.contains(text)));
    }

    #[track_caller]
    fn wait_until(&self, what: &str, holds: impl Fn(&Browser) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            if Instant::now() > deadline {
                let shot = self.screenshot("failed");
                panic!("{}: no {what} after {PATIENCE:?}; picture: {}", self.url(), shot.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many elements match.
    pub fn count(&self, css: &str) -> usize {
        let count = self.eval_with("return document.querySelectorAll(arguments[0]).length", vec![json!(css)]);
        count.as_u64().expect("a number") as usize
    }

    /// Visible texts of all elements that match.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let script = "return Array.from(document.querySelectorAll(arguments[0]), e => e.innerText)";
        let texts = self.eval_with(script, vec![json!(css)]);
        texts.as_array().expect("a list").iter().map(|t| t.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Visible text of the first element that matches, once it is there.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        self.wait_for(css);
        self.texts(css).swap_remove(0)
    }

    /// Clicks the first element that matches, once it is there.
    #[track_caller]
    pub fn click(&self, css: &str) {
        self.wait_for(css);
        self.run(async |c| c.find(Locator::Css(css)).await?.click().await);
    }

    /// Replaces what a field holds by typing.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        self.wait_for(css);
        self.run(async |c| {
            let field = c.find(Locator::Css(css)).await?;
            field.clear().await?;
            field.send_keys(text).await
        });
    }

    /// Chooses an option of a `<select>` by its value.
    #[track_caller]
    pub fn select(&self, css: &str, value: &str) {
        self.wait_for(css);
        self.run(async |c| c.find(Locator::Css(css)).await?.select_by_value(value).await);
    }

    /// Runs a script in the page; `return …` gives the value.
    pub fn eval(&self, script: &str) -> Value {
        self.eval_with(script, Vec::new())
    }

    /// Runs a script in the page with `arguments[0]`, …
    pub fn eval_with(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.run(async |c| c.execute(script, arguments).await)
    }

    /// Sets the size of what pages are drawn into, in CSS pixels. Chromium's windows cannot be as narrow as a telephone;
    /// its emulation can.
    pub fn resize(&self, width: u32, height: u32) {
        let session = self.run(async |c| c.session_id().await).expect("a session");
        let params = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let call = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": params });
        crate::Client::new(&self.driver_url).post(&format!("/session/{session}/goog/cdp/execute"), &call).expect(200);
    }

    /// Gives the browser an authenticator of its own, as a laptop has it: it knows its owner, or not (`verifies`).
    pub fn add_authenticator(&self, verifies: bool) -> String {
        let about = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": verifies,
        });
        let answer = self.webdriver("webauthn/authenticator", &about);
        answer["value"].as_str().expect("an id").to_owned()
    }

    /// From now on the authenticator knows its owner, or not.
    pub fn set_verified(&self, authenticator: &str, verifies: bool) {
        self.webdriver(&format!("webauthn/authenticator/{authenticator}/uv"), &json!({ "isUserVerified": verifies }));
    }

    fn webdriver(&self, path: &str, body: &Value) -> Value {
        let session = self.run(async |c| c.session_id().await).expect("a session");
        crate::Client::new(&self.driver_url).post(&format!("/session/{session}/{path}"), body).expect(200).json()
    }

    /// Writes what the window shows to `NAME.png` in `KEIIN_TEST_SHOTS` (else `target/shots`).
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let folder = std::env::var_os("KEIIN_TEST_SHOTS").map_or_else(|| root().join("target/shots"), PathBuf::from);
        std::fs::create_dir_all(&folder).expect("the folder for pictures can be made");
        let file = folder.join(format!("{name}.png"));
        // Chromium refuses one while a page replaces another: "aborted by navigation".
        let mut refused = 0;
        let picture = loop {
            match self.run(async |c| Ok(c.screenshot().await)) {
                Ok(picture) => break picture,
                Err(error) if refused == 20 => panic!("the browser says: {error}"),
                Err(_) => refused += 1,
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        std::fs::write(&file, picture).expect("the picture can be written");
        file
    }

    /// What the page logged since the last call, errors and refused inline code included: `LEVEL text`.
    pub fn console(&self) -> Vec<String> {
        let session = self.run(async |c| c.session_id().await).expect("a session");
        let path = format!("/session/{session}/se/log");
        let answer = crate::Client::new(&self.driver_url).post(&path, &json!({"type": "browser"})).expect(200).json();
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let entries = answer["value"].as_array().expect("a list");
        entries.iter().map(|e| format!("{} {}", text(e, "level"), text(e, "message"))).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // Ends Chromium; if that fails, the group's end below does it.
            let _ = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, client.close()).await });
        }
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.driver.wait();
    }
}

/// chromedriver on a port that it chooses; none if it ended at once.
fn start_driver() -> Option<(Child, u16)> {
    let mut driver = Command::new(tool("chromedriver", "chromium-driver"))
        .arg("--port=0")
        .process_group(0) // so that the browser's processes end with it
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver starts");
    let printed = lines_of(driver.stdout.take().expect("piped"));
    while let Ok(line) = printed.recv_timeout(PATIENCE) {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Some((driver, port.trim_end_matches('.').parse().expect("a port")));
        }
    }
    let _ = driver.kill(); // it may have ended already
    let _ = driver.wait();
    None
}

fn capabilities(chromium: &Path, profile: &Path, language: &str, more: &[&str]) -> Capabilities {
    let own = [format!("--user-data-dir={}", profile.display()), format!("--lang={language}")];
    let fixed = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
        "--force-device-scale-factor=1",
    ];
    let args: Vec<&str> = fixed.into_iter().chain(own.iter().map(String::as_str)).chain(more.iter().copied()).collect();
    let options = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "binary": chromium,
            "prefs": { "intl.accept_languages": language },
            "args": args,
        },
    });
    options.as_object().expect("an object").clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_drawn_typed_into_and_pictured() {
        let browser = Browser::open("ja");
        browser.goto(
            "data:text/html,<meta charset=utf-8><title>t</title><input id=a><select id=s><option value=1>x<option value=2>y</select>\
             <button id=b>押す</button><p id=p></p>\
             <script>b.onclick=()=>{p.innerText=a.value+s.value+navigator.language;console.error('seen')}</script>",
        );
        browser.fill("#a", "山田");
        browser.select("#s", "2");
        browser.click("#b");
        browser.wait_for_text("#p", "山田2ja");
        assert_eq!(browser.text("#b"), "押す");
        assert_eq!(browser.count("p"), 1);
        assert!(browser.console().iter().any(|line| line.starts_with("SEVERE") && line.contains("seen")));
        let picture = std::fs::read(browser.screenshot("harness")).unwrap();
        assert!(picture.starts_with(b"\x89PNG"));
    }

    #[test]
    fn nothing_is_left_running() {
        let browser = Browser::open("en");
        let profile = browser._profile.path().to_str().unwrap().to_owned();
        assert!(processes_with(&profile) > 0, "the question finds a running browser");
        drop(browser);
        let deadline = Instant::now() + PATIENCE;
        while processes_with(&profile) > 0 {
            assert!(Instant::now() < deadline, "Chromium still runs");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn processes_with(text: &str) -> usize {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes.filter(|p| std::fs::read_to_string(p.path().join("cmdline")).is_ok_and(|c| c.contains(text))).count()
    }
}
