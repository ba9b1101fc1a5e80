//! What the servers of a cluster hold, and how they decide about a write.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;
use uuid::Uuid;

/// An event that a client proposes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposed {
    /// Made by the client; all that the server knows it by.
    pub id: Uuid,
    /// `type`, `content-type`.
    pub properties: HashMap<String, String>,
    /// The client's metadata.
    pub metadata: Vec<u8>,
    /// The event itself.
    pub data: Vec<u8>,
}

/// An event in the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its stream.
    pub stream: String,
    /// Its number there.
    pub revision: u64,
    /// Where it stands among all events; positions have gaps.
    pub position: u64,
    /// As it was proposed.
    pub event: Proposed,
}

/// The state that a client expects a stream in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// It does not matter.
    Any,
    /// It exists.
    Exists,
    /// Its last event has this number; -1 = no stream.
    Last(i64),
}

/// The answer to a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Written now, or found to be written already.
    Written {
        /// Number of its last event.
        last: u64,
        /// Position of that.
        position: u64,
    },
    /// The stream ends with this number instead; -1 = no stream.
    WrongExpectedVersion(i64),
    /// Some of the ids stand where they would be written, others do not.
    InvalidTransaction,
}

/// The log of a cluster. All its nodes share one, as if replication took no time.
pub struct Log {
    held: Mutex<Held>,
    changed: watch::Sender<usize>,
}

#[derive(Default)]
struct Held {
    events: Vec<Event>,
    streams: HashMap<String, Vec<usize>>,
    end: u64,
}

