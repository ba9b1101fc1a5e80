//! Papers of the post, read back by poppler: where the address stands, that the longest is complete and inside its label, that the
//! same items give the same bytes.

#[allow(dead_code)]
mod papers;
#[allow(dead_code)]
mod poppler;

use keiin_domain::client::Honorific;
use keiin_domain::date::Date;
use keiin_domain::document::DocumentType;
use keiin_domain::money::Money;
use keiin_domain::postage::{Extra, Service};
use keiin_domain::postal_item::PostalAddress;
use keiin_formats::pdf::post::{Cover, Enclosed, From, Item, Layout, Manifest, cover, labels, manifest};
use keiin_formats::pdf::{Error, merge, pages, render};

/// Points in a millimetre.
const MM: f32 = 72.0 / 25.4;
const DAY: Date = Date(20_779);

fn address() -> PostalAddress {
    PostalAddress {
        name: "株式会社国立印刷局サービス".into(),
        department: "経理部".into(),
        attention: String::new(),
        honorific: Honorific::Onchu,
        postal_code: "1058445".into(),
        region: "東京都".into(),
        locality: "港区".into(),
        street_address: "虎ノ門2-2-5".into(),
        extended_address: "共同通信会館5階".into(),
        message: "いつもお世話になっております。11月分のご請求書をお送りします。".into(),
    }
}

/// Every field as long as the domain allows.
fn longest() -> PostalAddress {
    PostalAddress {
        name: "長い名前の会社".chars().cycle().take(80).collect(),
        department: "部署の名前".chars().cycle().take(80).collect(),
        attention: "担当者名".chars().cycle().take(80).collect(),
        region: "都道府県".chars().cycle().take(40).collect(),
        locality: "市区町村".chars().cycle().take(80).collect(),
        street_address: "町名番地".chars().cycle().take(120).collect(),
        extended_address: "建物階".chars().cycle().take(120).collect(),
        message: "文章を書きます。".chars().cycle().take(600).collect(),
        ..address()
    }
}

/// Sixty characters without a space.
fn sixty() -> PostalAddress {
    let name = "独立行政法人国際総合技術開発研究機構東日本統括本部広域連携推進事業部先端素材応用研究開発第一部門企画調整室御担当窓口様方".chars();
    PostalAddress { name: name.take(60).collect(), department: String::new(), ..address() }
}

fn item(n: u32, to: Option<PostalAddress>) -> Item {
    Item {
        reference: format!("N893-8NK{n}"),
        to,
        service: Service::Letter,
        extras: if n % 2 == 1 { vec![Extra::Express, Extra::SimpleRegistered] } else { vec![] },
        weight_g: 19,
        postage: Money::yen(if n % 2 == 1 { 760 } else { 110 }),
    }
}

fn from() -> From {
    From {
        name: "株式会社ミナト製作所".into(), address: "東京都港区芝公園4-2-8 ミナトビル5階".into()
    }
}

fn sheet(to: Option<PostalAddress>, documents: usize) -> Cover {
    let one = |n: usize| Enclosed {
        document_type: Some(if n.is_multiple_of(2) { DocumentType::Invoice } else { DocumentType::DeliverySlip }),
        number: format!("INV-2026-{n:04}"),
        title: format!("2026年11月分 システム保守 その{n}"),
        pages: 1 + n as u32 % 3,
    };
    Cover { item: item(1, to), from: from(), date: DAY, enclosed: (0..documents).map(one).collect() }
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn drawn(pdf: &[u8]) -> String {
    squeezed(&poppler::run("pdftotext", &["-raw", "FILE", "-"], pdf))
}

/// Set to a folder to look at the papers.
fn keep(name: &str, pdf: &[u8]) {
    if let Some(folder) = std::env::var_os("KEIIN_TEST_PAPERS") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.pdf")), pdf).expect("the folder exists");
    }
}

