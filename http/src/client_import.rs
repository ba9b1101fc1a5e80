//! Clients from a CSV file: first what would come of it, then every good row as a client of its own.
//!
//! What holds for every import stands in [`crate::import`].

pub mod sheet;

use std::collections::HashMap;

use keiin_domain::client::RegisterClient;
use keiin_domain::command::Command;
use keiin_domain::role::Permission;

use crate::app::App;
use crate::execute::{self, Call};
use crate::import::{Column, Import, PARAMS, Report, Wish, faults, register, row_key};
use crate::limit::Work;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::session_api::Operation;

/// The import.
pub struct Clients;

impl Import for Clients {
    const NOUN: &'static str = "clients";
    const PERMISSION: Permission = RegisterClient::PERMISSION;
    const OPERATIONS: &'static [Operation; 2] = &[
        Operation {
            permission: Some(Clients::PERMISSION),
            params: PARAMS,
            ..Operation::new("import_clients", "POST", "/v1/clients/imports")
        },
        Operation {
            permission: Some(Clients::PERMISSION),
            answer: "text/csv",
            ..Operation::new("get_client_template", "GET", "/v1/clients/imports/template.csv")
        },
    ];
    const COLUMNS: &'static [Column] = sheet::COLUMNS;

    async fn run(app: &App, principal: &Principal, call: &Call, file: &[u8], wish: &Wish) -> Result<Report, Problem> {
        let clients = sheet::read(file)?;
        let mut seen: HashMap<String, usize> = HashMap::new();
        let (mut errors, mut duplicates, mut taken, mut rejected) = (vec![], vec![], vec![], vec![]);
        let mut skipped = 0;
        for (n, row) in clients.rows.iter().enumerate() {
            let _turn = app.limiter.turn(principal.ledger, Work::Core).await;
            let (client, honorific) = sheet::client(&clients, row);
            let bad_honorific = honorific.is_none().then(|| ("client.bad_honorific", "honorific".to_owned()));
            let more = faults(app, principal, call, &client, sheet::field_of, sheet::mend).await?;
            let told = bad_honorific.into_iter().chain(more);
            let told: Vec<_> = told
                .map(|(code, field)| clients.remark(app, wish.lang, sheet::COLUMNS, row.line, code, &field))
                .collect();
            if !told.is_empty() {
                let reasons: Vec<String> =
                    told.iter().map(|fault| format!("{}: {}", fault.field, fault.title)).collect();
                rejected.push((n, reasons.join(" / ")));
                errors.extend(told);
                continue;
            }
            let key = row_key(&wish.key, row.line);
            let twin = twin(app, principal, &mut seen, &client, row.line)?;
            if let Some((code, field)) = twin
                && !execute::is_done::<RegisterClient>(app, principal, &key).await?
            {
                let remark = clients.remark(app, wish.lang, sheet::COLUMNS, row.line, code, field);
                if wish.skip {
                    rejected.push((n, remark.title.clone()));
                    skipped += 1;
                }
                duplicates.push(remark);
                if wish.skip {
                    continue;
                }
            }
            taken.push((key, client));
        }
        let good = taken.len() + skipped;
        let imported = if wish.check { 0 } else { register(app, principal, call, file, taken).await? };
        Ok(Report {
            encoding: clients.encoding_name(),
            rows: clients.rows.len(),
            good,
            imported,
            skipped,
            ignored_columns: clients.ignored(),
            errors,
            duplicates,
            rejected: (!rejected.is_empty()).then(|| clients.returned(app, wish.lang, &rejected)),
        })
    }
}

/// Is there another one like it: in an earlier row, or already registered? Never a reason to refuse by itself.
fn twin(
    app: &App,
    principal: &Principal,
    seen: &mut HashMap<String, usize>,
    client: &RegisterClient,
    line: usize,
) -> Result<Option<(&'static str, &'static str)>, Problem> {
    let number = keiin_domain::registration_number::normalise(&client.registration_number).unwrap_or_default();
    let name = client.name.trim().to_owned();
    let in_file = [format!("n {name}"), format!("t {number}")];
    let known = in_file.iter().filter(|key| *key != "t ").any(|key| seen.contains_key(key));
    in_file.into_iter().for_each(|key| _ = seen.entry(key).or_insert(line));
    if known {
        return Ok(Some(("import.duplicate_row", "name")));
    }
    let there = keiin_projections::client::duplicates(&app.read, &principal.who(), None, &name, &number)?;
    Ok((!there.is_empty()).then_some(("import.duplicate_client", "name")))
}
