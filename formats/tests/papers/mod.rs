//! Papers that people send: what the tests print, look at and measure.

use keiin_domain::client::{Honorific, Profile};
use keiin_domain::date::Date;
use keiin_domain::document::{DocumentType, Line, Sender};
use keiin_domain::money::{Decimal, Money, Rounding};
use keiin_domain::tax::{self, TaxRate};
use keiin_formats::{Correction, Paper};

/// A line without tax in its price: description, quantity, unit, price, rate.
pub fn line(description: &str, quantity: &str, unit: &str, price: &str, tax_rate: TaxRate) -> Line {
    let (quantity, unit_price) = (Decimal::parse(quantity).unwrap(), Decimal::parse(price).unwrap());
    let amount = quantity.times(unit_price, Rounding::Floor).unwrap();
    let (description, unit) = (description.to_owned(), unit.to_owned());
    Line {
        description,
        quantity,
        unit,
        unit_price,
        tax_rate,
        tax_inclusive: false,
        amount,
        has_jp_withholding_tax: false,
    }
}

/// Adds the lines up as the domain does.
pub fn totalled(mut paper: Paper) -> Paper {
    let amounts: Vec<_> = paper.lines.iter().map(|line| (line.tax_rate, line.amount)).collect();
    paper.totals = tax::totals(&amounts, paper.is_tax_inclusive(), Rounding::Floor).unwrap();
    paper
}

/// An invoice with one line.
pub fn one_line() -> Paper {
    totalled(Paper {
        document_type: DocumentType::Invoice,
        number: "INV-2026-0042".into(),
        revision: 1,
        correction: None,
        title: "2026年11月分 システム保守".into(),
        issued_on: Date::of(2026, 11, 22),
        date: Date::of(2026, 11, 20),
        date_due: Some(Date::of(2026, 12, 31)),
        sender: Sender {
            name: "株式会社ミナト製作所".into(),
            registration_number: "T7000012050002".into(),
            address: "東京都港区芝公園4-2-8 ミナトビル5階".into(),
            bank_details: "みなと銀行 芝公園支店(店番 042)\n普通 1234567\nカ)ミナトセイサクショ".into(),
        },
        recipient: Profile {
            name: "国立印刷局".into(),
            honorific: Honorific::Onchu,
            registration_number: String::new(),
            registration_number_checks: true,
            postal_code: "1058445".into(),
            region: "東京都".into(),
            locality: "港区".into(),
            street_address: "虎ノ門2-2-5".into(),
            extended_address: "共同通信会館".into(),
        },
        lines: vec![line("システム保守費用(㈱ミナト 髙橋担当 ①期)", "1", "式", "100000", TaxRate::Standard)],
        totals: Default::default(),
        note: "恐れ入りますが、振込手数料は貴社にてご負担くださいますようお願いいたします。".into(),
        withholding: None,
        proviso: String::new(),
        has_tax_stamp: false,
        has_hanko: true,
        verify_url: "https://keiin.example.jp/v/8Yk2Qm4RtZpW".into(),
    })
}

/// Forty lines, most of them too long for one.
pub fn forty_lines() -> Paper {
    let works = [
        "受発注管理システム 第二期開発 要件定義および基本設計(打合せ議事録を含む)",
        "在庫照会画面の応答時間改善に伴うデータベース索引の見直しおよび検証作業",
        "サーバー監視",
        "帳票出力機能の改修(適格請求書の記載事項および端数処理への対応)",
        "利用者向け操作説明会の実施(東京・大阪・福岡の三会場、資料の印刷費を含む)",
    ];
    let lines = (0..40).map(|n| {
        let price = (12_345 * (n + 3)).to_string();
        line(&format!("{}. {}", n + 1, works[n % 5]), &(n % 7 + 1).to_string(), "人日", &price, TaxRate::Standard)
    });
    totalled(Paper {
        document_type: DocumentType::Quote,
        number: "QUO-2026-0007".into(),
        title: "受発注管理システム 第二期開発".into(),
        date_due: Some(Date::of(2027, 1, 31)),
        lines: lines.collect(),
        note: "本見積書の有効期限を過ぎた場合は、改めてお見積りいたします。\n納期は別途ご相談させてください。".into(),
        ..one_line()
    })
}

/// Three rates, a discount, prices without tax, fractions.
pub fn three_rates() -> Paper {
    totalled(Paper {
        document_type: DocumentType::DeliverySlip,
        number: "DLV-2026-0311".into(),
        title: "秋の催事 食材・備品一式".into(),
        lines: vec![
            line("りんごジュース 1L(青森県産ふじ)", "24", "本", "480", TaxRate::Reduced),
            line("精米 コシヒカリ", "12.5", "kg", "612.4", TaxRate::Reduced),
            line("業務用ラップ 45cm×50m", "10", "巻", "1250", TaxRate::Standard),
            line("郵便切手", "50", "枚", "110", TaxRate::Zero),
            line("まとめ買い値引き", "1", "式", "-1500", TaxRate::Standard),
        ],
        ..one_line()
    })
}

