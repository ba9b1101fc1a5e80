//! What repeats: the catalog, a template, and what is made from it at the end of each month.

use keiin_domain::batch::OrderBatch;
use keiin_domain::date::{Date, ZONE_S};
use keiin_domain::document::{DocumentType, DraftFromTemplate, LineInput, SetLines};
use keiin_domain::item::RegisterItem;
use keiin_domain::recurrence::{LAST_DAY, Mode, SetUpRecurrence};
use keiin_domain::tax::TaxRate;
use keiin_domain::template::DefineTemplate;

use super::content::{EMILY, MAKOTO};
use super::stage::{Stage, refused};
use crate::batch;

/// Code, description, unit, price, tax.
const ITEMS: [(&str, &str, &str, &str, TaxRate); 5] = [
    ("JIG-100", "搬送治具 標準型", "台", "128000", TaxRate::Standard),
    ("BRK-020", "アルミブラケット", "個", "780", TaxRate::Standard),
    ("SRV-001", "設備保守（月額）", "式", "48000", TaxRate::Standard),
    ("TRN-001", "梱包・運送費", "式", "18000", TaxRate::Standard),
    ("FOD-001", "見学会用 弁当", "食", "1200", TaxRate::Reduced),
];

impl Stage<'_> {
    /// The catalog.
    pub async fn catalog(&mut self) -> anyhow::Result<()> {
        for (code, description, unit, unit_price, tax_rate) in ITEMS {
            let item = RegisterItem {
                code: code.into(),
                description: description.into(),
                unit: unit.into(),
                unit_price: unit_price.into(),
                tax_rate,
                tax_inclusive: false,
                has_jp_withholding_tax: false,
            };
            self.by(EMILY, item).await?;
        }
        Ok(())
    }

    /// A template; a batch of what was drafted from it, with one that cannot be issued; and its recurrence, from tomorrow on:
    /// nothing is due while the demonstration is looked at.
    pub async fn monthly(&mut self) -> anyhow::Result<()> {
        let line = LineInput {
            description: "設備保守 {year}年{month}月分".into(),
            quantity: "1".into(),
            unit: "式".into(),
            unit_price: "48000".into(),
            tax_rate: TaxRate::Standard,
            tax_inclusive: false,
            has_jp_withholding_tax: false,
        };
        let template = DefineTemplate {
            name: "月次保守".into(),
            document_type: DocumentType::Invoice,
            title: "{year}年{month}月分 設備保守料".into(),
            note: "{next_month}月末日までにお振込みください。".into(),
            proviso: String::new(),
            has_tax_stamp: false,
            has_hanko: true,
            due_days: Some(30),
            tax_rounding: None,
            lines: vec![line],
        };
        let template_id = self.by(MAKOTO, template).await?.id;
        let monthly = SetUpRecurrence {
            template_id,
            client_id: self.clients[0],
            every_months: 1,
            day: LAST_DAY,
            starts_on: Date::at(self.calendar.now_us, ZONE_S).plus(1),
            ends_on: None,
            mode: Mode::Draft,
        };
        self.by(MAKOTO, monthly).await?;
        let mut documents = vec![];
        for client_id in [self.clients[1], self.clients[2], self.clients[4]] {
            documents.push(self.by(MAKOTO, DraftFromTemplate { template_id, client_id, date: None }).await?.id);
        }
        // Somebody took its lines out again.
        self.by_on(MAKOTO, documents[1], SetLines { lines: vec![], totals: None }).await?;
        self.by(MAKOTO, OrderBatch { documents }).await?;
        self.app.runner.catch_up().await?;
        let now_us = self.call(1, "").now_us;
        while batch::round(self.app, now_us).await.map_err(refused)? > 0 {}
        self.mails().await
    }
}
