//! Who and what occurs in the demonstration: names, addresses, goods. All of it is made up.

use keiin_domain::client::{ContactInput, Honorific, RegisterClient};
use keiin_domain::document::{DocumentType, LineInput};
use keiin_domain::role::Role;
use keiin_domain::tax::TaxRate;

/// The company.
pub const COMPANY: &str = "株式会社ミナト製作所";
/// Its short name.
pub const SLUG: &str = "minato";
/// Its qualified-invoice number.
pub const REGISTRATION_NUMBER: &str = "T3020001012345";
/// As printed on its documents.
pub const ADDRESS: &str = "神奈川県横浜市鶴見区末広町2-1-14";
/// As printed on its documents.
pub const BANK_DETAILS: &str = "みなと銀行 鶴見支店\n普通 1234567 カ）ミナトセイサクシヨ";
/// Where its first kiosk stands.
pub const HEAD_OFFICE: &str = "本社 1階受付";
/// Where its second kiosk stands.
pub const FACTORY: &str = "川崎工場 正門";

/// Somebody with an account.
pub struct Person {
    pub name: &'static str,
    pub email: &'static str,
    pub role: Role,
}

pub const HANAKO: usize = 0;
pub const KEN: usize = 1;
pub const EMILY: usize = 2;
pub const MAKOTO: usize = 3;
pub const TARO: usize = 4;

/// The company's members; the first signs it up.
pub const PEOPLE: [Person; 5] = [
    Person { name: "田中 花子", email: "hanako.tanaka@minato.example", role: Role::Owner },
    Person { name: "佐藤 健", email: "ken.sato@minato.example", role: Role::Admin },
    Person { name: "Emily Clark", email: "emily.clark@minato.example", role: Role::Member },
    Person { name: "髙橋 誠", email: "makoto.takahashi@minato.example", role: Role::Accountant },
    Person { name: "監査 太郎", email: "taro.kansa@audit.example", role: Role::Auditor },
];

/// Somebody at a client, who has an inbox.
pub const RECIPIENT: Person =
    Person { name: "山﨑 由美", email: "keiri@yamazaki-seiki.example", role: Role::Recipient };

/// Whose goods have English names.
pub const NORTHWIND: usize = 2;
/// How many clients there are.
pub const CLIENTS: usize = 6;

/// How their names are read.
const READINGS: [&str; CLIENTS] = [
    "ヤマザキセイキ",
    "",
    "ノースウィンドトレーディング",
    "ウミカゼショクヒン",
    "アオバシヤクショ",
    "コバヤシ イチロウ",
];

/// A client's details: name, whose number is `number`, town, and whom to write to.
pub fn client(index: usize) -> RegisterClient {
    let (name, number, postal_code, region, locality, street, contact, email) = match index {
        0 => (
            "有限会社山﨑精機",
            "T1030005678901",
            "333-0844",
            "埼玉県",
            "川口市",
            "上青木3-12-18",
            "山﨑 隆",
            "yamazaki@yamazaki-seiki.example",
        ),
        // 60 characters: what fits into the window of an envelope is a question of its own.
        1 => (
            "一般社団法人関東甲信越地域ものづくり産業人材育成生産技術高度化推進協議会連合会東京都港区芝浦地区支部運営事務局総務経理課",
            "T3010401099999",
            "108-0023",
            "東京都",
            "港区",
            "芝浦3-4-1",
            "小川 真由美",
            "keiri@monozukuri.example",
        ),
        2 => (
            "Northwind Trading K.K.", "T7010005001234", "150-0002", "東京都", "渋谷区", "渋谷2-21-1", "Daniel Moore",
            "ap@northwind.example",
        ),
        3 => (
            "海風食品株式会社", "T9120001098765", "552-0007", "大阪府", "大阪市港区", "弁天1-2-30", "中村 美咲",
            "nakamura@umikaze.example",
        ),
        4 => {
            ("青葉市役所", "", "980-0811", "宮城県", "青葉市", "一番町4-7-1", "総務課 鈴木", "soumu@city-aoba.example")
        }
        _ => (
            "小林 一郎", "", "221-0835", "神奈川県", "横浜市神奈川区", "鶴屋町2-19", "小林 一郎",
            "ichiro@kobayashi.example",
        ),
    };
    RegisterClient {
        name: name.into(),
        honorific: if index == 5 { Honorific::Sama } else { Honorific::Onchu },
        registration_number: number.into(),
        postal_code: postal_code.into(),
        region: region.into(),
        locality: locality.into(),
        street_address: street.into(),
        extended_address: if index == 2 { "渋谷スクエア 18F".into() } else { String::new() },
        reading: READINGS[index.min(5)].into(),
        registration_number_override: String::new(),
        contacts: vec![ContactInput { name: contact.into(), email: email.into(), ..ContactInput::default() }],
    }
}

