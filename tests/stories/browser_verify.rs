//! A reader checks a record in their own browser; a server, or somebody between, that changes one byte of what the check
//! is made from is found out.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keiin_tests::{Browser, Demo, Seeded, Server, report};
use sha2::{Digest, Sha256};

/// Where in an answer's body a byte may be changed.
type Field = fn(&str) -> Range<usize>;

/// One byte of one answer, to be changed on its way to the browser.
#[derive(Clone)]
struct Change {
    path: String,
    field: Field,
    at: usize,
}

/// Stands between browser and server: forwards one request per connection, and changes one byte where it was told to.
struct Proxy {
    url: String,
    change: Arc<Mutex<Option<Change>>>,
    changed: Arc<AtomicUsize>,
}

impl Proxy {
    /// In front of the server at `http://ADDRESS`.
    fn before(url: &str) -> Proxy {
        let upstream = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let proxy = Proxy { url, change: Arc::default(), changed: Arc::default() };
        let (change, changed) = (Arc::clone(&proxy.change), Arc::clone(&proxy.changed));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, change) = (upstream.clone(), Arc::clone(&change));
                let changed = Arc::clone(&changed);
                // A browser that hangs up early is no failure of ours.
                std::thread::spawn(move || {
                    let _ = forward(stream, &upstream, &change, &changed);
                });
            }
        });
        proxy
    }
}

/// One request and its answer. Only GET comes this way; a body would be left unread.
fn forward(
    mut browser: TcpStream,
    upstream: &str,
    change: &Mutex<Option<Change>>,
    changed: &AtomicUsize,
) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if browser.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let dropped = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("connection:") && !line.starts_with("accept-encoding:")
    };
    let kept: Vec<&str> = head.trim_end().split("\r\n").filter(dropped).collect();
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(format!("{}\r\nConnection: close\r\n\r\n", kept.join("\r\n")).as_bytes())?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let path = head.split(' ').nth(1).unwrap_or_default();
    let change = change.lock().expect("no holder panics").clone().filter(|change| change.path == path);
    if let Some(change) = change {
        let body = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
        let field = (change.field)(std::str::from_utf8(&answer[body..]).expect("the body is text"));
        assert!(!field.is_empty(), "{path} has the field that is to be changed");
        answer[body + field.start + change.at % field.len()] ^= 1;
        changed.fetch_add(1, Ordering::SeqCst);
    }
    browser.write_all(&answer)
}

/// The text between the quotes of a JSON field.
fn json_field(body: &str, name: &str) -> Range<usize> {
    let mark = format!("\"{name}\":\"");
    let start = body.find(&mark).map_or(0, |at| at + mark.len());
    start..body[start..].find('"').map_or(start, |end| start + end)
}

/// Presses the button; what the page then says.
fn verdict(browser: &Browser) -> String {
    browser.click("[data-verify-run]");
    browser.wait_for("[data-verify-verdict][data-verdict]:not([hidden]), [data-verify-error]:not([hidden])");
    let said = browser.eval("return document.querySelector('[data-verify-verdict]').dataset.verdict ?? 'no verdict'");
    said.as_str().expect("text").to_owned()
}

fn key_came_from(browser: &Browser) -> String {
    let script = "const shown = document.querySelectorAll('[data-key-source]:not([hidden]) [data-for]:not([hidden])');\
                  return Array.from(shown, e => e.dataset.for + ': ' + e.innerText).join()";
    browser.eval(script).as_str().expect("text").to_owned()
}

/// The key that belongs to nobody here, under the log's name: well formed, with its right id.
fn foreign_key(vkey: &str) -> String {
    let name = vkey.split('+').next().expect("a name");
    let key: Vec<u8> = [vec![1], vec![0x58], vec![0x66; 31]].concat(); // Ed25519's base point is a valid key
    let id = Sha256::new().chain_update(format!("{name}\n")).chain_update(&key).finalize();
    format!("{name}+{}+{}", hex::encode(&id[..4]), STANDARD.encode(&key))
}