#[test]
fn ml_32_the_address_stands_in_the_window() {
    for (name, to) in [("cover", address()), ("cover-longest", longest()), ("cover-sixty", sixty())] {
        let file = cover(&sheet(Some(to.clone()), 20)).expect("a cover sheet");
        keep(name, &file);
        assert_eq!(pages(file.clone()), Some(1), "{name}");
        let text = drawn(&file);
        let parts = [&to.name, &to.street_address, &to.extended_address, &to.message];
        for part in parts {
            assert!(text.contains(&squeezed(part)), "{name}: {part} in {text}");
        }
        let words = poppler::words(&file);
        let window = [20.0 * MM, 16.0 * MM, 106.0 * MM, 57.0 * MM];
        let inside = |at: [f32; 4]| at[0] >= window[0] - 0.5 && at[2] <= window[2] + 0.5 && at[3] <= window[3] + 1.0;
        let code = words.iter().find(|word| word.text.starts_with("〒105-8445")).expect("the postal code");
        assert!(inside(code.at), "{name}: {code:?}");
        // Nothing else is seen through it: what stands that high and that far to the left is the address.
        let seen: String = words
            .iter()
            .filter(|word| word.at[0] < window[2] && word.at[1] < window[3])
            .map(|word| word.text.as_str())
            .collect();
        assert!(
            words.iter().filter(|word| word.at[0] < window[2] && word.at[1] < window[3]).all(|word| inside(word.at)),
            "{name}"
        );
        assert!(seen.starts_with("〒105-8445"), "{name}: {seen}");
        assert!(!seen.contains("ミナト"), "{name}: the sender stands beside the window");
    }
    let short = cover(&sheet(Some(address()), 1)).expect("a cover sheet");
    let text = drawn(&short);
    for part in ["経理部御中", "書類送付のご案内", "請求書", "INV-2026-0000", "N893-8NK1", "手紙・速達・簡易書留"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn whoever_it_goes_to_in_the_end_has_the_honorific() {
    let set = |to: PostalAddress| drawn(&cover(&sheet(Some(to), 1)).expect("a cover sheet"));
    let person = |name: &str| PostalAddress { name: name.into(), honorific: Honorific::Sama, ..address() };
    assert!(set(PostalAddress { attention: "鈴木 一郎".into(), ..address() }).contains("経理部鈴木一郎様"));
    assert!(set(PostalAddress { department: String::new(), ..address() }).contains("サービス御中"));
    assert!(set(PostalAddress { department: String::new(), ..person("吉田 一郎") }).contains("吉田一郎様"));
}

#[test]
fn every_label_is_complete_and_inside_its_edges() {
    for (layout, columns, width, height) in [(Layout::Twelve, 2, 86.4, 42.3), (Layout::TwentyFour, 3, 66.0, 33.9)] {
        let rows = layout.places() / columns;
        let left = (210.0 - columns as f32 * width) / 2.0;
        let top = (297.0 - rows as f32 * height) / 2.0;
        for (name, to) in [("usual", address()), ("longest", longest()), ("sixty", sixty())] {
            let items: Vec<Item> = (0..layout.places() as u32).map(|n| item(n, Some(to.clone()))).collect();
            // Beginning with the last place of the first sheet.
            let file = labels(&items, layout, layout.places(), DAY).expect("labels");
            keep(&format!("labels-{columns}-{name}"), &file);
            assert_eq!(pages(file.clone()), Some(2));
            let text = drawn(&file);
            for part in [&to.name, &to.department, &to.attention, &to.street_address, &to.extended_address] {
                assert!(text.matches(&squeezed(part)).count() >= items.len(), "{name}: {part}");
            }
            for word in poppler::words(&file) {
                let place = |at: f32, from: f32, size: f32| ((at / MM - from) / size).floor();
                let (x, y) = (place(word.at[0], left, width), place(word.at[1] + 1.0, top, height));
                let fits = word.at[2] <= (left + (x + 1.0) * width - 2.0) * MM
                    && word.at[3] <= (top + (y + 1.0) * height - 2.0) * MM;
                assert!(fits && x >= 0.0 && (y as usize) < rows, "{name} {layout:?}: {word:?}");
                assert!(word.page > 0 || (x as usize, y as usize) == (columns - 1, rows - 1), "{name}: {word:?}");
            }
        }
    }
}

#[test]
fn whoever_was_erased_is_on_no_paper() {
    let erased = labels(&[item(1, None)], Layout::Twelve, 1, DAY).expect("labels");
    assert!(drawn(&erased).contains("宛先は消去されました"));
    let erased = cover(&sheet(None, 1)).expect("a cover sheet");
    assert!(drawn(&erased).contains("宛先は消去されました") && !drawn(&erased).contains('〒'));
}

#[test]
fn a_list_says_what_it_comes_to() {
    let items: Vec<Item> =
        (0..60).map(|n| item(n, Some(if n.is_multiple_of(7) { sixty() } else { address() }))).collect();
    let list = Manifest { from: from(), date: DAY, items };
    let file = manifest(&list).expect("a list");
    keep("manifest", &file);
    assert_eq!(pages(file.clone()), Some(2));
    let text = drawn(&file);
    for part in ["郵便物差出票", "30通¥3,300-", "30通¥22,800-", "合計60通¥26,100-", "受領印", "2026年11月22日"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    keep("manifest-short", &manifest(&Manifest { items: list.items[..2].to_vec(), ..list }).expect("a list"));
}

#[test]
fn a_print_job_has_all_pages_in_their_order() {
    let first = cover(&sheet(Some(address()), 2)).expect("a cover sheet");
    let [one, many] = [papers::one_line(), papers::forty_lines()].map(|paper| render(&paper).expect("a paper"));
    let job = merge(vec![first.clone(), one.clone(), many.clone()]).expect("a print job");
    keep("job", &job);
    let count = |file: &[u8]| pages(file.to_vec()).expect("a PDF");
    assert_eq!(count(&job), count(&first) + count(&one) + count(&many));
    let text = drawn(&job);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
    assert!(at("書類送付のご案内") < at("INV-2026-0042"));
    assert_eq!(job, merge(vec![first, one, many]).expect("a print job"), "the same bytes");
    assert!(matches!(merge(vec![b"no file".to_vec()]), Err(Error::Standard(_))));
    assert_eq!(pages(b"no file".to_vec()), None);
}

#[test]
fn the_same_items_give_the_same_bytes() {
    let items = [item(1, Some(address())), item(2, Some(longest()))];
    assert_eq!(labels(&items, Layout::Twelve, 3, DAY).unwrap(), labels(&items, Layout::Twelve, 3, DAY).unwrap());
    let list = Manifest { from: from(), date: DAY, items: items.to_vec() };
    assert_eq!(manifest(&list).unwrap(), manifest(&list).unwrap());
    let cover_sheet = sheet(Some(address()), 3);
    assert_eq!(cover(&cover_sheet).unwrap(), cover(&cover_sheet).unwrap());
}

#[test]
fn a_character_that_the_font_lacks_is_named_with_its_field() {
    let odd = PostalAddress { name: "𠮷田商店".into(), ..address() };
    for made in [
        labels(&[item(1, Some(odd.clone()))], Layout::Twelve, 1, DAY),
        manifest(&Manifest { from: from(), date: DAY, items: vec![item(1, Some(odd.clone()))] }),
    ] {
        let Err(Error::Missing(missing)) = made else { panic!("it was printed") };
        assert_eq!((missing[0].field.as_str(), missing[0].character), ("/items/0/name", '𠮷'));
    }
    let Err(Error::Missing(missing)) = cover(&sheet(Some(odd), 1)) else { panic!("it was printed") };
    assert_eq!(missing[0].field, "/to/name");
}
