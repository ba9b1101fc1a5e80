//! Calendar files (iCalendar, RFC 5545), as mails carry them and calendars read them. All times are UTC, so that no zone
//! table has to be sent along.

use keiin_domain::date::{DAY_US, Date};

/// Most octets of a line, without its end (RFC 5545, 3.1).
const LINE_MAX: usize = 75;

/// What a calendar is sent for (RFC 5546, 1.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// To be looked at: a download, a feed.
    Publish,
    /// To a guest: the event is to be put into their calendar, or changed there.
    Request,
    /// To a guest: the event is to be taken out.
    Cancel,
}

/// A calendar.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// What for.
    pub method: Method,
    /// What people call it; empty for a single event.
    pub name: String,
    /// In the order in which they are to stand.
    pub events: Vec<Event>,
}

/// An event.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// The same for as long as it is the same event.
    pub uid: String,
    /// How often it was changed.
    pub sequence: u32,
    /// When this was written, microseconds UTC.
    pub stamp_us: i64,
    /// Start and end, microseconds UTC: once, or the first of several, in order, a whole number of days apart.
    pub times: Vec<(i64, i64)>,
    /// Title.
    pub summary: String,
    /// Where; may be empty.
    pub location: String,
    /// More; may be empty.
    pub description: String,
    /// A page about it; may be empty.
    pub url: String,
    /// Who invites: name and address.
    pub organizer: Option<(String, String)>,
    /// Who is invited: name and address.
    pub attendee: Option<(String, String)>,
    /// It will not take place.
    pub is_cancelled: bool,
}

impl Calendar {
    /// The file.
    pub fn write(&self) -> String {
        let method = match self.method {
            Method::Publish => "PUBLISH",
            Method::Request => "REQUEST",
            Method::Cancel => "CANCEL",
        };
        let mut out = Lines(String::new());
        out.put("BEGIN", "VCALENDAR");
        out.put("VERSION", "2.0");
        out.put("PRODID", "-//Keiin//Visits//EN");
        out.put("CALSCALE", "GREGORIAN");
        out.put("METHOD", method);
        if !self.name.is_empty() {
            out.text("X-WR-CALNAME", &self.name);
        }
        self.events.iter().for_each(|event| event.write(&mut out));
        out.put("END", "VCALENDAR");
        out.0
    }
}

impl Event {
    fn write(&self, out: &mut Lines) {
        let Some((starts_at_us, ends_at_us)) = self.times.first() else { return };
        out.put("BEGIN", "VEVENT");
        out.put("UID", &escaped(&self.uid));
        out.put("SEQUENCE", &self.sequence.to_string());
        out.put("DTSTAMP", &utc(self.stamp_us));
        out.put("DTSTART", &utc(*starts_at_us));
        out.put("DTEND", &utc(*ends_at_us));
        if self.times.len() > 1 {
            // Each by its date: rules of weekdays are counted in the calendar's own zone, and not everybody's is ours.
            let starts: Vec<String> = self.times[1..].iter().map(|(start, _)| utc(*start)).collect();
            out.put("RDATE", &starts.join(","));
        }
        out.text("SUMMARY", &self.summary);
        for (name, text) in [("LOCATION", &self.location), ("DESCRIPTION", &self.description)] {
            if !text.is_empty() {
                out.text(name, text);
            }
        }
        if !self.url.is_empty() {
            out.put("URL", &self.url);
        }
        if let Some((name, address)) = &self.organizer {
            out.put(&format!("ORGANIZER;CN={}", parameter(name)), &format!("mailto:{address}"));
        }
        if let Some((name, address)) = &self.attendee {
            let who = format!("ATTENDEE;CN={};ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE", parameter(name));
            out.put(&who, &format!("mailto:{address}"));
        }
        out.put("STATUS", if self.is_cancelled { "CANCELLED" } else { "CONFIRMED" });
        out.put("END", "VEVENT");
    }
}

/// Lines with their ends, folded.
struct Lines(String);

impl Lines {
    /// A text value: commas, semicolons, backslashes and line ends are escaped (3.3.11).
    fn text(&mut self, name: &str, value: &str) {
        self.put(name, &escaped(value));
    }

