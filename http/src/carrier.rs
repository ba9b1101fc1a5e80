//! Who takes along what goes out by post.
//!
//! Today there is one way: people at the print station put papers into envelopes and take them to the post office
//! ([`AtTheStation`]). An agency that prints and posts (郵便代行) would be another [`Carrier`]: it takes the print job as one PDF,
//! and says later what became of it. Its answers would become the same events as those of people: `postal_item.printed`,
//! `postal_item.dispatched`, `postal_item.returned`, sent by the server as the commands of the catalog.

use keiin_domain::postal_item::Carrier as Code;

/// A way on which an item leaves the house.
pub trait Carrier: Send + Sync {
    /// Where anybody can see how far an item has come, by its number; `None` where there is no such page.
    fn tracking_page(&self, tracking_number: &str) -> Option<String>;
}

/// People print and post; the post office is Japan Post.
pub struct AtTheStation;

impl Carrier for AtTheStation {
    fn tracking_page(&self, number: &str) -> Option<String> {
        const PAGE: &str = "https://trackings.post.japanpost.jp/services/srv/search/direct?locale=ja&reqCodeNo1=";
        let known = !number.is_empty() && number.bytes().all(|b| b.is_ascii_alphanumeric());
        known.then(|| format!("{PAGE}{number}"))
    }
}

/// The carrier of a name in events and columns.
pub fn of(name: &str) -> Option<&'static dyn Carrier> {
    match Code::from_name(name)? {
        Code::JapanPost => Some(&AtTheStation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_leads_to_a_page() {
        let post = of("japan_post").expect("it is known");
        assert!(post.tracking_page("12345678901").is_some_and(|page| page.ends_with("=12345678901")));
        for bad in ["", "1&x=2", "../"] {
            assert_eq!(post.tracking_page(bad), None, "{bad}");
        }
        assert!(of("nobody").is_none());
    }
}