/// What happens to a document after it was drafted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nothing.
    Draft,
    /// Its lines and its date are changed, no more.
    Edited,
    /// Somebody is asked to approve it, and has not answered yet.
    Asked,
    /// It gets its number.
    Issued,
    /// It is mailed and opened this often.
    Sent(u32),
    /// The mail comes back.
    Bounced,
    /// The link's time runs out before anybody looks.
    Expired,
    /// The link is withdrawn.
    Revoked,
    /// The money comes.
    Paid,
    /// Half of the money comes.
    PartPaid,
    /// The money does not come in time.
    Overdue,
    /// It was wrong, and is sent again.
    Corrected,
    /// It was a mistake.
    Cancelled,
}

/// A document.
pub struct Paper {
    pub kind: DocumentType,
    pub client: usize,
    pub title: &'static str,
    pub by: usize,
    /// Day of its draft, 1 to 13; yesterday is 13.
    pub day: i64,
    pub fate: Fate,
}

const fn paper(kind: DocumentType, client: usize, title: &'static str, by: usize, day: i64, fate: Fate) -> Paper {
    Paper { kind, client, title, by, day, fate }
}

/// The company's documents.
pub const PAPERS: [Paper; 26] = {
    use DocumentType::*;
    [
        paper(Quote, 0, "搬送治具の製作", EMILY, 1, Fate::Sent(2)),
        paper(Quote, 2, "Machined brackets, first lot", EMILY, 2, Fate::Sent(1)),
        paper(Quote, 1, "実習用教材一式", EMILY, 4, Fate::Expired),
        paper(Quote, 4, "庁舎案内板の修繕", KEN, 5, Fate::Cancelled),
        paper(Quote, 5, "門扉金具の製作", EMILY, 12, Fate::Draft),
        paper(OrderSlip, 3, "工場見学会の弁当と飲料", KEN, 2, Fate::Sent(1)),
        paper(OrderSlip, 3, "来客用茶菓", KEN, 9, Fate::Edited),
        paper(OrderConfirmation, 0, "搬送治具の製作", EMILY, 3, Fate::Sent(1)),
        paper(OrderConfirmation, 2, "Machined brackets, first lot", EMILY, 6, Fate::Issued),
        paper(DeliverySlip, 0, "搬送治具の製作", EMILY, 5, Fate::Issued),
        paper(DeliverySlip, 2, "Machined brackets, first lot", EMILY, 8, Fate::Sent(1)),
        paper(DeliverySlip, 4, "防災倉庫の棚", KEN, 10, Fate::Issued),
        paper(Acceptance, 3, "工場見学会の弁当と飲料", KEN, 7, Fate::Issued),
        paper(Invoice, 1, "安全教育用カットモデル", MAKOTO, 5, Fate::Overdue),
        paper(Invoice, 0, "搬送治具の製作", MAKOTO, 6, Fate::Paid),
        paper(Invoice, 2, "Prototype parts", MAKOTO, 7, Fate::Paid),
        paper(Invoice, 4, "防災倉庫の棚 前払分", MAKOTO, 8, Fate::PartPaid),
        paper(Invoice, 3, "充填ラインの部品", MAKOTO, 9, Fate::Corrected),
        paper(Invoice, 5, "表札の製作", MAKOTO, 10, Fate::Cancelled),
        paper(Invoice, 0, "追加部品", MAKOTO, 11, Fate::Bounced),
        paper(Invoice, 2, "Machined brackets, first lot", MAKOTO, 11, Fate::Revoked),
        paper(Invoice, 4, "防災倉庫の棚 残金", MAKOTO, 12, Fate::Sent(0)),
        paper(Invoice, 1, "実習用教材の追加", MAKOTO, 13, Fate::Asked),
        paper(Receipt, 0, "搬送治具の製作", MAKOTO, 10, Fate::Sent(1)),
        paper(Receipt, 2, "Prototype parts", MAKOTO, 11, Fate::Issued),
        paper(OrderSlip, 5, DESIGN, KEN, 8, Fate::Issued),
    ]
};

