//! Who takes along what goes out by post.
//!
//! Today there is one way: people at the print station put papers into envelopes and hand them to somebody who is licensed for
//! letters, the post office ([`JapanPost`]) or 特定信書便 ([`Sagawa`]); they say to whom and under which number. An agency that
//! prints and posts (郵便代行) would be another [`Carrier`]: it takes the print job as one PDF, and says later what became of it. Its
//! answers would become the same events as those of people: `postal_item.printed`, `postal_item.dispatched`,
//! `postal_item.returned`, sent by the server as the commands of the catalog.

use keiin_domain::postal_item::Carrier as Code;

/// A way on which an item leaves the house.
pub trait Carrier: Send + Sync {
    /// Where anybody can see how far an item has come, by its number; `None` where there is no such page.
    fn tracking_page(&self, tracking_number: &str) -> Option<String>;
}

/// People print and post; the post office takes it along.
pub struct JapanPost;

/// People print; Sagawa fetches it.
pub struct Sagawa;

impl Carrier for JapanPost {
    fn tracking_page(&self, number: &str) -> Option<String> {
        page("https://trackings.post.japanpost.jp/services/srv/search/direct?locale=ja&reqCodeNo1=", number)
    }
}

impl Carrier for Sagawa {
    fn tracking_page(&self, number: &str) -> Option<String> {
        page("https://k2k.sagawa-exp.co.jp/p/web/okurijosearch.do?okurijoNo=", number)
    }
}

/// The address with the number behind it, if that is one.
fn page(address: &str, number: &str) -> Option<String> {
    let known = !number.is_empty() && number.bytes().all(|b| b.is_ascii_alphanumeric());
    known.then(|| format!("{address}{number}"))
}

/// The carrier of a name in events and columns.
pub fn of(name: &str) -> Option<&'static dyn Carrier> {
    match Code::from_name(name)? {
        Code::JapanPost => Some(&JapanPost),
        Code::Sagawa => Some(&Sagawa),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_leads_to_a_page() {
        for (name, host) in [("japan_post", "trackings.post.japanpost.jp"), ("sagawa", "k2k.sagawa-exp.co.jp")] {
            let carrier = of(name).expect("it is known");
            let leads = |page: String| page.starts_with(&format!("https://{host}/")) && page.ends_with("=12345678903");
            assert!(carrier.tracking_page("12345678903").is_some_and(leads), "{name}");
            for bad in ["", "1&x=2", "../"] {
                assert_eq!(carrier.tracking_page(bad), None, "{name} {bad}");
            }
        }
        assert!(of("nobody").is_none());
    }
}
