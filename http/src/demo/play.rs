//! Plays the plan: every step is the command that a person, a kiosk or the server would send, at the demonstration's time.

use anyhow::{Context, anyhow};
use keiin_domain::application::{GrantType, RegisterApplication};
use keiin_domain::authorization::GiveAuthorization;
use keiin_domain::client::{ChangeClient, RegisterClient};
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::date::{Date, ZONE_S, instant};
use keiin_domain::delivery::{ExpireLink, OpenLink, RevokeLink, SendDocument};
use keiin_domain::document::*;
use keiin_domain::kiosk::PairKiosk;
use keiin_domain::member::{AcceptInvitation, InviteMember};
use keiin_domain::money::{Money, Rounding};
use keiin_domain::role::{Permission, Role};
use keiin_domain::tenant::{ChangeTenant, FISCAL_YEAR_END, RETENTION_YEARS};
use keiin_domain::token::{IssueToken, RevokeToken};
use keiin_domain::visit::*;
use uuid::Uuid;

use super::PASSWORD;
use super::content::{self, Course, Fate, GUESTS, HANAKO, KEN, MAKOTO, PAPERS, PEOPLE};
use super::plan::{Calendar, Step, plan};
use super::stage::{Stage, refused, secret};
use crate::app::App;
use crate::cli::keys;
use crate::execute::Call;
use crate::principal::{self, Principal};
use crate::session::{self, Login};
use crate::signup::{self, NewTenant};
use crate::{denial, link, timer};

/// What the demonstration leaves behind, for its links.
pub struct Played {
    pub ledger: Uuid,
    pub owner: Uuid,
    /// Secret of the first kiosk.
    pub kiosk: String,
}

/// Plays everything into an empty deployment.
pub async fn play(app: &App, calendar: Calendar) -> anyhow::Result<Played> {
    let mut stage = Stage::new(app, calendar);
    // Mails are written from the read models.
    let runner = tokio::spawn(app.runner.clone().follow());
    for (at, step) in plan(calendar) {
        stage.now_us = stage.now_us.max(at);
        stage.perform(step).await.map_err(|error| error.context(format!("the demonstration stopped at {step:?}")))?;
    }
    // Of tomorrow's visits.
    app.runner.catch_up().await?;
    timer::remind(app, stage.now_us).await.map_err(refused)?;
    stage.mails().await?;
    runner.abort();
    let _ = runner.await;
    app.anchorer.anchor_now(crate::app::ROOT).await?;
    app.anchorer.anchor_now(stage.ledger).await?;
    let kiosk = stage.kiosks.first().map(|(_, secret)| secret.clone()).context("there is a kiosk")?;
    Ok(Played { ledger: stage.ledger, owner: stage.people[HANAKO].id, kiosk })
}

