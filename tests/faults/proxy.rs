//! A network that loses, delays, doubles and reorders: proxies on loopback. [`Requests`] stands before the server and takes
//! each HTTP request by itself; [`Line`] stands before a database and knows nothing but bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// What becomes of one request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// So many bytes of the request arrive, then the connection breaks.
    CutRequest(usize),
    /// So many bytes of the answer come back, then the connection breaks.
    CutAnswer(u64),
    /// It arrives this much later, when its sender may have given up and asked again.
    Late(Duration),
    /// It arrives twice, the second time this much later.
    Twice(Duration),
    /// Nothing of it arrives, and the connection stays open for this long.
    Swallowed(Duration),
    /// It arrives; nothing of the answer comes back, and the connection stays open for this long.
    Unanswered(Duration),
}

impl Fate {
    /// Everything as it should be.
    pub const FINE: Fate = Fate::CutAnswer(u64::MAX);
}

/// A proxy before an HTTP server; each connection has one request.
pub struct Requests {
    /// Where it listens.
    pub url: String,
    /// Answers that were cut.
    pub cut: Arc<AtomicU64>,
}

impl Requests {
    /// To a server; `fate` is asked for each connection.
    pub fn to(server: String, fate: impl Fn() -> Fate + Send + 'static) -> Requests {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let cut = Arc::new(AtomicU64::new(0));
        let count = cut.clone();
        spawn(move || {
            for from in listener.incoming().flatten() {
                let (server, fate, count) = (server.clone(), fate(), count.clone());
                // Whoever went away is nobody's fault here.
                spawn(move || carry(from, &server, fate, &count).ok());
            }
        });
        Requests { url, cut }
    }
}

fn carry(mut from: TcpStream, server: &str, fate: Fate, cut: &AtomicU64) -> std::io::Result<()> {
    let mut request = request(&mut from)?;
    if let Some(line) = request.windows(2).position(|two| two == b"\r\n") {
        // One request a connection: whoever has its answer need not wait for its end.
        request.splice(line..line, *b"\r\nConnection: close");
    }
    let send = |bytes: &[u8]| -> std::io::Result<TcpStream> {
        let mut to = TcpStream::connect(server)?;
        to.write_all(bytes)?;
        Ok(to)
    };
    match fate {
        Fate::CutRequest(bytes) => return send(&request[..bytes.min(request.len())]).map(drop),
        Fate::Swallowed(time) => {
            sleep(time);
            return Ok(());
        }
        Fate::Late(time) => sleep(time),
        _ => {}
    }
    let mut to = send(&request)?;
    match fate {
        Fate::Unanswered(time) => sleep(time),
        Fate::Twice(later) => {
            sleep(later);
            let mut again = send(&request)?;
            answer(&mut to, &mut from, u64::MAX, cut)?;
            // Its answer goes nowhere.
            std::io::copy(&mut again, &mut std::io::sink())?;
        }
        Fate::CutAnswer(most) => answer(&mut to, &mut from, most, cut)?,
        _ => answer(&mut to, &mut from, u64::MAX, cut)?,
    }
    Ok(())
}

/// One whole request, or what there is of it.
fn request(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut request, mut buffer) = (vec![], [0; 4_096]);
    loop {
        if let Some(head) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if request.len() >= head + 4 + length.unwrap_or(0) {
                return Ok(request);
            }
        }
        match from.read(&mut buffer)? {
            0 => return Ok(request),
            count => request.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The answer is awaited even where nothing of it may pass: the request is done by then.
fn answer(to: &mut TcpStream, from: &mut TcpStream, most: u64, cut: &AtomicU64) -> std::io::Result<()> {
    let (mut left, mut buffer) = (most, [0; 4_096]);
    while let Ok(count @ 1..) = to.read(&mut buffer) {
        let passing = (count as u64).min(left) as usize;
        from.write_all(&buffer[..passing])?;
        left -= passing as u64;
        if passing < count {
            cut.fetch_add(1, Ordering::SeqCst);
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    Ok(())
}

/// A line to a database, both ways.
pub struct Line {
    /// Its port on loopback.
    pub port: u16,
    weather: Arc<Weather>,
}

#[derive(Default)]
struct Weather {
    /// Before each piece that passes, microseconds.
    delay_us: AtomicU64,
    /// Nothing passes, and nothing is closed.
    hole: AtomicBool,
    /// After so many bytes of answers more, their connection breaks.
    left: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Line {
    /// To this port of loopback. Fair until told otherwise.
    pub fn to(port: u16) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let weather = Arc::new(Weather { left: AtomicU64::new(u64::MAX), ..Weather::default() });
        let above = weather.clone();
        spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to, answers) in [(&near, &far, false), (&far, &near, true)] {
                    let (Ok(from), Ok(to), weather) = (from.try_clone(), to.try_clone(), above.clone()) else {
                        continue;
                    };
                    spawn(move || pump(from, to, answers, &weather));
                }
                above.open.lock().expect("nobody panics here").extend([near, far]);
            }
        });
        Line { port: own, weather }
    }

    /// Every piece comes this much later.
    pub fn slow(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).expect("not that long");
        self.weather.delay_us.store(micros, Ordering::SeqCst);
    }

    /// Nothing passes any more, in either direction; whatever is open stays open. Or all is well again.
    pub fn hole(&self, is: bool) {
        self.weather.hole.store(is, Ordering::SeqCst);
    }

    /// Whatever is open breaks now.
    pub fn cut(&self) {
        for end in self.weather.open.lock().expect("nobody panics here").drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// After so many bytes of answers the connection that the next one is on breaks, in the middle of a message.
    pub fn cut_after(&self, bytes: u64) {
        self.weather.left.store(bytes, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, answers: bool, weather: &Weather) {
    let mut buffer = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        sleep(Duration::from_micros(weather.delay_us.load(Ordering::SeqCst)));
        while weather.hole.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(5));
        }
        let left = weather.left.load(Ordering::SeqCst);
        let breaks = answers && left < u64::MAX && left < count as u64;
        let passing = if breaks { left as usize } else { count };
        if breaks {
            weather.left.store(u64::MAX, Ordering::SeqCst);
        } else if answers && left < u64::MAX {
            weather.left.fetch_sub(count as u64, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..passing]).is_err() || breaks {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
