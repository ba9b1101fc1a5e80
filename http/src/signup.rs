//! Sign-up: a process over two ledgers, each step of which may be repeated. Until the company's own ledger is open, all of
//! it is in the root ledger, and whoever holds the sign-up's secret goes on with it, in one tab or in two.
//!
//! In the end: short name and ledger are fixed in the root ledger, the company's ledger is opened, its first append makes
//! the company and its owner, and the root ledger says so.

pub mod api;
pub mod pages;

use keiin_domain::command::{Command, On};
use keiin_domain::money::Money;
use keiin_domain::session::LoginMethod;
use keiin_domain::sign_up::*;
use keiin_domain::tenant::OpenTenant;
use keiin_domain::terms::{AcceptTerms, Terms};
use keiin_domain::text;
use keiin_eventlog::vault::Entry;
use keiin_projections::fact::Opener;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::{App, ROOT};
use crate::cli::keys;
use crate::execute::{Call, Done, execute};
use crate::principal::{self, Principal};
use crate::problem::Problem;
use crate::session::{self, LoggedIn};
use crate::{password, random};

/// Entry kind of the secrets that lead to sign-ups.
const SECRET: &str = "sgn";
/// Entry kind of codes that are waiting to be mailed and typed.
pub const CODE: &str = "code";
/// How long a secret leads to its sign-up: longer than that is open, so that whoever is late is told so.
const SECRET_US: i64 = 2 * OPEN_US;
/// How long after its end an address is kept: by then the welcome mail came, or was tried for days.
const KEPT_US: i64 = 6 * OPEN_US;

/// A sign-up as it stands.
pub struct Standing {
    state: On<SignUp>,
    agreed: On<Terms>,
    must_pay: bool,
}

/// What comes next in a sign-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The mailed code.
    Code,
    /// The agreement.
    Terms,
    /// The payment.
    Payment,
    /// Password and company.
    Company,
    /// Nothing: the company is there.
    Done,
}

impl Next {
    /// In JSON and in templates.
    pub fn name(self) -> &'static str {
        match self {
            Next::Code => "code",
            Next::Terms => "terms",
            Next::Payment => "payment",
            Next::Company => "company",
            Next::Done => "done",
        }
    }
}

/// What a company says of itself in the last step.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Registered name of the company, at most 80 characters.
    pub company: String,
    /// Short name in addresses: `[a-z0-9-]`, 3 to 40 characters.
    pub slug: String,
    /// Name of the first owner, at most 80 characters.
    pub name: String,
    /// 15 to 128 characters.
    pub password: String,
}

/// Is anybody let in, and can codes reach anybody?
pub fn is_open(app: &App) -> bool {
    app.config.signup.open && (app.smtp.is_some() || is_development(app))
}

/// There is no mail server, and nobody comes from outside this machine: codes are shown instead.
fn is_development(app: &App) -> bool {
    app.smtp.is_none() && app.config.is_private()
}

/// Begins a sign-up and mails a code. The answer is the same whoever the address belongs to. Returns the secret that leads
/// to it.
pub async fn request(app: &App, email: &str, call: &Call) -> Result<String, Problem> {
    if !is_open(app) {
        return Err(Problem::new("sign_up.closed"));
    }
    let address = text::email(email).ok_or_else(|| Problem::at("member.bad_email", "/email"))?;
    app.limiter.sign_up(call.origin.as_ref().map_or("", |origin| origin.ip.as_str()))?;
    app.limiter.mail(address)?;
    begin(app, email, call).await
}

async fn begin(app: &App, email: &str, call: &Call) -> Result<String, Problem> {
    let id = random::id_at(call.now_us);
    let secret = random::secret(SECRET);
    app.vault.put(&[Entry {
        kind: SECRET.into(),
        lookup: random::hash(&secret).to_vec(),
        ledger: ROOT,
        owner: id,
        value: vec![],
        created_us: call.now_us,
        expires_us: Some(call.now_us + SECRET_US),
    }])?;
    let allowed = Principal::system(ROOT).allow::<RequestSignUp>()?;
    let call = Call { new_id: Some(id), ..plain(call) };
    execute(app, &allowed, RequestSignUp { email: email.to_owned() }, &call).await?;
    Ok(secret)
}

/// Whose secret it is. One that leads nowhere looks like a path that is not there.
pub fn holder(app: &App, secret: &str) -> Result<Principal, Problem> {
    principal::by_link(app, SECRET, secret)
}

fn plain(call: &Call) -> Call {
    Call { key: None, if_match: None, target: None, ..call.clone() }
}

async fn step<C: Command>(app: &App, holder: &Principal, command: C, call: &Call) -> Result<Done, Problem> {
    execute(app, &holder.allow::<C>()?, command, &plain(call).on(holder.actor.id)).await
}