impl Stage<'_> {
    async fn perform(&mut self, step: Step) -> anyhow::Result<()> {
        match step {
            Step::Draft(i) => self.draft(i).await,
            Step::SetLines(i) | Step::ChangeDocument(i) | Step::AskApproval(i) | Step::Issue(i) => {
                self.write(step, i).await
            }
            Step::Correct(i) | Step::CancelDocument(i) | Step::Pay(i, _) => self.after(step, i).await,
            Step::Send(i) | Step::Open(i) | Step::Expire(i) | Step::OpenInVain(i) | Step::Revoke(i) => {
                self.deliver(step, i).await
            }
            Step::RegisterVisit(i) | Step::MoveVisit(i) | Step::CancelVisit(i) | Step::EraseVisitor(i) => {
                self.expect_visitor(step, i).await
            }
            Step::Operators => self.operators().await,
            Step::Catalog => self.catalog().await,
            Step::Monthly => self.monthly().await,
            Step::MailTexts => self.mail_texts().await,
            Step::Post => self.post().await,
            Step::Inbox => self.inbox().await,
            Step::Support(i) => self.support(i).await,
            Step::CheckIn(i) => self.check_in(i).await,
            Step::CheckOut(i) => self.check_out(i).await,
            _ => self.company(step).await,
        }
    }

    async fn company(&mut self, step: Step) -> anyhow::Result<()> {
        match step {
            Step::SignUp => {
                let call = self.browser(HANAKO);
                let form = NewTenant {
                    company: content::COMPANY.into(),
                    slug: content::SLUG.into(),
                    name: PEOPLE[HANAKO].name.into(),
                    password: PASSWORD.into(),
                };
                let email = PEOPLE[HANAKO].email;
                self.ledger = signup::at_once(self.app, email, form, &call).await.map_err(refused)?;
                let owner = self.app.vault.find_subject(self.ledger, "member", email)?;
                self.people[HANAKO].id = owner.context("the owner has signed up")?;
            }
            Step::ChangeTenant => {
                let change = ChangeTenant {
                    name: content::COMPANY.into(),
                    registration_number: content::REGISTRATION_NUMBER.into(),
                    address: content::ADDRESS.into(),
                    bank_details: content::BANK_DETAILS.into(),
                    tax_rounding: Rounding::Floor,
                    approval_required: false,
                    fiscal_year_end: FISCAL_YEAR_END,
                    retention_years: RETENTION_YEARS,
                };
                self.by(HANAKO, change).await?;
            }
            Step::Invite(person) => {
                let content::Person { name, email, role } = PEOPLE[person];
                let done =
                    self.by(HANAKO, InviteMember { name: name.into(), email: email.into(), role: role.into() }).await?;
                self.people[person].id = done.id;
                self.invitations.insert(person, secret(&done)?);
                self.mails().await?;
            }
            Step::Accept(person) => {
                let call = self.browser(person);
                let invitation = self.invitations.remove(&person).context("invited before")?;
                let holder = principal::by_link(self.app, "inv", &invitation).map_err(refused)?;
                let accept = AcceptInvitation { name: PEOPLE[person].name.into(), password: PASSWORD.into() };
                self.run(&holder, &call.on(holder.actor.id), accept).await?;
            }
            Step::PairKiosk(i) => {
                let location = if i == 0 { content::HEAD_OFFICE } else { content::FACTORY };
                let pair = PairKiosk { name: format!("受付 {}", i + 1), location: location.into() };
                let done = self.by(HANAKO, pair).await?;
                self.kiosks.push((done.id, secret(&done)?));
            }
            Step::RegisterClient(i) => {
                let done = self.by(KEN, content::client(i)).await?;
                self.clients.push(done.id);
            }
            Step::ChangeClient(i) => {
                let moved = RegisterClient { street_address: "渋谷3-10-13".into(), ..content::client(i) };
                self.by_on(KEN, self.clients[i], ChangeClient(moved)).await?;
            }
            Step::WrongPassword(person) => {
                let call = self.browser(person);
                let login = Login {
                    email: PEOPLE[person].email.into(),
                    password: "not the right one".into(),
                    company: content::SLUG.into(),
                    break_glass: String::new(),
                };
                let outcome = session::login(self.app, &login, &call).await;
                anyhow::ensure!(outcome.is_err(), "a wrong password is refused");
            }
            Step::LogOut(person) => {
                let call = self.browser(person);
                if let Some((login, _)) = self.people[person].login.take() {
                    session::end(self.app, &login.secret, &login.principal, &call).await.map_err(refused)?;
                }
            }
            Step::Denied(person) => {
                let (who, call) = (self.member(person).await?, self.browser(person));
                anyhow::ensure!(!who.may(Permission("mail.read")), "an auditor reads no mails");
                denial::denied(self.app, &who, "list_mails", &call).await;
            }
            Step::IssueToken => {
                let scopes = vec!["documents:read".into(), "clients:read".into()];
                let issue = IssueToken { name: "会計ソフト連携".into(), scopes, expires_in_days: Some(30) };
                self.token = self.by(HANAKO, issue).await?.id;
            }
            Step::RevokeToken => {
                self.by_on(HANAKO, self.token, RevokeToken {}).await?;
            }
            Step::Connect => self.connect().await?,
            Step::RotateKey => {
                let now_us = self.call(1, "").now_us;
                let signer = self.app.keyring.rotate_signing()?.public();
                for ledger in [crate::app::ROOT, self.ledger] {
                    keys::rotate(self.app, ledger, signer, keys::stamp(now_us)).await?;
                }
            }
            other => return Err(anyhow!("{other:?} belongs elsewhere")),
        }
        Ok(())
    }

    /// A connected program, as its consent page and its first request leave it.
    async fn connect(&mut self) -> anyhow::Result<()> {
        let scopes = vec!["clients:read".into(), "documents:read".into()];
        let redirect_uri = "https://kaikei.example/callback".to_owned();
        let register = RegisterApplication {
            name: "会計クラウド".into(),
            confidential: true,
            redirect_uris: vec![redirect_uri.clone()],
            scopes,
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        };
        self.again(HANAKO);
        let application_id = self.by(HANAKO, register).await?.id;
        let challenge = crate::random::hash("the verifier of the demonstration");
        let give = GiveAuthorization { application_id, scopes: None, redirect_uri, challenge };
        self.by(HANAKO, give).await?;
        Ok(())
    }

    fn today(&self) -> Date {
        Date::at(self.now_us, ZONE_S)
    }

    async fn draft(&mut self, i: usize) -> anyhow::Result<()> {
        let (paper, date) = (&PAPERS[i], self.today());
        let days = match (paper.kind, paper.fate) {
            (DocumentType::Invoice, Fate::Overdue) => Some(5),
            (DocumentType::Invoice | DocumentType::Quote, _) => Some(30),
            _ => None,
        };
        let date_due = days.map(|days| date.plus(days));
        let done = if let Some(origin) = content::origin(i) {
            let (origin_id, document_type) = (self.papers[&origin], paper.kind);
            self.by(paper.by, ConvertDocument { origin_id, document_type, date: Some(date), date_due }).await?
        } else {
            let mut lines = content::lines(i, 0);
            if i.is_multiple_of(3) {
                lines.truncate(1);
            }
            let draft = DraftDocument {
                document_type: paper.kind,
                client_id: self.clients[paper.client],
                title: paper.title.into(),
                date,
                date_due,
                note: String::new(),
                proviso: if paper.kind == DocumentType::Receipt { "部品代".into() } else { String::new() },
                has_tax_stamp: false,
                has_hanko: true,
                tax_rounding: None,
                lines,
                totals: None,
            };
            self.by(paper.by, draft).await?
        };
        self.papers.insert(i, done.id);
        Ok(())
    }

    async fn write(&mut self, step: Step, i: usize) -> anyhow::Result<()> {
        let (paper, id) = (&PAPERS[i], self.papers[&i]);
        match step {
            Step::SetLines(_) => {
                self.by_on(paper.by, id, SetLines { lines: content::lines(i, 0), totals: None }).await?;
            }
            Step::ChangeDocument(_) => {
                let note = "納品は正門でお受けします。".to_owned();
                let change = ChangeDocument { date: Some(self.today()), note: Some(note), ..ChangeDocument::default() };
                self.by_on(paper.by, id, change).await?;
            }
            Step::AskApproval(_) => {
                self.by_on(paper.by, id, RequestApproval {}).await?;
            }
            _ => {
                self.by_on(paper.by, id, IssueDocument {}).await?;
            }
        }
        Ok(())
    }

    async fn after(&mut self, step: Step, i: usize) -> anyhow::Result<()> {
        let (paper, id) = (&PAPERS[i], self.papers[&i]);
        match step {
            Step::Correct(_) => {
                let reason = "数量の誤りを訂正".to_owned();
                self.by_on(paper.by, id, CorrectDocument { lines: content::lines(i, 1), reason }).await?;
            }
            Step::Pay(_, percent) => {
                let document = principal::load::<Document>(self.app, self.ledger, id).await.map_err(refused)?;
                let payable = document.draft.as_ref().map_or(0, |draft| draft.body.payable());
                let payment = RecordPayment { amount: Money::yen(payable * percent / 100), date: self.today() };
                self.by_on(MAKOTO, id, payment).await?;
            }
            _ => {
                self.by_on(paper.by, id, CancelDocument { reason: "先方の都合により取りやめ".into() }).await?;
            }
        }
        Ok(())
    }

    async fn deliver(&mut self, step: Step, i: usize) -> anyhow::Result<()> {
        let paper = &PAPERS[i];
        if step == Step::Send(i) {
            let contact = content::client(paper.client).contacts.swap_remove(0);
            let bounced = paper.fate == Fate::Bounced;
            let send = SendDocument {
                document_ids: vec![self.papers[&i]],
                to_name: contact.name,
                to_email: if bounced { "keiri@bounce.invalid".into() } else { contact.email },
                message: "いつもお世話になっております。書類をお送りします。ご確認ください。".into(),
                expires_in_days: (paper.fate == Fate::Expired).then_some(2),
                view_limit: (paper.fate == Fate::Corrected).then_some(3),
                passcode: String::new(),
            };
            let done = self.by(paper.by, send).await?;
            self.links.insert(i, (done.id, secret(&done)?));
            return self.mails().await;
        }
        let (delivery, secret) = self.links[&i].clone();
        let call = self.call(60 + paper.client, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/141.0");
        let holder = principal::by_link(self.app, "lnk", &secret).map_err(refused)?;
        match step {
            Step::Expire(_) => {
                self.run(&Principal::system(self.ledger), &Call::internal(call.now_us).on(delivery), ExpireLink {})
                    .await?;
            }
            Step::Revoke(_) => {
                let reason = "宛先を間違えました".to_owned();
                self.by_on(paper.by, delivery, RevokeLink { reason }).await?;
            }
            Step::OpenInVain(_) => {
                let outcome = self.run(&holder, &call.clone().on(delivery), OpenLink::default()).await;
                anyhow::ensure!(outcome.is_err(), "a closed link does not open");
                link::refused(self.app, &holder, &call).await;
            }
            _ => {
                self.run(&holder, &call.on(delivery), OpenLink::default()).await?;
            }
        }
        Ok(())
    }

    fn form(&self, i: usize, later_us: i64) -> RegisterVisit {
        let (guest, (starts, ends)) = (&GUESTS[i], self.calendar.visit(i));
        RegisterVisit {
            visitor_name: guest.name.into(),
            visitor_kana: guest.kana.into(),
            visitor_company: guest.company.into(),
            visitor_email: guest.email.into(),
            host_id: self.people[guest.host].id,
            location: content::HEAD_OFFICE.into(),
            starts_at: instant(starts + later_us),
            ends_at: instant(ends + later_us),
            ..RegisterVisit::default()
        }
    }

    async fn expect_visitor(&mut self, step: Step, i: usize) -> anyhow::Result<()> {
        let host = GUESTS[i].host;
        let done = match step {
            Step::RegisterVisit(_) => self.by(host, self.form(i, 0)).await?,
            Step::MoveVisit(_) => {
                let form = self.form(i, 3_600 * 1_000_000);
                self.by_on(host, self.visits[&i].0, ChangeVisit(form)).await?
            }
            Step::CancelVisit(_) => {
                let cancel = CancelVisit { reason: "日程を改めます".into(), ..CancelVisit::default() };
                return self.by_on(host, self.visits[&i].0, cancel).await.map(|_| ());
            }
            _ => {
                let visit =
                    principal::load::<Visit>(self.app, self.ledger, self.visits[&i].0).await.map_err(refused)?;
                let now_us = self.call(1, "").now_us;
                return keys::erase(self.app, self.ledger, visit.visitor_subject, keys::stamp(now_us))
                    .await
                    .map(|_| ());
            }
        };
        self.visits.insert(i, (done.id, secret(&done)?));
        self.mails().await
    }

    /// The first kiosk, as its cookie would say.
    fn kiosk(&mut self) -> (Principal, Call) {
        let actor = Actor::new(actor_kind::DEVICE, self.kiosks[0].0, Role::Device);
        let who = Principal::new(self.ledger, actor);
        (who, self.call(40, "Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X) Safari/605.1"))
    }

    /// The eight digits that a visitor reads off the pass.
    async fn passcode(&self, visit: Uuid) -> anyhow::Result<String> {
        let visit = principal::load::<Visit>(self.app, self.ledger, visit).await.map_err(refused)?;
        visit.codes.last().map(|code| code.passcode.clone()).context("a visit has a code")
    }

    async fn check_in(&mut self, i: usize) -> anyhow::Result<()> {
        let guest = &GUESTS[i];
        let known = self.visits.get(&i).cloned();
        match (guest.course, known) {
            (Course::Desk, Some((visit, _))) => {
                self.by_on(KEN, visit, ReceiveVisitor {}).await?;
            }
            (course, Some((visit, secret))) => {
                let code = if course == Course::Typed { self.passcode(visit).await? } else { secret };
                let (kiosk, call) = self.kiosk();
                let check_in = CheckIn { code, answers: vec![], consent: String::new() };
                self.run(&kiosk, &call, check_in).await?;
            }
            (_, None) => {
                let walk_in = WalkIn {
                    visitor_name: guest.name.into(),
                    visitor_company: guest.company.into(),
                    purpose: "集荷".into(),
                    ..WalkIn::default()
                };
                let (kiosk, call) = self.kiosk();
                let done = self.run(&kiosk, &call, walk_in).await?;
                self.visits.insert(i, (done.id, String::new()));
            }
        }
        self.announce(i).await
    }

    /// The host is told and answers; whoever comes to nobody in particular is the reception's.
    async fn announce(&mut self, i: usize) -> anyhow::Result<()> {
        let (visit, now_us) = (self.visits[&i].0, self.call(1, "").now_us);
        let told = Call::internal(now_us).on(visit);
        let told = self.run(&Principal::system(self.ledger), &told, AnnounceVisitor {}).await?;
        self.mails().await?;
        let who = if told.span.is_some() { GUESTS[i].host } else { KEN };
        self.by_on(who, visit, AcknowledgeVisit { answer: VisitAnswer::Coming }).await.map(|_| ())
    }

    async fn check_out(&mut self, i: usize) -> anyhow::Result<()> {
        let (visit, secret) = self.visits[&i].clone();
        if GUESTS[i].course == Course::Desk {
            return self.by_on(KEN, visit, ReleaseVisitor {}).await.map(|_| ());
        }
        let typed = secret.is_empty() || GUESTS[i].course == Course::Typed;
        let code = if typed { self.passcode(visit).await? } else { secret };
        let (kiosk, call) = self.kiosk();
        self.run(&kiosk, &call, CheckOut { code }).await.map(|_| ())
    }
}
