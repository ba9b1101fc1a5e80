//! Somebody who runs the service asks to look at the company: what it is asked, opens, sees and ends.

use keiin_domain::command::Command;
use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::data::{DataClass, RecordVendorView};
use keiin_domain::grant::{ApproveGrant, EndGrant, HOURS, OpenGrant, Purpose, RequestGrant};
use keiin_domain::operator::{ApproveOperator, OperatorKind, RegisterOperator, ScreenOperator};
use keiin_domain::role::Role;
use uuid::Uuid;

use super::content::HANAKO;
use super::stage::Stage;
use crate::app::ROOT;
use crate::execute::Call;
use crate::principal::Principal;

/// Where they act from.
const MACHINE: &str = "Keiin operators' plane";
/// Name, address, what they do. The first asks, the second approves.
const PEOPLE: [(&str, &str, OperatorKind); 2] = [
    ("鈴木 一郎", "suzuki@keiin.example", OperatorKind::Support),
    ("高橋 二郎", "takahashi@keiin.example", OperatorKind::Engineering),
];

impl Stage<'_> {
    /// Two accounts, made where the machine is. Nobody can log in by them: what they show is the digest of no certificate.
    pub async fn operators(&mut self) -> anyhow::Result<()> {
        let machine = Principal::system(ROOT);
        for (i, (name, email, kind)) in PEOPLE.into_iter().enumerate() {
            let certificate_sha256 = (i + 1).to_string().repeat(64);
            let register = RegisterOperator { name: name.into(), email: email.into(), kind, certificate_sha256 };
            let call = self.call(90, MACHINE);
            let id = self.run(&machine, &call, register).await?.id;
            let record = format!("本人確認書類と雇用契約書、人事ファイル {}", i + 12);
            let call = self.call(90, MACHINE);
            self.run(&machine, &call.on(id), ScreenOperator { record }).await?;
            let call = self.call(90, MACHINE);
            self.run(&machine, &call.on(id), ApproveOperator {}).await?;
            self.operators.push(id);
        }
        Ok(())
    }

    /// 0: asked, approved, opened, used and ended. 1: asked and approved; it waits for the company.
    pub async fn support(&mut self, i: usize) -> anyhow::Result<()> {
        let [asks, approves] = self.operators[..] else { anyhow::bail!("two people run the service") };
        let (purpose, reason) = match i {
            0 => (Purpose::Inquiry, "お問い合わせの請求書を確認するため"),
            _ => (Purpose::Bug, "書類の一覧が開かない不具合を調べるため"),
        };
        let request = RequestGrant {
            operator_name: PEOPLE[0].0.into(),
            operator_kind: PEOPLE[0].2,
            purpose,
            classes: vec![DataClass::Internal],
            object: None,
            reason: reason.into(),
            hours: 24,
            hours_max: HOURS,
        };
        let asked = self.operator(asks, Role::Operator, None, request).await?;
        let approve = ApproveGrant { operator_name: PEOPLE[1].0.into() };
        self.operator(approves, Role::Operator, Some(asked), approve).await?;
        if i > 0 {
            return Ok(());
        }
        self.by_on(HANAKO, asked, OpenGrant {}).await?;
        let paper = self.papers.values().min().copied().unwrap_or(self.ledger);
        for (id, operation) in [(self.ledger, "list_documents"), (paper, "get_document")] {
            let (operation, class) = (operation.to_owned(), DataClass::Internal);
            let look = RecordVendorView { id, grant: asked, purpose, operation, class };
            self.operator(asks, Role::System, None, look).await?;
        }
        self.by_on(HANAKO, asked, EndGrant { reason: "確認が終わったため".into() }).await?;
        Ok(())
    }

    async fn operator<C: Command>(
        &mut self,
        id: Uuid,
        role: Role,
        target: Option<Uuid>,
        command: C,
    ) -> anyhow::Result<Uuid> {
        let who = Principal::new(self.ledger, Actor::new(actor_kind::OPERATOR, id, role));
        let call = self.call(90, MACHINE);
        Ok(self.run(&who, &Call { target, ..call }, command).await?.id)
    }
}