/// Sixty characters wherever a name stands, and withheld income tax.
pub fn long_names() -> Paper {
    let name = "一般社団法人日本全国地域産業振興および国際交流推進協議会 東日本統括本部 企画調整局 第二事業部 環境政策推進課 総務係";
    assert_eq!(name.chars().count(), 60);
    let name = name.to_owned();
    let mut paper = one_line();
    paper.recipient.name = name.clone();
    paper.recipient.street_address = "霞が関一丁目二番三号 中央合同庁舎第四十五号館 東棟".into();
    paper.recipient.extended_address = "二十七階 北側 環境政策推進課 総務係 気付 書類受付窓口".into();
    paper.sender.name = name.clone();
    paper.sender.address = "大阪府大阪市北区中之島三丁目十番地 大阪国際会議場 西館 一二三四号室".into();
    paper.title = name.clone();
    paper.lines = vec![
        line(&name, "1", "式", "1100000", TaxRate::Standard),
        line("弁護士報酬(着手金)", "2.5", "時間", "40000", TaxRate::Standard),
    ];
    totalled(Paper { withholding: Some(Money::yen(122_520)), ..paper })
}

/// A receipt with both frames; prices contain the tax.
pub fn receipt() -> Paper {
    let mut lines = vec![
        line("会議室利用料(11月20日 13:00〜17:00)", "4", "時間", "13750", TaxRate::Standard),
        line("お茶・お弁当", "20", "個", "1080", TaxRate::Reduced),
    ];
    lines.iter_mut().for_each(|line| line.tax_inclusive = true);
    let mut paper = one_line();
    paper.recipient.name = "髙橋 一郎".into();
    paper.recipient.honorific = Honorific::Sama;
    paper.sender.bank_details.clear();
    totalled(Paper {
        document_type: DocumentType::Receipt,
        number: "RCP-2026-0108".into(),
        title: String::new(),
        date_due: None,
        lines,
        note: String::new(),
        proviso: "会議室利用料および飲食代".into(),
        has_tax_stamp: true,
        ..paper
    })
}

/// The second revision of an invoice.
pub fn correction() -> Paper {
    let paper = one_line();
    totalled(Paper {
        revision: 2,
        correction: Some(Correction {
            reason: "数量の誤り。1式と記載すべきところ、2式と記載しておりました。".into(),
            replaces_number: paper.number.clone(),
            replaces_revision: 1,
        }),
        ..paper
    })
}

/// All of the above, with the name of the file that they make.
pub fn all() -> [(&'static str, Paper); 6] {
    [
        ("one-line", one_line()),
        ("forty-lines", forty_lines()),
        ("three-rates", three_rates()),
        ("long-names", long_names()),
        ("receipt", receipt()),
        ("correction", correction()),
    ]
}

/// As long as the domain lets every text be, and figures as wide: a hundred lines.
pub fn longest(document_type: DocumentType) -> Paper {
    let text = |length: usize| "永和国際開発㈱様（仮称）、ABCdef 12-3".chars().cycle().take(length).collect::<String>();
    let money = Money::yen(-81_111_111_111_111);
    let line = Line {
        description: text(120),
        quantity: Decimal(i64::MIN + 1),
        unit: text(16),
        unit_price: Decimal(i64::MIN + 1),
        tax_rate: TaxRate::Reduced,
        tax_inclusive: false,
        amount: money,
        has_jp_withholding_tax: false,
    };
    let mut lines = vec![line; 100];
    lines[1].tax_rate = TaxRate::Standard;
    lines[2].tax_rate = TaxRate::Zero;
    let paper = one_line();
    totalled(Paper {
        document_type,
        number: "INV-2026-123456789012".into(),
        revision: 4_000_000_000,
        correction: Some(Correction {
            reason: text(400),
            replaces_number: "INV-2026-123456789012".into(),
            replaces_revision: 3_999_999_999,
        }),
        title: text(80),
        sender: Sender { name: text(80), address: text(200), bank_details: text(400), ..paper.sender },
        recipient: Profile {
            name: text(80),
            region: text(40),
            locality: text(80),
            street_address: text(120),
            extended_address: text(120),
            ..paper.recipient
        },
        lines,
        note: "行\n".repeat(200),
        withholding: Some(Money::yen(900_719_925_474_099)),
        proviso: text(80),
        has_tax_stamp: true,
        has_hanko: true,
        verify_url: format!("https://keiin.example.jp/v/{}", "8Yk2Qm4RtZpW".repeat(8)),
        ..paper
    })
}
