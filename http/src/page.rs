//! Pages: templates of `http/templates/` filled with the answers of queries, in the reader's language.
//!
//! Invariants: what a template prints is escaped; a name that is missing from the context fails the page, unless the
//! template asks first (`{% if document.number %}`: optional fields are absent, never null); a text that is missing
//! fails the page too. What each template expects is in `http/templates/README.md`.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fluent_bundle::{FluentArgs, FluentValue};
use keiin_domain::catalog::{self, Visit};
use keiin_domain::command::Aggregate;
use keiin_domain::event::Event;
use keiin_domain::role::{Permission, Role};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::assets::Assets;
use crate::carrier;
use crate::locale::{Lang, Texts};

pub mod format;
#[cfg(test)]
mod tests;

use format::Style;

/// In the order of a sale.
const DOCUMENT_TYPES: [&str; 7] =
    ["quote", "order_slip", "order_confirmation", "delivery_slip", "acceptance", "invoice", "receipt"];
/// Kinds of the log's own records.
const LEDGER_KINDS: [&str; 6] = [
    "ledger.opened", "ledger.key_rotated", "ledger.key_replaced", "ledger.restored", "ledger.subject_erased",
    "ledger.closed",
];
/// The fixed part of a leaf (docs/LOG-FORMAT.md): text key, first byte, byte after the last.
const LEAF_LAYOUT: [(&str, usize, usize); 20] = [
    ("format", 0, 2),
    ("sealing", 2, 3),
    ("flags", 3, 4),
    ("generation", 4, 6),
    ("version", 6, 8),
    ("position", 8, 16),
    ("ledger", 16, 32),
    ("prev", 32, 64),
    ("time", 64, 72),
    ("append", 72, 88),
    ("index", 88, 92),
    ("epoch", 92, 96),
    ("cause", 96, 104),
    ("stream", 104, 120),
    ("stream-version", 120, 128),
    ("actor-kinds", 128, 132),
    ("actor", 132, 148),
    ("behalf", 148, 164),
    ("body-length", 164, 168),
    ("body-hash", 168, 200),
];

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Files;

/// All templates in both languages; built once.
pub struct Pages {
    ja: Environment<'static>,
    en: Environment<'static>,
}

impl Pages {
    /// Reads and compiles the embedded templates.
    ///
    /// # Errors
    /// Names the template whose syntax is wrong.
    pub fn new(texts: Arc<Texts>, assets: Arc<Assets>) -> anyhow::Result<Pages> {
        Ok(Pages { ja: environment(Lang::Ja, &texts, &assets)?, en: environment(Lang::En, &texts, &assets)? })
    }

    /// Fills in one template, named without `.html`. `context` is a map; `key`, if there are forms, is a fresh random
    /// string from which each form gets its own idempotency key.
    ///
    /// # Errors
    /// The template does not exist, or it uses something that `context` lacks: a bug on our side.
    pub fn render(&self, template: &str, lang: Lang, context: &impl Serialize) -> anyhow::Result<String> {
        let environment = match lang {
            Lang::Ja => &self.ja,
            Lang::En => &self.en,
        };
        let given = Value::from(Serde(context));
        let page = given.get_attr("key").ok().and_then(|key| key.as_str().map(str::to_owned));
        let context = minijinja::context! { key => keys(page), ..given };
        let rendered = environment.get_template(&format!("{template}.html")).and_then(|t| t.render(context));
        rendered.map_err(|error| anyhow::anyhow!("template {template}: {error:#}"))
    }

    /// Names of all templates, partials included.
    #[cfg(test)]
    fn names() -> impl Iterator<Item = String> {
        Files::iter().filter_map(|name| name.strip_suffix(".html").map(str::to_owned))
    }
}

