//! Languages and texts. Every word that a person reads outside of their own data is in `locales/<language>/*.ftl`.
//!
//! Invariant: both languages have the same keys with the same arguments; a text that is missing is a bug that a test finds.

use std::borrow::Cow;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use rust_embed::RustEmbed;

use crate::page::format::grouped;

/// A language of the pages, mails and problem texts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Lang {
    /// Japanese; what somebody gets who asks for neither.
    #[default]
    Ja,
    /// English.
    En,
}

impl Lang {
    /// Both.
    pub const ALL: [Lang; 2] = [Lang::Ja, Lang::En];

    /// `ja` or `en`.
    pub fn code(self) -> &'static str {
        match self {
            Lang::Ja => "ja",
            Lang::En => "en",
        }
    }

    /// Reads `ja`, `en`, and tags that begin with them (`en-GB`, `ja_JP`).
    pub fn parse(tag: &str) -> Option<Lang> {
        match tag.split(['-', '_']).next()?.trim().to_ascii_lowercase().as_str() {
            "ja" => Some(Lang::Ja),
            "en" => Some(Lang::En),
            _ => None,
        }
    }

    /// The language of an answer: `?lang=`, then the cookie, then `Accept-Language`, then Japanese. Whoever knows the
    /// member's own choice passes it as the cookie when there is none.
    pub fn negotiate(query: Option<&str>, cookie: Option<&str>, accept_language: Option<&str>) -> Lang {
        let asked = || query.and_then(Lang::parse);
        let chosen = || cookie.and_then(Lang::parse);
        let preferred = || accept_language.and_then(most_wanted);
        asked().or_else(chosen).or_else(preferred).unwrap_or_default()
    }
}

/// The language with the highest weight in an `Accept-Language` header (RFC 9110, 12.5.4); the first of equals.
fn most_wanted(header: &str) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for range in header.split(',') {
        let mut parts = range.split(';');
        let Some(lang) = parts.next().and_then(Lang::parse) else { continue };
        let weight = parts.find_map(|p| p.trim().strip_prefix("q=")?.trim().parse::<f32>().ok()).unwrap_or(1.0);
        if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

#[derive(RustEmbed)]
#[folder = "locales/"]
struct Files;

/// The texts of both languages; built once.
pub struct Texts {
    ja: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

impl Texts {
    /// Reads the embedded files.
    ///
    /// # Errors
    /// Names the file whose grammar is wrong or that defines a key again.
    pub fn new() -> anyhow::Result<Texts> {
        Ok(Texts { ja: bundle(Lang::Ja)?, en: bundle(Lang::En)? })
    }

    /// The text, with `args` filled in; `None` if there is no such key or an argument is missing.
    pub fn try_get(&self, lang: Lang, key: &str, args: &FluentArgs<'_>) -> Option<String> {
        let bundle = match lang {
            Lang::Ja => &self.ja,
            Lang::En => &self.en,
        };
        let pattern = bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(args), &mut errors).into_owned();
        errors.is_empty().then_some(text)
    }

    /// The text, with `args` filled in. A missing text shows as its key: better than no answer, and a test finds it.
    pub fn get(&self, lang: Lang, key: &str, args: &[(&str, &str)]) -> String {
        let args: FluentArgs<'_> =
            args.iter().map(|(name, value)| (*name, FluentValue::String(Cow::Borrowed(*value)))).collect();
        self.try_get(lang, key, &args).unwrap_or_else(|| key.to_owned())
    }

    /// Is there such a text?
    pub fn has(&self, key: &str) -> bool {
        self.ja.has_message(key) && self.en.has_message(key)
    }
}

fn bundle(lang: Lang) -> anyhow::Result<FluentBundle<FluentResource>> {
    let tag = lang.code().parse().expect("ja and en are language tags");
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // The direction marks that Fluent puts around arguments break copying, and neither language is written right to left.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(|value, _| match value {
        FluentValue::Number(number) => Some(grouped(&number.as_string())),
        _ => None,
    }));
    for name in Files::iter().filter(|name| name.starts_with(lang.code())) {
        let bytes = Files::get(&name).expect("the name was listed").data.into_owned();
        let text = String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{name}: not UTF-8"))?;
        let resource = FluentResource::try_new(text).map_err(|(_, errors)| anyhow::anyhow!("{name}: {errors:?}"))?;
        bundle.add_resource(resource).map_err(|errors| anyhow::anyhow!("{name}: {errors:?}"))?;
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_asked_for_then_the_one_chosen_then_the_one_preferred() {
        let negotiate = Lang::negotiate;
        assert_eq!(negotiate(Some("en"), Some("ja"), Some("ja")), Lang::En);
        assert_eq!(negotiate(Some("fr"), Some("en"), Some("ja")), Lang::En);
        assert_eq!(negotiate(None, None, Some("fr, en-GB;q=0.8, ja;q=0.9")), Lang::Ja);
        assert_eq!(negotiate(None, None, Some("en-US,en;q=0.9")), Lang::En);
        assert_eq!(negotiate(None, None, Some("ja;q=0, en;q=0.1")), Lang::En);
        for nothing in [None, Some(""), Some("fr"), Some(";;q=,,"), Some("*")] {
            assert_eq!(negotiate(nothing, nothing, nothing), Lang::Ja, "{nothing:?}");
        }
    }

    #[test]
    fn numbers_are_grouped_and_plural_in_their_language() {
        let texts = Texts::new().expect("the texts are read");
        let args = |n: i64| FluentArgs::from_iter([("n", FluentValue::from(n))]);
        assert_eq!(texts.try_get(Lang::Ja, "n-records", &args(1_204_318)).as_deref(), Some("1,204,318件"));
        assert_eq!(texts.try_get(Lang::En, "n-records", &args(1_204_318)).as_deref(), Some("1,204,318 records"));
        assert_eq!(texts.try_get(Lang::En, "n-records", &args(1)).as_deref(), Some("1 record"));
        assert_eq!(texts.try_get(Lang::En, "n-records", &FluentArgs::new()), None, "a missing argument is not a text");
        assert_eq!(texts.get(Lang::En, "no-such-key", &[]), "no-such-key");
    }
}
