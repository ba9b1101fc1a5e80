//! What goes out by other ways than a link: words of the company's own, a letter, and an order into an inbox and by post.

use anyhow::Context;
use keiin_domain::delivery::{OpenDelivery, OpenLink, RegisterRecipient, ReplyToDelivery, SendDocument};
use keiin_domain::mail_template::{MailKind, SetMailTemplate};
use keiin_domain::postage::{Extra, Service};
use keiin_domain::postal_item::{Carrier, DispatchPostalItem, PrintPostalItem, QueuePostalItem};
use keiin_domain::sending_order::{MailRecipient, PlaceSendingOrder, PostRecipient, ReleaseSendingOrder};
use keiin_domain::visit::VisitorLanguage;
use uuid::Uuid;

use super::PASSWORD;
use super::content::{EMILY, Fate, HANAKO, KEN, MAKOTO, PAPERS, RECIPIENT};
use super::stage::{Stage, member, refused, secret};
use crate::principal;
use crate::sending_order;

/// Whose documents they are.
const CLIENT: usize = 0;
/// Where the recipient sits.
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/141.0";

impl Stage<'_> {
    /// The mail with a link, in the company's words.
    pub async fn mail_texts(&mut self) -> anyhow::Result<()> {
        let text = "{to} 様\n\nいつもお世話になっております。{company}です。\n「{title}」（{number}）をお送りします。\n\n{message}\n\n\
                    {expires}まで、下のリンクからご覧いただけます。\n\n{link}\n\nご不明な点は、担当者までお問い合わせください。";
        let set = SetMailTemplate {
            kind: MailKind::Delivery,
            language: VisitorLanguage::Ja,
            subject: "【{company}】{title}のご送付".into(),
            text: text.into(),
        };
        self.by(HANAKO, set).await.map(|_| ())
    }

    /// The client's first documents that can go out.
    fn letters(&self) -> anyhow::Result<[Uuid; 2]> {
        let goes_out =
            |i: &usize| matches!(PAPERS[*i].fate, Fate::Sent(_) | Fate::Paid | Fate::PartPaid | Fate::Overdue);
        let of_client = (0..PAPERS.len()).filter(|i| PAPERS[*i].client == CLIENT).filter(goes_out);
        let found: Vec<Uuid> = of_client.filter_map(|i| self.papers.get(&i).copied()).collect();
        let [first, .., last] = found[..] else { anyhow::bail!("the client has two papers that can go out") };
        Ok([first, last])
    }

    /// A registered letter that was handed over, and one that waits at the print station.
    pub async fn post(&mut self) -> anyhow::Result<()> {
        self.mails().await?;
        let [first, last] = self.letters()?;
        let order = QueuePostalItem {
            document_ids: vec![first],
            client_id: Some(self.clients[CLIENT]),
            department: "経理部".into(),
            extras: vec![Extra::SimpleRegistered],
            message: "いつもお世話になっております。書類をお送りします。".into(),
            ..QueuePostalItem::default()
        };
        let item = self.by(MAKOTO, order.clone()).await?.id;
        self.by_on(KEN, item, PrintPostalItem { with_label: false }).await?;
        let (carrier, tracking_number) = (Carrier::JapanPost, "131-12-38385-2".into());
        let out = DispatchPostalItem { carrier, tracking_number, postage: None, dispatched_on: None };
        self.by_on(KEN, item, out).await?;
        let pack = Some(Service::LetterPackLight);
        let waits = QueuePostalItem { document_ids: vec![last], extras: vec![], service: pack, ..order };
        self.by(MAKOTO, waits).await.map(|_| ())
    }

    /// Somebody at the client registers by a link; what is sent after that goes to their inbox, and on paper as well.
    pub async fn inbox(&mut self) -> anyhow::Result<()> {
        let [first, last] = self.letters()?;
        let send = SendDocument {
            document_ids: vec![first],
            to_name: RECIPIENT.name.into(),
            to_email: RECIPIENT.email.into(),
            message: "これからは受信箱でお受け取りいただけます。".into(),
            expires_in_days: None,
            view_limit: None,
            passcode: String::new(),
        };
        let sent = self.by(EMILY, send).await?;
        let link = secret(&sent)?;
        self.mails().await?;
        let holder = principal::by_link(self.app, "lnk", &link).map_err(refused)?;
        let call = self.call(70, BROWSER);
        self.run(&holder, &call.on(sent.id), OpenLink::default()).await?;
        let register =
            RegisterRecipient { name: RECIPIENT.name.into(), password: PASSWORD.into(), passcode: String::new() };
        let call = self.call(70, BROWSER);
        self.run(&holder, &call.on(sent.id), register).await?;

        let (to_name, to_email) = (RECIPIENT.name.into(), RECIPIENT.email.into());
        let order = PlaceSendingOrder {
            document_ids: vec![first, last],
            by_mail: vec![MailRecipient { to_name, to_email, passcode: String::new() }],
            by_post: vec![PostRecipient { department: "経理部".into(), ..PostRecipient::default() }],
            client_id: Some(self.clients[CLIENT]),
            attachments: vec![],
            message: "今月分をお送りします。原本は郵送いたします。".into(),
            expires_in_days: None,
            view_limit: None,
            asks_approval: false,
        };
        let order = self.by(EMILY, order).await?.id;
        self.by_on(EMILY, order, ReleaseSendingOrder {}).await?;
        // What the server would do by itself is done before anybody looks.
        self.mails().await?;
        let now_us = self.call(1, "").now_us;
        while sending_order::round(self.app, now_us).await.map_err(refused)? > 0 {}
        self.mails().await?;

        let account = self.app.vault.find_subject(self.ledger, "member", RECIPIENT.email)?;
        let who = member(self.ledger, account.context("the recipient has registered")?, RECIPIENT.role);
        let placed = principal::load::<keiin_domain::sending_order::SendingOrder>(self.app, self.ledger, order).await;
        let placed = placed.map_err(refused)?.state.placed.context("the order was placed")?;
        let delivery = placed.by_mail.first().context("one is by mail")?.delivery_id;
        let call = self.call(70, BROWSER);
        self.run(&who, &call.on(delivery), OpenDelivery {}).await?;
        let call = self.call(70, BROWSER);
        let text = "確かに受け取りました。ありがとうございます。".into();
        self.run(&who, &call.on(delivery), ReplyToDelivery { text }).await?;
        self.mails().await
    }
}
