//! Somebody who runs the service asks to look at the company: what it is asked, opens, sees and ends.

use keiin_domain::context::{Actor, actor_kind};
use keiin_domain::data::{DataClass, RecordVendorView};
use keiin_domain::grant::{ApproveGrant, EndGrant, HOURS, OpenGrant, Purpose, RequestGrant};
use keiin_domain::operator::OperatorKind;
use keiin_domain::role::Role;
use uuid::Uuid;

use super::content::HANAKO;
use super::stage::Stage;
use crate::principal::Principal;

/// Their accounts are nowhere: a demonstration has no operators who could log in.
const ASKS: Uuid = Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0a01);
const APPROVES: Uuid = Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0a02);

impl Stage<'_> {
    /// 0: asked, approved, opened, used and ended. 1: asked and approved; it waits for the company.
    pub async fn support(&mut self, i: usize) -> anyhow::Result<()> {
        let (purpose, reason) = match i {
            0 => (Purpose::Inquiry, "お問い合わせの請求書を確認するため"),
            _ => (Purpose::Bug, "書類の一覧が開かない不具合を調べるため"),
        };
        let request = RequestGrant {
            operator_name: "鈴木 一郎".into(),
            operator_kind: OperatorKind::Support,
            purpose,
            classes: vec![DataClass::Internal],
            object: None,
            reason: reason.into(),
            hours: 24,
            hours_max: HOURS,
        };
        let asked = self.operator(ASKS, Role::Operator, None, request).await?;
        let approve = ApproveGrant { operator_name: "高橋 二郎".into() };
        self.operator(APPROVES, Role::Operator, Some(asked), approve).await?;
        if i > 0 {
            return Ok(());
        }
        self.by_on(HANAKO, asked, OpenGrant {}).await?;
        let paper = self.papers.values().min().copied().unwrap_or(self.ledger);
        for (id, operation) in [(self.ledger, "list_documents"), (paper, "get_document")] {
            let (operation, class) = (operation.to_owned(), DataClass::Internal);
            let look = RecordVendorView { id, grant: asked, purpose, operation, class };
            self.operator(ASKS, Role::System, None, look).await?;
        }
        self.by_on(HANAKO, asked, EndGrant { reason: "確認が終わったため".into() }).await?;
        Ok(())
    }

    async fn operator<C: keiin_domain::command::Command>(
        &mut self,
        id: Uuid,
        role: Role,
        target: Option<Uuid>,
        command: C,
    ) -> anyhow::Result<Uuid> {
        let who = Principal::new(self.ledger, Actor::new(actor_kind::OPERATOR, id, role));
        let call = self.call(90, "Keiin operators' plane");
        Ok(self.run(&who, &crate::execute::Call { target, ..call }, command).await?.id)
    }
}