/// One language's templates, functions and filters. Two environments instead of a variable: macros see no context.
fn environment(lang: Lang, texts: &Arc<Texts>, assets: &Arc<Assets>) -> anyhow::Result<Environment<'static>> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    env.add_global("lang", lang.code());
    env.add_global("document_types", Value::from_iter(DOCUMENT_TYPES));
    env.add_global(
        "roles",
        Value::from_iter(Role::OF_MEMBERS.into_iter().filter(|role| role.is_for_members()).map(Role::name)),
    );
    env.add_global("grantable", Value::from(Serde(grantable())));
    env.add_global("token_scopes", Value::from_iter(catalog::scopes()));
    env.add_global("event_kinds", Value::from_iter(event_kinds()));
    env.add_global("leaf_layout", Value::from(Serde(LEAF_LAYOUT)));

    let held = Arc::clone(texts);
    env.add_function("t", move |key: &str, args: Kwargs| {
        text(&held, lang, key, &args)?
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no text {key}, or an argument is missing")))
    });
    // For keys that come from data: what has no text of its own shows as it is.
    let held = Arc::clone(texts);
    env.add_function("t_or", move |key: &str, otherwise: Value, args: Kwargs| {
        let key = key.replace(['.', '_', ' ', '/'], "-");
        Ok::<_, Error>(text(&held, lang, &key, &args)?.map_or(otherwise, Value::from))
    });
    let held = Arc::clone(assets);
    env.add_function("asset", move |name: &str| {
        let path = held.path(name).map(str::to_owned);
        path.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no asset {name}")))
    });

    env.add_function("tracking_page", |carrier: &str, number: &str| {
        Value::from(carrier::of(carrier).and_then(|carrier| carrier.tracking_page(number)))
    });

    for (name, style) in [
        ("date", Style::Date),
        ("date_short", Style::DateShort),
        ("day", Style::Day),
        ("datetime", Style::DateTime),
        ("datetime_short", Style::DateTimeShort),
        ("clock", Style::Clock),
        ("clock_seconds", Style::ClockSeconds),
        ("stamp_date", Style::Stamp),
        ("iso_date", Style::Iso),
        ("iso_minute", Style::IsoMinute),
    ] {
        env.add_filter(name, move |text: &str| format::when(text, style, lang));
    }
    env.add_filter("money", |value: &Value| format::money(value));
    env.add_filter("grouped", |value: &Value| format::grouped(&value.to_string()));
    env.add_filter("hex_rows", hex_rows);

    for name in Files::iter().filter(|name| name.ends_with(".html")) {
        let bytes = Files::get(&name).expect("the name was listed").data.into_owned();
        let source = String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{name}: not UTF-8"))?;
        env.add_template_owned(name.to_string(), source).map_err(|error| anyhow::anyhow!("{error:#}"))?;
    }
    Ok(env)
}

/// What a permission set can hold, noun by noun.
fn grantable() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for permission in Permission::grantable() {
        match groups.last_mut().filter(|(noun, _)| *noun == permission.noun()) {
            Some((_, all)) => all.push(permission.0),
            None => groups.push((permission.noun(), vec![permission.0])),
        }
    }
    for (_, all) in &mut groups {
        // Seeing comes before changing.
        all.sort_by_key(|name| (!Permission(name).reads(), *name));
    }
    groups
}

/// Every kind of record that a ledger can hold, as the catalog lists them.
fn event_kinds() -> Vec<&'static str> {
    struct Collect(Vec<&'static str>);
    impl Visit for Collect {
        fn aggregate<A: Aggregate>(&mut self) {
            self.0.extend(A::Event::KINDS.iter().map(|(kind, _)| *kind));
        }
    }
    let mut all = Collect(Vec::new());
    catalog::catalog(&mut all);
    all.0.extend(LEDGER_KINDS);
    all.0.dedup();
    all.0
}

/// A text with the arguments of a template's call: numbers stay numbers, so that plurals work.
fn text(texts: &Texts, lang: Lang, key: &str, args: &Kwargs) -> Result<Option<String>, Error> {
    let mut filled = FluentArgs::new();
    for name in args.args() {
        let value: Value = args.get(name)?;
        let value = match i64::try_from(value.clone()) {
            Ok(number) if value.is_number() => FluentValue::from(number),
            _ if value.is_undefined() => {
                return Err(Error::new(ErrorKind::UndefinedError, format!("argument {name} of text {key}")));
            }
            _ => FluentValue::String(Cow::Owned(value.to_string())),
        };
        filled.set(name.to_owned(), value);
    }
    Ok(texts.try_get(lang, key, &filled))
}

/// A new idempotency key for each form of a page: the page's random string and a number.
fn keys(page: Option<String>) -> Value {
    let number = AtomicUsize::new(0);
    Value::from_function(move || {
        let page = page.as_deref();
        let page = page.ok_or_else(|| Error::new(ErrorKind::UndefinedError, "a page with forms needs `key`"))?;
        Ok::<_, Error>(format!("{page}-{}", number.fetch_add(1, Ordering::Relaxed)))
    })
}

/// Bytes `from..to` of a hex text, in rows of 16 bytes with a space after every second byte.
fn hex_rows(hex: &str, from: usize, to: Option<usize>) -> String {
    let to = to.unwrap_or(hex.len() / 2).min(hex.len() / 2);
    let bytes = hex.get(from * 2..to * 2).unwrap_or_default();
    let mut out = String::new();
    for (at, digit) in bytes.chars().enumerate() {
        if at > 0 && at % 32 == 0 {
            out.push('\n');
        } else if at > 0 && at % 4 == 0 {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
