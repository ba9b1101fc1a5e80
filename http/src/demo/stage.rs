//! What every step needs: the clock, who is logged in, and what was made so far.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use keiin_domain::command::Command;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::role::Role;
use keiin_domain::sealed::Origin;
use keiin_domain::session::LoginMethod;
use uuid::Uuid;

use super::PASSWORD;
use super::content::PEOPLE;
use super::plan::{Calendar, LENGTH_US};
use crate::app::App;
use crate::execute::{Call, Done, execute};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::session::{self, LoggedIn, Login};
use crate::{mail, paper, random};

/// A login is good for half a day; then people log in again.
const LOGIN_US: i64 = 10 * 3_600 * 1_000_000;

/// A member.
#[derive(Default)]
pub struct Cast {
    pub id: Uuid,
    /// Their last login, and since when.
    pub login: Option<(LoggedIn, i64)>,
}

/// The demonstration so far. Maps and lists have the indices of `content`.
pub struct Stage<'a> {
    pub app: &'a App,
    pub calendar: Calendar,
    /// The demonstration's clock.
    pub now_us: i64,
    pub ledger: Uuid,
    pub people: [Cast; 5],
    pub invitations: HashMap<usize, String>,
    pub kiosks: Vec<(Uuid, String)>,
    pub clients: Vec<Uuid>,
    pub papers: HashMap<usize, Uuid>,
    /// The newest link to a paper.
    pub links: HashMap<usize, (Uuid, String)>,
    /// With the secret of the pass; empty for walk-ins.
    pub visits: HashMap<usize, (Uuid, String)>,
    pub token: Uuid,
    /// Who runs the service.
    pub operators: Vec<Uuid>,
}

/// A member without a login.
pub fn member(ledger: Uuid, id: Uuid, role: Role) -> Principal {
    let actor = Actor::new(actor_kind::MEMBER, id, role);
    Principal { member: Some(id), confirmed_us: Some(i64::MAX / 2), ..Principal::new(ledger, actor) }
}

/// Why a step did not happen.
pub fn refused(problem: Problem) -> anyhow::Error {
    let at: Vec<&str> = problem.errors.iter().map(|fault| fault.pointer.as_str()).collect();
    anyhow!("{} {}", problem.code, at.join(" "))
}

/// The secret that a command made.
pub fn secret(done: &Done) -> anyhow::Result<String> {
    done.secrets.first().map(|(_, text)| text.clone()).context("the command mints a secret")
}

impl Stage<'_> {
    /// An empty one, at the beginning.
    pub fn new(app: &App, calendar: Calendar) -> Stage<'_> {
        Stage {
            app,
            calendar,
            now_us: calendar.now_us - LENGTH_US,
            ledger: Uuid::nil(),
            people: Default::default(),
            invitations: HashMap::new(),
            kiosks: vec![],
            clients: vec![],
            papers: HashMap::new(),
            links: HashMap::new(),
            visits: HashMap::new(),
            token: Uuid::nil(),
            operators: vec![],
        }
    }

    /// A call a few seconds after the last one, from an address of the documentation range (RFC 5737).
    pub fn call(&mut self, host: usize, user_agent: &str) -> Call {
        // Distinct times, and never after now.
        self.now_us = (self.now_us + 7_000_000).min(self.calendar.now_us);
        let origin = Origin { ip: format!("203.0.113.{host}"), user_agent: user_agent.into() };
        Call { request_id: Some(random::id_at(self.now_us)), origin: Some(origin), ..Call::internal(self.now_us) }
    }

    pub fn browser(&mut self, person: usize) -> Call {
        self.call(10 + person, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    }

    /// A member as their login knows them; who has been away for long logs in first.
    pub async fn member(&mut self, person: usize) -> anyhow::Result<Principal> {
        let now_us = self.now_us;
        if let Some((login, _)) = self.people[person].login.as_ref().filter(|(_, since)| now_us < since + LOGIN_US) {
            return Ok(login.principal.clone());
        }
        let device = self.people[person].login.as_ref().and_then(|(login, _)| login.device.clone());
        let call = Call { device, ..self.browser(person) };
        let (email, password) = (PEOPLE[person].email.into(), PASSWORD.into());
        let login = Login { email, password, company: String::new(), break_glass: String::new() };
        // Hashing is slow on purpose: once a person is enough to know that the password is right.
        let logged_in = match self.people[person].login {
            None => match session::login(self.app, &login, &call).await {
                Ok(session::Step::In(logged_in)) => Ok(*logged_in),
                Ok(session::Step::Pending { .. }) => anyhow::bail!("nobody in the demonstration has a second factor"),
                Err(problem) => Err(problem),
            },
            Some(_) => {
                let (member, method) = (self.people[person].id, LoginMethod::Password);
                session::start(self.app, self.ledger, member, method, &call).await
            }
        };
        let logged_in = logged_in.map_err(refused)?;
        let principal = logged_in.principal.clone();
        self.people[person].login = Some((logged_in, self.now_us));
        Ok(principal)
    }

    /// Has somebody log in again before their next step: what needs a fresh login begins with one.
    pub fn again(&mut self, person: usize) {
        if let Some((_, since)) = &mut self.people[person].login {
            *since = 0;
        }
    }

    pub async fn run<C: Command>(&self, who: &Principal, call: &Call, command: C) -> anyhow::Result<Done> {
        let allowed = who.allow::<C>().map_err(refused)?;
        execute(self.app, &allowed, command, call).await.map_err(refused)
    }

    pub async fn by<C: Command>(&mut self, person: usize, command: C) -> anyhow::Result<Done> {
        let (who, call) = (self.member(person).await?, self.browser(person));
        self.run(&who, &call, command).await
    }

    pub async fn by_on<C: Command>(&mut self, person: usize, target: Uuid, command: C) -> anyhow::Result<Done> {
        let (who, call) = (self.member(person).await?, self.browser(person));
        self.run(&who, &call.on(target), command).await
    }

    /// Hands over the mails that a command asked for.
    pub async fn mails(&mut self) -> anyhow::Result<()> {
        self.app.runner.catch_up().await?;
        let now_us = self.call(1, "").now_us;
        // A mail with a document waits until the document is printed.
        paper::round(self.app, now_us).await.map_err(refused)?;
        mail::round(self.app, now_us).await.map_err(refused)?;
        Ok(())
    }
}