#[test]
fn a_reader_checks_a_record_and_one_changed_byte_shows() {
    let demo = Demo::copy();
    let server = Server::start(&demo.data(), &["demo"]);
    let proxy = Proxy::before(&server.url);
    let printed = |field: &str| server.printed[field].as_str().expect("demo prints it").to_owned();
    let browser = Browser::open("en");
    browser.goto(&printed("login_link").replace(&server.url, &proxy.url));
    browser.click(".ledger");
    browser.wait_for("#events");
    browser.select("[name=kind]", "document.issued");
    browser.wait_for(".chip-on");
    browser.click("#events td.main a");
    browser.wait_for("[data-position]");
    let position = browser.eval("return Number(document.querySelector('[data-position]').dataset.position)");
    let position = position.as_u64().expect("a position");

    // With the key that the server hands out, and then with the one that the reader has from elsewhere.
    assert_eq!(verdict(&browser), "verified");
    let source = key_came_from(&browser);
    assert!(source.starts_with("server: ") && source.contains("came from this server"), "{source}");
    let states = "return Array.from(document.querySelectorAll('[data-checks] li'), e => e.dataset.state).join(' ')";
    assert_eq!(browser.eval(states), "verified verified verified verified unwitnessed");
    browser.fill("[name=vkey]", &printed("vkey"));
    assert_eq!(verdict(&browser), "verified");
    let source = key_came_from(&browser);
    assert!(source.starts_with("reader: ") && source.contains("you pasted"), "{source}");
    browser.screenshot("verified");
    browser.fill("[name=vkey]", &foreign_key(&printed("vkey")));
    assert_eq!(verdict(&browser), "broken", "somebody else's key");
    browser.fill("[name=vkey]", "");
    assert_eq!(verdict(&browser), "verified", "the page does not stay broken");

    let record = format!("/v1/events/{position}");
    let answers: [(&str, String, Field); 5] = [
        ("leaf", record.clone(), |body| json_field(body, "leaf")),
        ("hash", record.clone(), |body| json_field(body, "hash")),
        ("leaf before", format!("/v1/events/{}", position - 1), |body| json_field(body, "leaf")),
        ("proof", format!("{record}/proof"), |body| 0..body.len()),
        ("key", "/v1/log/key".to_owned(), |body| json_field(body, "vkey")),
    ];
    let mut random = Seeded::from_env_or(0x5ea1);
    let (mut broken, mut kept) = (0, Vec::new());
    let rounds = if keiin_tests::long() { 60 } else { 6 };
    let total = answers.len() * rounds;
    for (what, path, field) in &answers {
        for _ in 0..rounds {
            let change = Change { path: path.clone(), field: *field, at: random.bits() as usize >> 1 };
            let at = change.at;
            *proxy.change.lock().expect("no holder panics") = Some(change);
            match verdict(&browser).as_str() {
                "broken" => broken += 1,
                other => kept.push(format!("{what}, byte {at} modulo its length: {other}")),
            }
        }
    }
    browser.screenshot("broken");
    // An answer that cannot be read at all is no verdict, and leaves none of before standing.
    let unreadable = Change { path: record, field: |_| 0..1, at: 0 };
    *proxy.change.lock().expect("no holder panics") = Some(unreadable);
    assert_eq!(verdict(&browser), "no verdict");
    assert_eq!(browser.count("[data-state=verified], [data-state=broken]"), 0);
    *proxy.change.lock().expect("no holder panics") = None;
    assert_eq!(verdict(&browser), "verified", "and without the changes it is what it was");
    let changed = proxy.changed.load(Ordering::SeqCst);
    report!("browser_verify answers={} bytes={total} broken={broken} changed={changed}", answers.len());
    assert!(kept.is_empty(), "one byte was changed and the page did not say so:\n{}", kept.join("\n"));
    assert_eq!((broken, changed), (total, total + 1));
    let complaints = browser.console();
    assert!(complaints.is_empty(), "{complaints:?}");
}
