//! `keiin operator`: accounts of operators where the machine is. It makes the first two, whom nobody else could approve, and
//! is the way out when no operator can log in any more. Everything it does is in the root ledger, as the server's act.
//! With the ledgers in files, the server is stopped meanwhile.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keiin_domain::command::Command;
use keiin_domain::operator::{ApproveOperator, OperatorKind, RegisterOperator, RemoveOperator, ScreenOperator};
use keiin_projections::operator;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use uuid::Uuid;

use super::{DONE, DataArg, Format, Unusable};
use crate::app::{App, ROOT};
use crate::clock;
use crate::execute::{Call, Done, execute};
use crate::principal::Principal;
use crate::problem::Problem;

/// Accounts of the people who run the deployment.
#[derive(Args)]
pub struct OperatorArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Args)]
struct Where {
    #[command(flatten)]
    data: DataArg,
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Subcommand)]
enum What {
    /// Make an account. The first two work at once; each later one waits for an operator's approval.
    Add(Add),
    /// Let an account work that waits, for instance for a new certificate, while fewer than two operators could approve it.
    Approve(Approve),
    /// Take an account away, for instance when a key is lost.
    Remove(Remove),
    /// Show all accounts.
    List(Where),
}

#[derive(Args)]
struct Add {
    #[command(flatten)]
    place: Where,
    /// Their name.
    #[arg(long)]
    name: String,
    /// Their mail address.
    #[arg(long)]
    email: String,
    /// support, engineering or management.
    #[arg(long, value_parser = kind)]
    kind: OperatorKind,
    /// Their certificate (PEM), issued by the authority in operators.ca.
    #[arg(long)]
    certificate: PathBuf,
    /// How the person was screened: what was looked at, and where the papers are.
    #[arg(long)]
    screening: String,
}

#[derive(Args)]
struct Approve {
    #[command(flatten)]
    place: Where,
    /// The account's id.
    #[arg(long)]
    id: Uuid,
}

#[derive(Args)]
struct Remove {
    #[command(flatten)]
    place: Where,
    /// The account's id.
    #[arg(long)]
    id: Uuid,
    /// Why.
    #[arg(long)]
    reason: String,
}

fn kind(text: &str) -> Result<OperatorKind, String> {
    OperatorKind::from_name(text).ok_or_else(|| "give support, engineering or management".to_owned())
}

impl OperatorArgs {
    pub async fn run(self) -> anyhow::Result<u8> {
        let (What::Add(Add { place, .. })
        | What::Approve(Approve { place, .. })
        | What::Remove(Remove { place, .. })
        | What::List(place)) = &self.what;
        let (config, data) = place.data.open()?;
        let app = App::open(config, data).await?;
        match &self.what {
            What::Add(add) => add.run(&app, place.format).await?,
            What::Approve(Approve { id, .. }) => {
                act(&app, Some(*id), ApproveOperator {}).await.map_err(|problem| refused(*id, &problem))?;
                place.format.say(*id, "working");
            }
            What::Remove(Remove { id, reason, .. }) => {
                let remove = RemoveOperator { reason: reason.clone() };
                act(&app, Some(*id), remove).await.map_err(|problem| refused(*id, &problem))?;
                place.format.say(*id, "removed");
            }
            What::List(_) => list(&app, place.format)?,
        }
        Ok(DONE)
    }
}

impl Format {
    /// What became of an account.
    fn say(self, id: Uuid, status: &str) {
        match self {
            Format::Json => println!("{}", json!({ "id": id, "status": status })),
            Format::Text => println!("{id} {status}"),
        }
    }
}

impl Add {
    async fn run(&self, app: &App, format: Format) -> anyhow::Result<()> {
        let path = self.certificate.display();
        let certificate = CertificateDer::from_pem_file(&self.certificate).map_err(|error| {
            Unusable(format!("{path} holds no certificate in PEM ({error}): give the .pem or .crt"))
        })?;
        let certificate_sha256: String = Sha256::digest(&certificate).iter().map(|b| format!("{b:02x}")).collect();
        let (name, email) = (self.name.clone(), self.email.clone());
        let register =
            RegisterOperator { name, email, kind: self.kind, certificate_sha256: certificate_sha256.clone() };
        let id = act(app, None, register).await.map_err(|problem| refused(path, &problem))?.id;
        let screen = ScreenOperator { record: self.screening.clone() };
        act(app, Some(id), screen).await.map_err(|problem| refused(id, &problem))?;
        let works = match act(app, Some(id), ApproveOperator {}).await {
            Ok(_) => true,
            Err(problem) if problem.code == "operator.second_person" => false,
            Err(problem) => return Err(refused(id, &problem).into()),
        };
        let status = if works { "working" } else { "registered" };
        match format {
            Format::Json => {
                println!("{}", json!({ "id": id, "status": status, "certificate_sha256": certificate_sha256 }))
            }
            Format::Text if works => println!("{id} works with the certificate {certificate_sha256}"),
            Format::Text => println!("{id} waits for an operator to approve it on the operators' port, /operator"),
        }
        Ok(())
    }
}

fn list(app: &App, format: Format) -> anyhow::Result<()> {
    let due_before_us = clock::now_us() - i64::from(app.config.operators.review_days) * 24 * 3_600 * 1_000_000;
    for account in operator::list(&app.read, &Principal::system(ROOT).who(), due_before_us)? {
        match format {
            Format::Json => println!("{}", serde_json::to_string(&account)?),
            Format::Text => {
                let due = if account.review_due { "  REVIEW DUE" } else { "" };
                let name = account.name.as_deref().unwrap_or("(erased)");
                println!("{}  {:<11} {:<10} {name}{due}", account.id, account.kind, account.status);
            }
        }
    }
    Ok(())
}

/// In the root ledger, in the server's name.
async fn act<C: Command>(app: &App, target: Option<Uuid>, command: C) -> Result<Done, Problem> {
    let allowed = Principal::system(ROOT).allow::<C>()?;
    let done = execute(app, &allowed, command, &Call { target, ..Call::internal(clock::now_us()) }).await?;
    if let Some(span) = done.span {
        app.runner.catch_up().await.map_err(Problem::failed)?;
        tracing::debug!(position = span.last, "recorded in the root ledger");
    }
    Ok(done)
}

fn refused(what: impl std::fmt::Display, problem: &Problem) -> Unusable {
    let advice = match problem.code {
        "operator.certificate_taken" => "this certificate belongs to an account already, each has its own",
        "operator.bad_email" => "the mail address cannot be one",
        "operator.second_person" => "two operators work: one who did not ask for it approves it on the operators' port",
        "operator.already_approved" => "the account works already",
        "operator.not_screened" => "nobody has written down how the person was screened: an operator does on the plane",
        "operator.removed" => "the account was taken away already",
        "operator.unknown" | "request.not_found" => "there is no such account; see keiin operator list",
        other => other,
    };
    Unusable(format!("{what}: {advice}"))
}