/// The sign-up as the ledger has it. A payment that the provider knows of is written down on the way.
pub async fn standing(app: &App, holder: &Principal, call: &Call) -> Result<Standing, Problem> {
    let standing = in_ledger(app, holder).await?;
    if standing.state.paid || !settle(app, holder.actor.id, call).await? {
        return Ok(standing);
    }
    in_ledger(app, holder).await
}

async fn in_ledger(app: &App, holder: &Principal) -> Result<Standing, Problem> {
    let id = holder.actor.id;
    let state: On<SignUp> = principal::load(app, ROOT, id).await?;
    if !state.exists() {
        return Err(Problem::not_found());
    }
    Ok(Standing { state, agreed: principal::load(app, ROOT, id).await?, must_pay: app.payment.is_some() })
}

/// Writes down that a payment was made, if the provider knows of it.
async fn settle(app: &App, sign_up: Uuid, call: &Call) -> Result<bool, Problem> {
    let state: On<SignUp> = principal::load(app, ROOT, sign_up).await?;
    let (Some(provider), Some(payment)) = (&app.payment, &state.payment) else { return Ok(false) };
    if !provider.is_paid(&payment.reference).await? {
        return Ok(false);
    }
    let allowed = Principal::system(ROOT).allow::<ConfirmPayment>()?;
    let confirm = ConfirmPayment { reference: payment.reference.clone() };
    execute(app, &allowed, confirm, &plain(call).on(sign_up)).await?;
    Ok(true)
}

impl Standing {
    /// What comes next.
    pub fn next(&self, app: &App) -> Next {
        match &self.state {
            state if state.provisioned => Next::Done,
            state if !state.verified => Next::Code,
            // Once ledger and short name are fixed, the rest was seen to.
            state if state.company.is_some() => Next::Company,
            _ if !self.agreed.covers(&app.legal.in_force()) => Next::Terms,
            state if self.must_pay && !state.paid => Next::Payment,
            _ => Next::Company,
        }
    }

    /// Can it still come to something?
    pub fn is_over(&self, now_us: i64) -> bool {
        let late = now_us >= self.state.expires_at_us && self.state.company.is_none();
        self.state.locked || self.state.provisioned || late
    }

    fn email(&self, app: &App) -> Option<String> {
        let person = self.state.person.as_ref()?;
        person.open(&Opener { vault: &app.vault, ledger: ROOT }).map(|person| person.email)
    }

    /// For its holder.
    pub fn view(&self, app: &App) -> Value {
        let next = self.next(app);
        let time = |us| json!(keiin_domain::date::instant(us));
        let mut view = json!({
            "id": self.state.id,
            "next_step": next.name(),
            "steps": if self.must_pay { 5 } else { 4 },
            "expires_at": time(self.state.expires_at_us),
        });
        if let Some(email) = self.email(app) {
            view["email"] = json!(email);
        }
        if let Some(code) = self.state.code.as_ref().filter(|_| next == Next::Code) {
            view["code_expires_at"] = time(code.expires_at_us);
            if let Some(code) = code_in_development(app, self.state.id) {
                view["development_code"] = json!(code);
            }
        }
        if self.must_pay {
            view["price"] = json!(price(app));
            view["paid"] = json!(self.state.paid);
        }
        if let Some(company) = &self.state.company {
            view["slug"] = json!(company.slug);
        }
        view
    }
}

/// The code, where no mail can bring it and nobody else is there to see it.
fn code_in_development(app: &App, sign_up: Uuid) -> Option<String> {
    let entry = is_development(app).then(|| app.vault.get(CODE, sign_up.as_bytes()).ok().flatten()).flatten()?;
    String::from_utf8(entry.value).ok()
}

fn price(app: &App) -> Money {
    Money::yen(i64::from(app.config.signup.price_jpy))
}

/// Another code.
pub async fn renew(app: &App, holder: &Principal, call: &Call) -> Result<(), Problem> {
    let standing = standing(app, holder, call).await?;
    if let Some(email) = standing.email(app) {
        app.limiter.mail(email)?;
    }
    step(app, holder, RenewEmailCode {}, call).await?;
    Ok(())
}

/// Tries a code. A wrong one is written down, and the sixth ends the sign-up.
pub async fn verify(app: &App, holder: &Principal, code: &str, call: &Call) -> Result<(), Problem> {
    app.limiter.guess(format!("code {}", holder.actor.id))?;
    step(app, holder, VerifyEmailCode { code: code.to_owned() }, call).await?;
    let state: On<SignUp> = principal::load(app, ROOT, holder.actor.id).await?;
    match (state.verified, state.locked) {
        (true, _) => Ok(app.vault.delete(CODE, holder.actor.id.as_bytes()).map(drop)?),
        (false, true) => Err(Problem::new("sign_up.locked")),
        (false, false) => Err(Problem::at("sign_up.wrong_code", "/code")),
    }
}

/// Agrees to the texts that were shown.
pub async fn accept(app: &App, holder: &Principal, shown: AcceptTerms, call: &Call) -> Result<(), Problem> {
    let AcceptTerms { terms, privacy } = shown;
    step(app, holder, AcceptFirstTerms { terms, privacy }, call).await.map(drop)
}

