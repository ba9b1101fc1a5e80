//! Good bytes for every decoder: where a fuzzer, or a seeded change, begins.

use keiin::import::Column;
use keiin::locale::Lang;
use keiin::{client_import, visit_import};
use keiin_domain::envelope;
use keiin_eventlog::bundle::{Header, Writer};
use keiin_eventlog::checkpoint::Checkpoint;
use keiin_eventlog::clear::Clear;
use keiin_eventlog::framed;
use keiin_eventlog::note::VerifierKey;
use keiin_eventlog::proof::Proof;
use keiin_eventlog::record::{Hash, Leaf, Party, Record, Stream};
use keiin_eventlog::seal::{self, BodyPlace};
use keiin_eventlog::sign::{Commit, Signer};
use keiin_eventlog::sql::Value;
use keiin_eventlog::tree::Frontier;
use keiin_projections::cursor;
use keiin_projections::event::Place;
use uuid::Uuid;

use super::{CURSOR_KEY, LEDGER, body_key, commands, kinds, origin, signer};

/// A small ledger: opened, two sealed records in one commit, closed.
pub(super) fn ledger() -> Vec<Record> {
    let (signer, mut prev, mut records) = (signer(), Hash::ZERO, vec![]);
    let opened = Clear::Opened { origin: origin(), signer: signer.public(), recovery: None };
    let bodies = [opened.encode(), sealed(1), sealed(2), Clear::Closed.encode()];
    let kinds = ["ledger.opened", "thing.happened", "thing.happened", "ledger.closed"];
    for (position, (body, kind)) in (0..).zip(bodies.into_iter().zip(kinds)) {
        let clear = kind.starts_with("ledger.");
        let stream = if clear { Stream::new("ledger", LEDGER) } else { Stream::new("thing", Uuid::from_u128(4)) };
        let leaf = Leaf {
            sealed_epoch: (!clear).then_some(1),
            time_went_back: false,
            generation: 1,
            event_version: 1,
            position,
            ledger: LEDGER,
            prev,
            time_us: 1_700_000_000_000_000 + position,
            append_id: Uuid::from_u128(u128::from(21 + position)),
            index: 0,
            count: 1,
            cause: None,
            stream,
            stream_version: [0, 0, 1, 1][position as usize],
            actor: if clear { Party::SYSTEM } else { Party { kind: 2, id: Uuid::from_u128(33) } },
            on_behalf_of: None,
            body_len: body.len() as u32,
            body_hash: Hash::of(&body),
            event_kind: kind.to_owned(),
        };
        let leaf = leaf.encode();
        prev = Hash::of_leaf(&leaf);
        let first = if position == 2 { 1 } else { position };
        let commit = Commit { ledger: LEDGER, generation: 1, first, last: position, last_hash: prev };
        let signature = (position != 1).then(|| signer.sign(&commit.message()));
        records.push(Record { leaf, body: Some(body), signature });
    }
    records
}

fn sealed(n: u8) -> Vec<u8> {
    let place = BodyPlace { ledger: LEDGER, event_version: 1, event_kind: "thing.happened" };
    seal::seal_body(&body_key(), place, &[n; 16], b"what happened").expect("sealed")
}