impl Default for Log {
    fn default() -> Log {
        Log { held: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Log {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Decides and writes in one step. The rules are those of the server's `IndexWriter.CheckCommit`: a write that would
    /// stand before the end of its stream is compared with what stands there, **by ids and numbers alone**; the bytes of
    /// the events are never looked at.
    pub fn write(&self, stream: &str, expected: Expected, events: Vec<Proposed>) -> Decision {
        let mut held = self.held();
        let last = held.streams.get(stream).map_or(-1, |numbers| numbers.len() as i64 - 1);
        let expected = match expected {
            Expected::Exists if last < 0 => return Decision::WrongExpectedVersion(last),
            Expected::Any | Expected::Exists => match held.find(stream, &events) {
                Some(decision) => return decision,
                None => last,
            },
            Expected::Last(expected) => expected,
        };
        if expected > last {
            return Decision::WrongExpectedVersion(last);
        }
        if expected < last {
            return held.compare(stream, expected, &events, last);
        }
        let decision = held.push(stream, events);
        self.changed.send_replace(held.events.len());
        decision
    }

    /// All events of a stream from this number on; `None` if there is no such stream.
    pub fn stream(&self, stream: &str, from: u64) -> Option<Vec<Event>> {
        let held = self.held();
        let numbers = held.streams.get(stream)?;
        Some(numbers.iter().skip(from as usize).map(|at| held.events[*at].clone()).collect())
    }

    /// Events of all streams, those at `from` and later; and how many there are.
    pub fn all(&self, from: u64) -> Vec<Event> {
        let held = self.held();
        let start = held.events.partition_point(|event| event.position < from);
        held.events[start..].to_vec()
    }

    /// Changes with every write.
    pub fn changed(&self) -> watch::Receiver<usize> {
        self.changed.subscribe()
    }
}

impl Held {
    /// Writes without an expected number are found by the ids alone, wherever they stand.
    fn find(&self, stream: &str, events: &[Proposed]) -> Option<Decision> {
        let numbers = self.streams.get(stream)?;
        let place = |id: Uuid| numbers.iter().find(|at| self.events[**at].event.id == id);
        let found: Vec<_> = events.iter().map(|event| place(event.id)).collect();
        (*found.first()?)?;
        Some(match found.last().copied().flatten().filter(|_| found.iter().all(Option::is_some)) {
            Some(at) => Decision::Written { last: self.events[*at].revision, position: self.events[*at].position },
            None => Decision::InvalidTransaction,
        })
    }

    fn compare(&self, stream: &str, expected: i64, events: &[Proposed], last: i64) -> Decision {
        let numbers = &self.streams[stream];
        let there = |n: usize| numbers.get((expected + 1) as usize + n).map(|at| &self.events[*at]);
        for (n, event) in events.iter().enumerate() {
            match there(n) {
                Some(stored) if stored.event.id == event.id => {}
                _ if n == 0 => return Decision::WrongExpectedVersion(last),
                _ => return Decision::InvalidTransaction,
            }
        }
        match events.len().checked_sub(1).and_then(there) {
            Some(stored) => Decision::Written { last: stored.revision, position: stored.position },
            None => Decision::WrongExpectedVersion(last),
        }
    }

    fn push(&mut self, stream: &str, events: Vec<Proposed>) -> Decision {
        let numbers = self.streams.entry(stream.to_owned()).or_default();
        let mut position = self.end;
        for event in events {
            // Positions are places in a file.
            position = self.end;
            self.end += 100 + (event.data.len() + event.metadata.len()) as u64;
            let revision = numbers.len() as u64;
            numbers.push(self.events.len());
            self.events.push(Event { stream: stream.to_owned(), revision, position, event });
        }
        Decision::Written { last: (numbers.len() as u64).saturating_sub(1), position }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u128, data: &str) -> Proposed {
        Proposed { id: Uuid::from_u128(id), properties: HashMap::new(), metadata: vec![], data: data.into() }
    }

    fn written(decision: Decision) -> Option<u64> {
        match decision {
            Decision::Written { last, .. } => Some(last),
            _ => None,
        }
    }

    #[test]
    fn the_same_ids_at_the_same_place_are_written_already_whatever_they_say() {
        let log = Log::default();
        assert_eq!(written(log.write("s", Expected::Last(-1), vec![event(1, "a"), event(2, "b")])), Some(1));
        // The trap: other bytes under the same ids are told that they are stored.
        assert_eq!(written(log.write("s", Expected::Last(-1), vec![event(1, "x"), event(2, "y")])), Some(1));
        assert_eq!(written(log.write("s", Expected::Last(0), vec![event(2, "b")])), Some(1));
        assert_eq!(log.stream("s", 0).unwrap()[0].event.data, b"a");
        assert_eq!(log.stream("s", 0).unwrap().len(), 2);
    }

    #[test]
    fn other_ids_lose_and_half_of_them_are_invalid() {
        let log = Log::default();
        log.write("s", Expected::Last(-1), vec![event(1, ""), event(2, "")]);
        assert_eq!(log.write("s", Expected::Last(-1), vec![event(3, "")]), Decision::WrongExpectedVersion(1));
        assert_eq!(log.write("s", Expected::Last(5), vec![event(3, "")]), Decision::WrongExpectedVersion(1));
        assert_eq!(log.write("t", Expected::Last(0), vec![event(3, "")]), Decision::WrongExpectedVersion(-1));
        assert_eq!(log.write("s", Expected::Last(-1), vec![event(1, ""), event(3, "")]), Decision::InvalidTransaction);
        // Also when only the end reaches beyond what is there.
        assert_eq!(log.write("s", Expected::Last(0), vec![event(2, ""), event(3, "")]), Decision::InvalidTransaction);
        assert_eq!(log.stream("s", 0).unwrap().len(), 2);
    }

    #[test]
    fn without_an_expected_number_ids_are_found_anywhere() {
        let log = Log::default();
        assert_eq!(log.write("s", Expected::Exists, vec![event(1, "")]), Decision::WrongExpectedVersion(-1));
        assert_eq!(written(log.write("s", Expected::Any, vec![event(1, "")])), Some(0));
        assert_eq!(written(log.write("s", Expected::Any, vec![event(2, "")])), Some(1));
        assert_eq!(written(log.write("s", Expected::Exists, vec![event(1, "")])), Some(0));
        assert_eq!(log.all(0).len(), 2);
    }
}
