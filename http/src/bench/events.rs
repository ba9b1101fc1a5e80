//! The events of the measurements: clients are registered, 400 bytes each before they are sealed, each in a stream of
//! its own, as a create command does it.

use std::sync::LazyLock;

use keiin_domain::client::{Client, ClientEvent, Contact, Honorific, Profile, Registered};
use keiin_domain::command::Aggregate;
use keiin_domain::envelope;
use keiin_domain::event::{Event, Stored, encode};
use keiin_domain::sealed::Sealed;
use keiin_eventlog::chain::{Append, Draft, Expectation};
use keiin_eventlog::record::{Party, Stream};
use keiin_eventlog::seal::{self, BodyPlace, SubjectKeyId};
use keiin_eventlog::vault::{NewSubjectKey, Vault};
use uuid::Uuid;

use crate::{clock, random};

/// Bytes of an event before it is sealed.
pub const BYTES: usize = 400;
/// With contacts, every so many clients has one.
const CONTACT_EVERY: u64 = 4;

/// One append of `count` events, sealed. With contacts, every fourth client has one, under a key of their own that is
/// durable when this returns.
pub fn append(vault: &Vault, ledger: Uuid, count: u64, contacts: bool) -> anyhow::Result<Append> {
    let now_us = clock::now_us();
    let key = vault.current_body_key(ledger)?;
    let (mut drafts, mut new_keys) = (vec![], vec![]);
    for n in 0..count {
        let id = random::id_at(now_us);
        let contact = (contacts && n % CONTACT_EVERY == 0).then(|| contact(ledger, now_us, &mut new_keys));
        let event = registered(id, contact);
        let text = envelope::write(None, &event.bytes);
        let place = BodyPlace { ledger, event_version: event.version, event_kind: &event.kind };
        let body = seal::seal_body(&key, place, &seal::fresh_salt(), &text)?;
        drafts.push(Draft {
            stream: Stream::new(Client::STREAM, id),
            event_kind: event.kind,
            event_version: event.version,
            sealed_epoch: Some(key.epoch()),
            body,
        });
    }
    vault.put_subjects(ledger, &new_keys)?;
    Ok(Append {
        ledger,
        append_id: random::id_at(now_us),
        time_us: u64::try_from(now_us).unwrap_or(0),
        actor: Party::SYSTEM,
        on_behalf_of: None,
        cause: None,
        expect: drafts.iter().map(|d| Expectation { stream: d.stream.clone(), version: None }).collect(),
        drafts,
    })
}

/// What is added to a client's text, without and with a contact: it does not depend on ids.
static PADDING: LazyLock<[usize; 2]> = LazyLock::new(|| {
    let contact = contact(Uuid::nil(), 0, &mut vec![]);
    [None, Some(contact)].map(|contact| {
        let bare = envelope::write(None, &client(Uuid::nil(), contact, 0).bytes).len();
        let missing = BYTES.saturating_sub(bare);
        // From 128 on the length itself takes a second byte.
        if missing > 128 { missing - 1 } else { missing }
    })
});

/// A registered client whose text, with its envelope, has [`BYTES`] bytes.
fn registered(id: Uuid, contact: Option<Sealed<Contact>>) -> Stored {
    let padding = PADDING[usize::from(contact.is_some())];
    client(id, contact, padding)
}

fn client(id: Uuid, contact: Option<Sealed<Contact>>, padding: usize) -> Stored {
    let profile = Profile {
        name: format!("株式会社 {id}"),
        honorific: Honorific::Onchu,
        registration_number: String::new(),
        registration_number_checks: true,
        postal_code: "1058445".into(),
        region: "東京都".into(),
        locality: "港区".into(),
        street_address: "虎ノ門2-2-5".into(),
        extended_address: "x".repeat(padding),
    };
    let contacts = contact.into_iter().collect();
    ClientEvent::from(Registered { profile, reading: String::new(), person: None, contacts }).store()
}

fn contact(ledger: Uuid, now_us: i64, new_keys: &mut Vec<NewSubjectKey>) -> Sealed<Contact> {
    let (subject, key) = (random::id_at(now_us), seal::fresh_key());
    let person = Contact { name: "佐藤 次郎".into(), email: "jiro@example.jp".into(), ..Contact::default() };
    let id = SubjectKeyId { ledger, subject, version: 1 };
    let sealed = seal::seal_value(&key, id, &seal::fresh_salt(), &encode(&person)).expect("a short text");
    new_keys.push(NewSubjectKey { subject, version: 1, key });
    Sealed::new(subject, 1, sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_exactly_as_many_bytes_as_is_said() {
        let mut keys = vec![];
        for contact in [None, Some(contact(Uuid::from_u128(1), 1, &mut keys))] {
            let event = registered(Uuid::from_u128(2), contact);
            assert_eq!(envelope::write(None, &event.bytes).len(), BYTES);
            assert!(ClientEvent::read(&event).is_ok());
        }
    }
}
