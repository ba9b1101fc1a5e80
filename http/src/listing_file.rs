//! A list as a file: all of its pages, as a table in the encoding that was asked for.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use keiin_formats::csv::{Encoding, Language, Table};
use keiin_projections::query::{Kind, Listing, MAX_LIMIT, Param, Params, Refusal};
use serde_json::json;

use crate::api;
use crate::ledger::download;
use crate::locale::Lang;
use crate::problem::Problem;
use crate::serve::Peer;

/// Rows of one file. What is more is asked for in parts, by date.
const MOST: usize = 50_000;
const PARAMS: &[Param] = &[
    Param { name: "encoding", kind: Kind::OneOf(&["utf8_bom", "cp932", "utf8"]) },
    Param { name: "check", kind: Kind::OneOf(&["true"]) },
];

/// Everything of a list that fits, in its order. `known` are the list's parameters.
pub fn all<T>(
    given: BTreeMap<String, String>,
    known: &[Param],
    page: impl Fn(&Params) -> Result<Listing<T>, Refusal>,
) -> Result<Vec<T>, Problem> {
    let mut params = api::params(given, &[known])?;
    params.0.insert("limit".into(), MAX_LIMIT.to_string());
    let mut found = vec![];
    loop {
        let page = page(&params)?;
        found.extend(page.items);
        if found.len() > MOST {
            return Err(Problem::at("document.too_many", "/from"));
        }
        let Some(next) = page.next else { return Ok(found) };
        params.0.insert("cursor".into(), next);
    }
}

/// How the file is wanted.
pub struct Wanted {
    /// Of its titles and words.
    pub language: Language,
    encoding: Encoding,
    check: bool,
}

impl Wanted {
    /// Takes what is about the file out of a request's parameters.
    pub fn take(head: &Parts, params: &mut BTreeMap<String, String>) -> Result<Wanted, Problem> {
        let own = PARAMS.iter().filter_map(|param| params.remove_entry(param.name)).collect();
        let own = api::params(own, &[PARAMS])?;
        let encoding = match own.text("encoding") {
            Some("cp932") => Encoding::Cp932,
            Some("utf8") => Encoding::Utf8,
            _ => Encoding::Utf8Bom,
        };
        let language = if Peer::of(head).lang == Lang::Ja { Language::Ja } else { Language::En };
        Ok(Wanted { language, encoding, check: own.text("check").is_some() })
    }

    /// The table as a file; with `check`, which characters the encoding cannot write, instead of it.
    pub fn answer(&self, table: &Table, disposition: &'static str) -> Response {
        let file = table.write(self.encoding);
        if self.check {
            let lost = file.unmappable.iter();
            let lost = lost.map(|one| json!({ "row": one.row, "column": one.column, "character": one.character }));
            return axum::Json(json!({ "unmappable": lost.collect::<Vec<_>>() })).into_response();
        }
        let kind = match self.encoding {
            Encoding::Cp932 => "text/csv; charset=windows-31j",
            _ => "text/csv; charset=utf-8",
        };
        download(file.bytes, kind, disposition)
    }
}