/// Good bytes for a target: where a fuzzer, or a seeded change, begins.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let records = ledger();
    let mut tree = Frontier::new();
    records.iter().for_each(|record| tree.append(record.hash()));
    let last = Checkpoint { origin: origin().to_string(), size: records.len() as u64, root: tree.root() };
    let signed = last.sign(&signer()).expect("signed");
    match target {
        "leaf" => records.into_iter().map(|record| record.leaf).collect(),
        "bundle" => {
            let header = Header { opened: false, first: 0, count: records.len() as u64 };
            let mut writer = Writer::new(vec![], header, &signed, None).expect("a bundle");
            records.iter().for_each(|record| writer.record(record, None).expect("a record"));
            vec![writer.finish().expect("whole")]
        }
        "checkpoint" => vec![last.text().into_bytes(), last.origin.into_bytes()],
        "note" => vec![signed.to_string().into_bytes()],
        "proof" => {
            let path = vec![records[0].hash(), records[1].hash()];
            let proof = |extra| Proof { extra, index: 2, path: path.clone(), checkpoint: signed.clone() };
            [None, Some(b"extra".to_vec())].into_iter().map(|extra| proof(extra).to_string().into_bytes()).collect()
        }
        "verifier_key" => {
            vec![VerifierKey::new(&last.origin, signer().public()).expect("a key").to_string().into_bytes()]
        }
        "tile_path" => {
            ["tile/0/x001/234.p/5", "tile/data/000", "tile/1/000"].map(|path| path.as_bytes().to_vec()).into()
        }
        "clear_body" => {
            let rotated = Clear::KeyRotated { signer: signer().public() };
            let erased = Clear::SubjectErased { subject: Uuid::from_u128(8) };
            let restored = Clear::Restored { origin: origin(), lost_size: 9, lost_root: last.root };
            let replaced = Clear::KeyReplaced { signer: signer().public(), proof: [7; 64] };
            let opened = Clear::Opened { origin: origin(), signer: signer().public(), recovery: Some([3; 32]) };
            let all = [opened, rotated, replaced, restored, erased, Clear::Closed];
            (0..).zip(all).map(|(n, clear)| [&[n][..], &clear.encode()].concat()).collect()
        }
        "sealed_body" => vec![sealed(1), sealed(2)],
        "envelope" => {
            let context = envelope::ContextV1 { reason: "理由".into(), ..Default::default() };
            vec![envelope::write(Some(&context), b"event"), envelope::write(None, b"event")]
        }
        "event" => golden(),
        "cursor" => [Value::Integer(7), Value::Blob(vec![1; 16])]
            .iter()
            .map(|id| cursor::seal(&CURSOR_KEY, 1_700_000_000_000_000, id).into_bytes())
            .collect(),
        "cluster_event" => records
            .iter()
            .map(|record| {
                let (data, metadata) = framed::write(record);
                [&[metadata.len() as u8][..], &data, &metadata].concat()
            })
            .collect(),
        "feed_cursor" => {
            vec![Place::new(7, records[0].hash()).cursor(&CURSOR_KEY, LEDGER).into_bytes()]
        }
        "http_body" => (0..commands() as u16).map(|n| [&n.to_be_bytes()[..], HTTP_BODY.as_bytes()].concat()).collect(),
        "form" => [FORM, "lines.1.a=2&lines.0.a=1&lines.0.b=", "a.b.c.d=%E5%8D%B0&tags=x&tags=y", "q=%ff&%00=+"]
            .map(|form| form.as_bytes().to_vec())
            .into(),
        "multipart" => vec![MULTIPART.to_vec()],
        "clients_csv" => tables(client_import::sheet::COLUMNS, CLIENT_ROW),
        "visits_csv" => tables(visit_import::sheet::COLUMNS, VISIT_ROW),
        _ => vec![],
    }
}

/// A bit of every kind of field that commands have.
const HTTP_BODY: &str = r#"{"name":"株式会社ミナト","email":"a@example.jp","role":"member","amount":{"amount":109978,"currency":"JPY"},"lines":[{"description":"\u5951\u5370","quantity":"1.5","unit_price":"1000","tax_rate":"10"}],"date":"2026-11-21","starts_at":"2026-11-21T00:00:00Z","honorific":"onchu","id":"0193a000-0000-7000-8000-000000000001","flag":true}"#;

/// Fields of every kind that forms have.
const FORM: &str = "name=%E6%A0%AA%E5%BC%8F%E4%BC%9A%E7%A4%BE&_csrf=x&count:int=12&agreed:bool=true&starts_at:local=2026-11-21T09:00\
    &lines.0.description=%E5%A5%91%E5%8D%B0&lines.0.quantity=1.5";

const MULTIPART: &[u8] = b"multipart/form-data; boundary=x\n--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\ntext\r\n--x\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\r\n--y\r\n\x82\xA0\r\n--x--\r\n";

const CLIENT_ROW: &str = "株式会社ミナト,みなと,御中,T7000012050002,,105-8445,東京都,港区,虎ノ門2-2-5,\"a \"\"b\"\"\",佐藤 次郎,,,jiro@example.jp,";
const VISIT_ROW: &str = "佐藤 次郎,,株式会社ミナト,jiro@example.jp,日本語,佐藤 健,ken@example.jp,受付,2026/11/2 9:00,2026-11-02 10:00,月・水,x";

/// A row below its titles in both languages, with each separator and in each encoding.
fn tables(columns: &[Column], row: &str) -> Vec<Vec<u8>> {
    let mut all = vec![];
    for lang in Lang::ALL {
        let titles: Vec<&str> = columns.iter().map(|column| column.title(lang)).collect();
        let text = format!("{}\r\n{row}\r\n", titles.join(","));
        all.extend(
            [text.replace(',', ";"), text.replace(',', "\t"), format!("\u{feff}{text}")].map(String::into_bytes),
        );
        all.push(encoding_rs::SHIFT_JIS.encode(&text).0.into_owned());
        all.push(text.into_bytes());
    }
    all
}

/// The frozen bytes of every event, each behind the two bytes that choose its kind.
fn golden() -> Vec<Vec<u8>> {
    let folder = crate::root().join("domain/golden");
    let read = |(n, (kind, version)): (u16, (&str, u16))| {
        let text = std::fs::read_to_string(folder.join(format!("{kind}.v{version}.hex"))).ok()?;
        let bytes = hex::decode(text.lines().next()?.trim()).ok()?;
        Some([&n.to_be_bytes()[..], &bytes].concat())
    };
    (0..).zip(kinds()).filter_map(read).collect()
}
