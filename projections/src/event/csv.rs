//! The trail as a table for spreadsheets: UTF-8 with a byte order mark, CRLF, times in Japan, the leaf hash in each line so
//! that it can be compared with a proof. No cell begins like a formula.

use std::sync::Arc;

use keiin_domain::date::ZONE_S;

use super::{EventView, FROM, anchored, filter, view};
use crate::query::{MAX_LIMIT, Params, Read, Refusal, Who, rfc3339};
use crate::view::{ActorView, Time};

const HEADER: [&str; 10] = [
    "position", "time", "actor_kind", "actor", "on_behalf_of", "kind", "object_kind", "object", "object_id",
    "leaf_hash",
];

/// The filtered trail in one piece; parameters as for [`super::ListEvents`].
pub fn csv(read: &Read, who: &Who, params: &Params) -> Result<Vec<u8>, Refusal> {
    let mut pages = Pages::new(who, params);
    let mut all = vec![];
    while let Some(page) = pages.next(read)? {
        all.extend(page);
    }
    Ok(all)
}

/// The filtered trail piece by piece: memory stays small however long it is.
pub struct CsvPages {
    read: Arc<Read>,
    pages: Pages,
}

impl CsvPages {
    /// Parameters as for [`super::ListEvents`].
    pub fn new(read: Arc<Read>, who: &Who, params: &Params) -> CsvPages {
        CsvPages { read, pages: Pages::new(who, params) }
    }
}

impl Iterator for CsvPages {
    type Item = Result<Vec<u8>, Refusal>;
    fn next(&mut self) -> Option<Self::Item> {
        self.pages.next(&self.read).transpose()
    }
}

struct Pages {
    who: Who,
    params: Params,
    begun: bool,
    done: bool,
}

impl Pages {
    fn new(who: &Who, params: &Params) -> Pages {
        let mut params = params.clone();
        params.0.remove("cursor");
        params.0.insert("limit".into(), MAX_LIMIT.to_string());
        Pages { who: who.clone(), params, begun: false, done: false }
    }

    fn next(&mut self, read: &Read) -> Result<Option<Vec<u8>>, Refusal> {
        if self.done {
            return Ok(None);
        }
        let anchored = anchored(read, &self.who);
        let filter = filter(&self.who, &self.params);
        let page = read.list(&self.who, FROM, filter, &self.params, |row| view(row, anchored))?;
        let mut out =
            if self.begun { vec![] } else { [b"\xef\xbb\xbf", line(HEADER.map(String::from)).as_bytes()].concat() };
        self.begun = true;
        page.items.iter().for_each(|event| out.extend(line(cells(event)).into_bytes()));
        match page.next {
            Some(cursor) => _ = self.params.0.insert("cursor".into(), cursor),
            None => self.done = true,
        }
        Ok(Some(out))
    }
}

fn cells(event: &EventView) -> [String; 10] {
    let party = |party: &ActorView| {
        let id = || party.id.map(|id| id.to_string()).unwrap_or_default();
        party.name.clone().unwrap_or_else(id)
    };
    [
        event.position.to_string(),
        japan(event.time),
        event.actor.kind.into(),
        party(&event.actor),
        event.on_behalf_of.as_ref().map(party).unwrap_or_default(),
        event.kind.clone(),
        event.object.kind.clone(),
        event.object.label.clone().unwrap_or_default(),
        event.object.id.to_string(),
        event.hash.clone(),
    ]
}

/// A time as people in Japan read it.
pub(crate) fn japan(time: Time) -> String {
    rfc3339(time.0 + ZONE_S * 1_000_000).replace('Z', "+09:00")
}

/// RFC 4180. A cell that a spreadsheet would compute gets an apostrophe in front.
pub(crate) fn line<const N: usize>(cells: [String; N]) -> String {
    let cells = cells.map(|cell| {
        let computed = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
        let cell = if computed { format!("'{cell}") } else { cell };
        if cell.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    });
    cells.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_cell_comes_back() {
        let cells =
            ["1", "=HYPERLINK(\"x\")", "+1", "-1", "@SUM(A1)", "＝1", "田中, 花子", "a \"b\"", "line\r\nbreak", "ab12"];
        let line = line(cells.map(String::from));
        assert_eq!(
            line,
            "1,\"'=HYPERLINK(\"\"x\"\")\",'+1,'-1,'@SUM(A1),'＝1,\"田中, 花子\",\"a \"\"b\"\"\",\"line\r\nbreak\",ab12\r\n"
        );
    }
}