    /// A line as it is, folded so that no character is cut (3.1).
    fn put(&mut self, name: &str, value: &str) {
        let mut room = LINE_MAX;
        for c in format!("{name}:{value}").chars() {
            if c.len_utf8() > room {
                self.0.push_str("\r\n ");
                room = LINE_MAX - 1;
            }
            self.0.push(c);
            room -= c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A parameter's value, quoted; a quotation mark cannot stand in one (3.2).
fn parameter(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).map(|c| if c == '"' { '\'' } else { c }).collect();
    format!("\"{plain}\"")
}

/// `20261102T000000Z`.
fn utc(time_us: i64) -> String {
    let (year, month, day) = Date::at(time_us, 0).ymd();
    let seconds = time_us.rem_euclid(DAY_US) / 1_000_000;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use keiin_domain::date::parse_instant;

    use super::*;

    fn us(time: &str) -> i64 {
        parse_instant(time).unwrap()
    }

    fn event() -> Event {
        Event {
            uid: "018f0000-0000-7000-8000-000000000001".into(),
            stamp_us: us("2026-11-01T12:34:56.789Z"),
            times: vec![(us("2026-11-02T09:00:00+09:00"), us("2026-11-02T10:00:00+09:00"))],
            summary: "来訪; 契印, 株式会社\\".into(),
            ..Event::default()
        }
    }

    fn written(event: Event, method: Method) -> String {
        Calendar { method, name: String::new(), events: vec![event] }.write()
    }

    #[test]
    fn a_calendar_is_written_in_utc_with_texts_escaped() {
        let full = Event {
            sequence: 3,
            location: "本社".into(),
            description: "一行目\r\n二行目\u{7}".into(),
            url: "https://keiin.example/pass/x".into(),
            organizer: Some(("契印 \"本社\"".into(), "no-reply@keiin.example".into())),
            attendee: Some(("𠮷田; 一郎".into(), "y@example.jp".into())),
            is_cancelled: true,
            ..event()
        };
        let text = written(full, Method::Cancel).replace("\r\n ", "");
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(
            lines[..6],
            [
                "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Keiin//Visits//EN", "CALSCALE:GREGORIAN", "METHOD:CANCEL",
                "BEGIN:VEVENT"
            ]
        );
        for line in [
            "UID:018f0000-0000-7000-8000-000000000001",
            "SEQUENCE:3",
            "DTSTAMP:20261101T123456Z",
            "DTSTART:20261102T000000Z",
            "DTEND:20261102T010000Z",
            "SUMMARY:来訪\\; 契印\\, 株式会社\\\\",
            "LOCATION:本社",
            "DESCRIPTION:一行目\\n二行目",
            "URL:https://keiin.example/pass/x",
            "ORGANIZER;CN=\"契印 '本社'\":mailto:no-reply@keiin.example",
            "ATTENDEE;CN=\"𠮷田; 一郎\";ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:y@example.jp",
            "STATUS:CANCELLED",
        ] {
            assert!(lines.contains(&line), "{line} in\n{text}");
        }
        assert!(text.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"));
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        for summary in ["来訪".repeat(60), format!("a{}", "𠮷".repeat(90)), "x".repeat(300), "x".repeat(67)] {
            let text = written(Event { summary: summary.clone(), ..event() }, Method::Publish);
            assert!(text.split("\r\n").all(|line| line.len() <= LINE_MAX), "{text}");
            assert!(text.replace("\r\n ", "").contains(&format!("\r\nSUMMARY:{summary}\r\n")), "{text}");
        }
    }

    #[test]
    fn what_takes_place_several_times_names_each() {
        let day = |n: i64| (us("2026-11-02T09:00:00+09:00") + n * DAY_US, us("2026-11-02T10:00:00+09:00") + n * DAY_US);
        let text = written(Event { times: vec![day(0), day(2), day(4)], ..event() }, Method::Request);
        assert!(text.contains("\r\nRDATE:20261104T000000Z,20261106T000000Z\r\n"), "{text}");
        assert!(!written(Event { times: vec![], ..event() }, Method::Request).contains("VEVENT"));
    }
}