/// What an individual designs: the payer keeps income tax back of the fee.
const DESIGN: &str = "製品カタログのデザイン";

/// One deal from the quote to the receipt: each of these papers was made from the one before.
pub const DEAL: [usize; 5] = [0, 7, 9, 14, 23];

/// The paper that another was made from.
pub fn origin(paper: usize) -> Option<usize> {
    let at = DEAL.iter().position(|one| *one == paper)?;
    at.checked_sub(1).map(|before| DEAL[before])
}

/// What happens to a visit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// In and out at the kiosk.
    Kiosk,
    /// In and out at the kiosk, with the eight digits.
    Typed,
    /// In and out at the reception desk.
    Desk,
    /// In after the visit should have ended.
    Late,
    /// Nobody came.
    NoShow,
    /// Called off.
    Cancelled,
    /// Put off by an hour, then in and out at the kiosk.
    Moved,
    /// In and out at the kiosk; later the visitor asked to be forgotten.
    Erased,
    /// Came without being expected, and left.
    WalkIn,
    /// In the house now.
    Here,
    /// Came today without being expected, and is in the house now.
    WalkInHere,
    /// Expected within half an hour: the kiosk takes the code now.
    Soon,
    /// Expected.
    Expected,
}

/// A visitor.
pub struct Guest {
    pub name: &'static str,
    pub kana: &'static str,
    pub company: &'static str,
    /// Where the pass goes; none if empty.
    pub email: &'static str,
    pub host: usize,
    /// Day, 1 to 13 in the past, 15 on in the future; and hour, Japanese time.
    pub when: (i64, i64),
    pub course: Course,
}

const fn guest(
    name: &'static str,
    kana: &'static str,
    company: &'static str,
    email: &'static str,
    host: usize,
    when: (i64, i64),
    course: Course,
) -> Guest {
    Guest { name, kana, company, email, host, when, course }
}

/// The company's visitors.
pub const GUESTS: [Guest; 20] = [
    guest("山﨑 隆", "ﾔﾏｻﾞｷ ﾀｶｼ", "有限会社山﨑精機", "yamazaki@yamazaki-seiki.example", EMILY, (1, 14), Course::Kiosk),
    guest("中村 美咲", "ナカムラ ミサキ", "海風食品株式会社", "nakamura@umikaze.example", KEN, (2, 10), Course::Typed),
    guest("渡辺 実", "ワタナベ ミノル", "渡辺運送", "", KEN, (2, 15), Course::Desk),
    guest("Daniel Moore", "", "Northwind Trading K.K.", "daniel@northwind.example", EMILY, (3, 13), Course::Kiosk),
    guest("加藤 恵", "カトウ メグミ", "港北計測", "kato@kohoku.example", KEN, (4, 10), Course::Late),
    guest("吉田 大輔", "ヨシダ ダイスケ", "吉田工具", "yoshida@tool.example", HANAKO, (5, 11), Course::NoShow),
    guest("伊藤 さくら", "イトウ サクラ", "青葉市役所", "ito@city-aoba.example", HANAKO, (5, 15), Course::Cancelled),
    guest("𠮷野 修", "ヨシノ オサム", "東海鋼材", "yoshino@tokai.example", EMILY, (6, 10), Course::Moved),
    guest("松本 亮", "", "みなと宅配", "", KEN, (6, 15), Course::WalkIn),
    guest("木村 拓", "キムラ タク", "木村塗装", "kimura@toso.example", EMILY, (7, 10), Course::Erased),
    guest("林 直子", "ハヤシ ナオコ", "林会計事務所", "hayashi@kaikei.example", HANAKO, (8, 13), Course::Kiosk),
    guest("清水 誠一", "シミズ セイイチ", "清水電設", "", KEN, (9, 9), Course::Desk),
    guest("Sofia Rossi", "", "Rossi Meccanica", "sofia@rossi.example", EMILY, (10, 14), Course::Kiosk),
    guest("井上 和也", "イノウエ カズヤ", "", "inoue@mail.example", KEN, (11, 16), Course::NoShow),
    guest(
        "小川 真由美",
        "オガワ マユミ",
        "ものづくり協議会",
        "keiri@monozukuri.example",
        HANAKO,
        (12, 10),
        Course::Kiosk,
    ),
    guest("岡田 健二", "", "", "", KEN, (13, 11), Course::WalkIn),
    guest("前田 由紀", "マエダ ユキ", "前田設計", "maeda@sekkei.example", EMILY, (14, 0), Course::Here),
    guest("藤田 勇", "", "藤田運輸", "", KEN, (14, 0), Course::WalkInHere),
    guest("長谷川 葵", "ハセガワ アオイ", "海風食品株式会社", "hasegawa@umikaze.example", KEN, (14, 0), Course::Soon),
    guest("Liam Novak", "", "Northwind Trading K.K.", "liam@northwind.example", EMILY, (15, 10), Course::Expected),
];

