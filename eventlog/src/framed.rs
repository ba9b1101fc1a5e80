//! A record as one event of a cluster's stream: data is the length of the leaf (two bytes, the larger first), the leaf and the
//! body; metadata is the commit's signature, empty where the record ends none.

use crate::record::Record;

/// What is sent: data and metadata. A body that was dropped is sent as an empty one.
pub fn write(record: &Record) -> (Vec<u8>, Vec<u8>) {
    let body = record.body.as_deref().unwrap_or_default();
    let mut data = Vec::with_capacity(2 + record.leaf.len() + body.len());
    data.extend((record.leaf.len() as u16).to_be_bytes());
    data.extend(&record.leaf);
    data.extend(body);
    (data, record.signature.map_or(vec![], |signature| signature.to_vec()))
}

/// What came back, as far as it is framed so; nothing in it is checked. `None` if it is none of ours.
pub fn read(data: &[u8], metadata: &[u8]) -> Option<Record> {
    let (length, rest) = data.split_first_chunk::<2>()?;
    let (leaf, body) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let signature = match metadata.len() {
        0 => None,
        _ => Some(metadata.try_into().ok()?),
    };
    Some(Record { leaf: leaf.to_vec(), body: Some(body.to_vec()), signature })
}
