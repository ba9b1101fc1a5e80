//! Commands by name: what the API's routes and the console's forms share, and what of them is not the same for all.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use keiin_domain::catalog::{Visit, catalog};
use keiin_domain::command::{Command, Route};
use keiin_domain::role::Permission;
use serde_json::Value;

use crate::app::App;
use crate::execute::{Call, Done, execute};
use crate::json;
use crate::principal::Principal;
use crate::problem::Problem;

type Doing<'a> = Pin<Box<dyn Future<Output = Result<Done, Problem>> + Send + 'a>>;

/// One command, its type erased: the router makes its machinery once and not once a command.
pub struct Entry {
    /// Snake case.
    pub name: &'static str,
    /// How it is reached.
    pub route: Route,
    /// Who may.
    pub permission: Permission,
    /// Takes no request without an Idempotency-Key.
    pub needs_key: bool,
    run: for<'a> fn(&'a App, &'a Principal, &'a Call, Value) -> Doing<'a>,
}

/// Those that are reached from outside, in the order of the catalog.
pub static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    struct Collect(Vec<Entry>);
    impl Visit for Collect {
        fn command<C: Command>(&mut self) {
            if !C::ROUTE.method.is_empty() {
                self.0.push(Entry::of::<C>());
            }
        }
    }
    let mut collect = Collect(vec![]);
    catalog(&mut collect);
    collect.0
});

impl Entry {
    /// A command.
    pub fn of<C: Command>() -> Entry {
        let (name, route, permission, needs_key) = (C::NAME, C::ROUTE, C::PERMISSION, C::NEEDS_KEY);
        Entry { name, route, permission, needs_key, run: run::<C> }
    }

    /// Does it need If-Match?
    pub fn needs_version(&self) -> bool {
        let Route { method, path, creates, anytime } = self.route;
        !creates && !anytime && (path.contains("{id}") || matches!(method, "PUT" | "PATCH"))
    }

    /// Checks permission and fields, then executes.
    pub async fn run(&self, app: &App, principal: &Principal, call: &Call, body: Value) -> Result<Done, Problem> {
        (self.run)(app, principal, call, body).await
    }
}

fn run<'a, C: Command>(app: &'a App, principal: &'a Principal, call: &'a Call, body: Value) -> Doing<'a> {
    Box::pin(async move {
        let allowed = principal.allow::<C>()?;
        let command: C = json::typed(body)?;
        execute(app, &allowed, command, call).await
    })
}
