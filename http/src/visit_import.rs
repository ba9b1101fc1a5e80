//! Visits from a CSV file: first what would come of it, then every good row as a visit of its own. What holds for every
//! import stands in [`crate::import`].

pub mod sheet;

use std::collections::HashSet;

use keiin_domain::command::Command;
use keiin_domain::role::Permission;
use keiin_domain::visit::RegisterVisit;
use keiin_projections::member::directory;

use self::sheet::{Directory, Row};
use crate::app::App;
use crate::execute::{self, Call};
use crate::import::{Column, Import, PARAMS, Report, Wish, faults, register, row_key};
use crate::limit::Work;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::session_api::Operation;

/// The import.
pub struct Visits;

impl Import for Visits {
    const NOUN: &'static str = "visits";
    const PERMISSION: Permission = RegisterVisit::PERMISSION;
    const OPERATIONS: &'static [Operation; 2] = &[
        Operation {
            permission: Some(Visits::PERMISSION),
            params: PARAMS,
            ..Operation::new("import_visits", "POST", "/v1/visits/imports")
        },
        Operation {
            permission: Some(Visits::PERMISSION),
            answer: "text/csv",
            ..Operation::new("get_visit_template", "GET", "/v1/visits/imports/template.csv")
        },
    ];
    const COLUMNS: &'static [Column] = sheet::COLUMNS;

    async fn run(app: &App, principal: &Principal, call: &Call, file: &[u8], wish: &Wish) -> Result<Report, Problem> {
        let rows = sheet::read(file)?;
        let members = Directory::new(directory(&app.read, &principal.who())?, principal.member);
        let mut seen = HashSet::new();
        let (mut errors, mut duplicates, mut taken, mut rejected) = (vec![], vec![], vec![], vec![]);
        let mut skipped = 0;
        for (n, row) in rows.rows.iter().enumerate() {
            let _turn = app.limiter.turn(principal.ledger, Work::Core).await;
            let Row { visit, faults: mut told } = sheet::visit(&rows, row, &members);
            let more = faults(app, principal, call, &visit, sheet::field_of, sheet::mend).await?;
            // What is not understood was left out, and the rule asks for it again.
            let more: Vec<_> =
                more.into_iter().filter(|(_, field)| told.iter().all(|(_, known)| known != field)).collect();
            told.extend(more);
            let remark = |code, field: &str| rows.remark(app, wish.lang, sheet::COLUMNS, row.line, code, field);
            if !told.is_empty() {
                let told: Vec<_> = told.iter().map(|(code, field)| remark(code, field)).collect();
                let reasons: Vec<String> =
                    told.iter().map(|fault| format!("{}: {}", fault.field, fault.title)).collect();
                rejected.push((n, reasons.join(" / ")));
                errors.extend(told);
                continue;
            }
            let key = row_key(&wish.key, row.line);
            let same =
                (visit.visitor_name.trim().to_owned(), visit.starts_at.clone(), visit.location.trim().to_owned());
            if !seen.insert(same) && !execute::is_done::<RegisterVisit>(app, principal, &key).await? {
                let remark = remark("import.duplicate_row", "visitor_name");
                if wish.skip {
                    rejected.push((n, remark.title.clone()));
                    skipped += 1;
                }
                duplicates.push(remark);
                if wish.skip {
                    continue;
                }
            }
            taken.push((key, visit));
        }
        let good = taken.len() + skipped;
        let imported = if wish.check { 0 } else { register(app, principal, call, file, taken).await? };
        Ok(Report {
            encoding: rows.encoding_name(),
            rows: rows.rows.len(),
            good,
            imported,
            skipped,
            ignored_columns: rows.ignored(),
            errors,
            duplicates,
            rejected: (!rejected.is_empty()).then(|| rows.returned(app, wish.lang, &rejected)),
        })
    }
}
