//! Queries by name: what the API's GET routes, the console's pages and the answers to commands share.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use keiin_domain::data::DataClass;
use keiin_domain::role::Permission;
use keiin_projections::catalog::{self, VisitQueries};
use keiin_projections::query::{PAGING, Param, Params, Query};
use serde_json::Value;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::app::App;
use crate::execute::Call;
use crate::limit::Work;
use crate::look;
use crate::principal::Principal;
use crate::problem::Problem;

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send + 'a>>;
type Run = for<'a> fn(&'a App, &'a Principal, Params) -> Answer<'a>;

/// One query, its type erased.
pub struct Entry {
    /// Snake case.
    pub name: &'static str,
    /// GET path.
    pub path: &'static str,
    /// Who may.
    pub permission: Permission,
    /// The most delicate data that it shows.
    pub class: DataClass,
    /// Its own parameters.
    pub params: &'static [Param],
    /// Takes [`PAGING`] too.
    pub list: bool,
    run: Run,
}

/// All of them.
pub struct Queries(BTreeMap<&'static str, Entry>);

impl Queries {
    /// From the catalog.
    pub fn all() -> Queries {
        struct Collect(BTreeMap<&'static str, Entry>);
        impl VisitQueries for Collect {
            fn query<Q: Query>(&mut self) {
                self.0.insert(
                    Q::NAME,
                    Entry {
                        name: Q::NAME,
                        path: Q::PATH,
                        permission: Q::PERMISSION,
                        class: Q::CLASS,
                        params: Q::PARAMS,
                        list: Q::LIST,
                        run: run::<Q>,
                    },
                );
            }
        }
        let mut collect = Collect(BTreeMap::new());
        catalog::queries(&mut collect);
        Queries(collect.0)
    }

    /// Is there one of this name?
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// One by name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }

    /// Asks for somebody who looks: what they see of a person is written down before they see it.
    pub async fn run(
        &self,
        app: &App,
        principal: &Principal,
        name: &str,
        params: BTreeMap<String, String>,
        call: &Call,
    ) -> Result<Value, Problem> {
        let answer = self.ask(app, principal, name, params).await?;
        let entry = self.get(name).filter(|entry| !entry.list && entry.class.is_recorded());
        if let Some(seen) = entry.and_then(|entry| look::shown(name, entry.class, &answer)) {
            look::record(app, principal, seen, call).await?;
        }
        Ok(answer)
    }

    /// Checks permission and parameters, then asks.
    pub async fn ask(
        &self,
        app: &App,
        principal: &Principal,
        name: &str,
        params: BTreeMap<String, String>,
    ) -> Result<Value, Problem> {
        let entry = self.get(name).ok_or_else(|| Problem::failed(format!("no query is called {name}")))?;
        principal.check(entry.permission)?;
        let params = entry.read_params(params)?;
        let _turn = app.limiter.turn(principal.ledger, Work::Core).await;
        let answer = (entry.run)(app, principal, params);
        let here = Handle::current();
        match here.runtime_flavor() {
            // It takes a core for as long as it runs: whatever else is under way goes on beside it. For a single object
            // that would take longer than the question.
            RuntimeFlavor::MultiThread if !entry.is_of_one() => tokio::task::block_in_place(|| here.block_on(answer)),
            _ => answer.await,
        }
    }
}

impl Entry {
    /// Is it about one object, by its id?
    fn is_of_one(&self) -> bool {
        self.path.ends_with("{id}")
    }

    /// Parameters as the query takes them. An id in a path that is no id leads nowhere.
    pub fn read_params(&self, params: BTreeMap<String, String>) -> Result<Params, Problem> {
        let paging: &[Param] = if self.list { &PAGING } else { &[] };
        Params::read(params, &[self.params, paging]).map_err(|name| {
            if self.path.contains(&format!("{{{name}}}")) {
                return Problem::not_found();
            }
            Problem::at("request.bad_parameter", format!("/{name}"))
        })
    }
}

fn run<'a, Q: Query>(app: &'a App, principal: &'a Principal, params: Params) -> Answer<'a> {
    Box::pin(async move {
        let answer = Q::run(&app.read, &principal.who(), &params).await?;
        serde_json::to_value(answer).map_err(Problem::failed)
    })
}