/// Begins the payment, or finds it again; the address where the payer goes. `None` = there is nothing (left) to pay.
pub async fn pay(app: &App, holder: &Principal, call: &Call) -> Result<Option<String>, Problem> {
    let standing = standing(app, holder, call).await?;
    let Some(provider) = app.payment.as_ref().filter(|_| !standing.state.paid) else { return Ok(None) };
    let begun = provider.begin(holder.actor.id, price(app)).await?;
    if standing.state.payment.as_ref().is_none_or(|known| known.reference != begun.reference) {
        let (provider, reference) = (provider.name().to_owned(), begun.reference);
        step(app, holder, RequestPayment { provider, reference, amount: price(app) }, call).await?;
    }
    Ok(Some(begun.url))
}

/// Makes the company and logs its owner in. Repeated, it goes on where it stopped: the same ledger, the same short name.
pub async fn provision(
    app: &App,
    holder: &Principal,
    form: NewTenant,
    call: &Call,
) -> Result<(LoggedIn, u64), Problem> {
    // The payment provider is asked before: nobody waits for it on account of somebody else.
    standing(app, holder, call).await?;
    // Two tabs come one after the other, so that neither password takes the other's place.
    static ONE: Mutex<()> = Mutex::const_new(());
    let _turn = ONE.lock().await;
    let standing = in_ledger(app, holder).await?;
    standing.state.must_be_open(call.now_us)?;
    match standing.next(app) {
        Next::Code => return Err(Problem::new("sign_up.code_first")),
        Next::Terms => return Err(Problem::new("sign_up.terms_first")),
        Next::Payment => return Err(Problem::new("sign_up.payment_first")),
        Next::Company | Next::Done => {}
    }
    let email = standing.email(app).ok_or_else(|| Problem::new("sign_up.expired"))?;
    let NewTenant { company, slug, name, password } = form;
    let agreed = standing.agreed.accepted.clone();
    let open = OpenTenant { company, slug, name, email: email.clone(), password, agreed };
    open.check()?;
    // One sign-up has one ledger, whoever asks how often.
    let ledger = match &standing.state.company {
        Some(company) => company.tenant,
        None => app.vault.append_id(ROOT, holder.actor.id, OpenTenant::NAME, "")?,
    };
    let submit = SubmitSignUp { tenant: ledger, slug: open.slug.clone(), must_pay: standing.must_pay };
    step(app, holder, submit, call).await?;
    app.open_ledger(ledger, call.now_us).await.map_err(Problem::failed)?;
    let owner = app.vault.subject_for(ledger, "member", &email)?;
    let founding = Principal::member(ledger, owner, None).allow::<OpenTenant>()?;
    let password = open.password.clone();
    let last = match execute(app, &founding, open, &plain(call)).await {
        Ok(done) => done.span.map_or(0, |span| span.last),
        // It was made before, by a request that was not answered or in another tab: whoever knows the password goes in.
        Err(problem) if problem.code == "tenant.exists" => {
            app.limiter.guess(format!("code {owner}"))?;
            if !password::check(app, ledger, owner, &password).await?.0 {
                return Err(Problem::new("sign_up.already_done"));
            }
            app.log.head(ledger).await?.map_or(0, |head| head.size.saturating_sub(1))
        }
        Err(problem) => return Err(problem),
    };
    step(app, holder, ProvisionTenant {}, call).await?;
    app.wait(ledger, last).await?;
    let logged_in = session::start(app, ledger, owner, LoginMethod::Joining, &plain(call)).await?;
    Ok((logged_in, last))
}

/// Destroys the keys of addresses of sign-ups that were over long ago. A company has its owner's address under a key of
/// its own. Returns how many.
pub async fn forget(app: &App, now_us: i64, most: usize) -> Result<usize, Problem> {
    let over = keiin_projections::sign_up::over(&app.read, now_us - KEPT_US, most)?;
    for id in &over {
        // Another node may have been faster.
        if app.vault.newest_subject_key(ROOT, *id)?.is_some() {
            keys::erase(app, ROOT, *id, keys::stamp(now_us)).await.map_err(Problem::failed)?;
        }
    }
    Ok(over.len())
}

/// All steps at once, by the server itself: for the demonstration and for measurements. Returns the company's ledger.
pub async fn at_once(app: &App, email: &str, form: NewTenant, call: &Call) -> Result<Uuid, Problem> {
    let holder = holder(app, &begin(app, email, call).await?)?;
    let code = app.vault.get(CODE, holder.actor.id.as_bytes())?.ok_or_else(|| Problem::failed("a code was made"))?;
    verify(app, &holder, &String::from_utf8_lossy(&code.value), call).await?;
    accept(app, &holder, app.legal.agreement(), call).await?;
    let (logged_in, _) = provision(app, &holder, form, call).await?;
    Ok(logged_in.principal.ledger)
}