/// Description, unit, price of one, tax.
type Good = (&'static str, &'static str, &'static str, TaxRate);

const GOODS: [Good; 6] = [
    ("精密切削加工 A5052", "個", "4800", TaxRate::Standard),
    ("SUS304 板金曲げ加工", "枚", "2350", TaxRate::Standard),
    ("六角穴付ボルト M6×20", "本", "12.5", TaxRate::Standard),
    ("組立・調整作業", "時間", "6200", TaxRate::Standard),
    ("梱包・運送費", "式", "18000", TaxRate::Standard),
    ("表面処理 白アルマイト", "個", "780", TaxRate::Standard),
];
const GOODS_ENGLISH: [Good; 4] = [
    ("CNC bracket, A5052", "pcs", "5150", TaxRate::Standard),
    ("Anodising, clear", "pcs", "820", TaxRate::Standard),
    ("Inspection report", "set", "24000", TaxRate::Standard),
    ("Freight, Yokohama to Tokyo", "set", "21500", TaxRate::Standard),
];
/// At two rates of tax.
const CATERING: [Good; 4] = [
    ("弁当", "個", "980", TaxRate::Reduced),
    ("緑茶 500ml", "本", "118", TaxRate::Reduced),
    ("紙皿・割り箸", "組", "35", TaxRate::Standard),
    ("配膳", "時間", "2400", TaxRate::Standard),
];

const FEES: [Good; 2] =
    [("デザイン料", "式", "180000", TaxRate::Standard), ("撮影料", "式", "60000", TaxRate::Standard)];

/// Lines of a document: the same for the same paper and revision in every demonstration.
pub fn lines(paper: usize, revision: u64) -> Vec<LineInput> {
    let Paper { kind, client, title, .. } = PAPERS[paper];
    let goods: &[Good] = match (client, kind) {
        _ if title == DESIGN => &FEES,
        (NORTHWIND, _) => &GOODS_ENGLISH,
        (3, DocumentType::OrderSlip | DocumentType::Acceptance) => &CATERING,
        _ => &GOODS,
    };
    // Papers of one business have the same lines, so what was ordered is what is invoiced.
    let seed = PAPERS.iter().position(|p| p.title == title).unwrap_or(paper) as u64;
    let mut numbers = Numbers(0x6b65_6969_6e00 + seed * 16 + revision);
    let (first, count) = (numbers.below(goods.len() as u64) as usize, 2 + numbers.below(3) as usize);
    let picked = (0..count.min(goods.len())).map(|i| goods[(first + i) % goods.len()]);
    picked
        .map(|(description, unit, unit_price, tax_rate)| LineInput {
            description: description.into(),
            quantity: if matches!(unit, "式" | "set") { "1".into() } else { (2 + numbers.below(28)).to_string() },
            unit: unit.into(),
            unit_price: unit_price.into(),
            tax_rate,
            tax_inclusive: false,
            has_jp_withholding_tax: title == DESIGN,
        })
        .collect()
}

/// Numbers that look arbitrary and are the same in every demonstration: SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_name_has_60_characters_and_every_number_checks() {
        assert_eq!(client(1).name.chars().count(), 60);
        let numbers = (0..CLIENTS).map(|i| client(i).registration_number).filter(|n| !n.is_empty());
        for number in numbers.chain([REGISTRATION_NUMBER.to_owned()]) {
            assert!(keiin_domain::registration_number::corporate(&number, "").is_ok(), "{number}");
        }
    }

    #[test]
    fn what_was_quoted_is_what_is_invoiced_every_time() {
        let text = |paper: usize| format!("{:?}", lines(paper, 0));
        assert_eq!(text(0), text(14), "quote and invoice of one business");
        assert_ne!(text(0), text(1));
        assert_ne!(format!("{:?}", lines(17, 0)), format!("{:?}", lines(17, 1)), "a correction corrects");
    }
}
