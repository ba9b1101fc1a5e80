//! What a mail is made of: everything that its text may need, looked up when it is sent or shown.

use keiin_domain::mail_template::Wording;
use serde::Serialize;
use uuid::Uuid;

use crate::client::Recipient;
use crate::view::{Json, Row, Seen, Time, col, filled};

/// Texts of mails.
pub const TEMPLATES: &[&str] = &[
    "invitation", "delivery", "visit_pass", "arrival", "password_changed", "password_required", "password_reset",
    "new_device", "email_code", "welcome", "support_access", "webhook_disabled", "secretary_confirm",
    "secretary_confirmed", "inbox", "reply", "acceptance", "visit_reminder", "visit_cancelled", "visit_waiting",
    "delivery_again", "visit_changed",
];

/// Is the link in it for its reader's eyes alone, whoever may read mails?
pub(super) fn is_private(template: &str) -> bool {
    ["password_", "secretary_"].iter().any(|kind| template.starts_with(kind))
        || ["new_device", "arrival", "visit_waiting"].contains(&template)
}

/// Everything that a mail's text may need; which fields are there depends on the template.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Letter {
    /// Whose mail.
    pub ledger: Uuid,
    /// The record that asked for it.
    pub position: u64,
    /// Which of that record's mails.
    pub n: u16,
    /// One of [`TEMPLATES`].
    pub template: String,
    /// When it was asked for.
    pub queued_at: Time,
    /// How often somebody wanted it sent once more after it had failed.
    pub requeued: u32,
    /// When that was last.
    pub requeued_at: Option<Time>,
    /// `member`, `delivery`, `visit`, `device`, `sign_up` or `secretary`.
    pub object_kind: String,
    /// The invited member, the delivery, the visit, the device, the sign-up: whose secret a link needs.
    pub object_id: Uuid,
    /// To whom.
    pub to: Recipient,
    /// Who writes.
    pub company: Option<String>,
    /// Short name of a company that has just signed up.
    pub slug: Option<String>,
    /// Role of an invited member.
    pub role: Option<String>,
    /// Of a delivered document.
    pub document_number: Option<String>,
    /// Of a delivered document.
    pub document_title: Option<String>,
    /// Written by the sender of a delivery.
    pub message: Option<String>,
    /// Of an invitation or a link.
    pub expires_at: Option<Time>,
    /// Who comes or came.
    pub visitor_name: Option<String>,
    /// From where.
    pub visitor_company: Option<String>,
    /// Who is visited.
    pub host_name: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// From when.
    pub starts_at: Option<Time>,
    /// Until when.
    pub ends_at: Option<Time>,
    /// Days of the week of a period pass, `mon tue …`.
    pub weekdays: Option<String>,
    /// How often the visit was changed.
    pub sequence: Option<u32>,
    /// Which language its reader has, where that is known.
    pub language: Option<String>,
    /// When they came.
    pub arrived_at: Option<Time>,
    /// Who logged in by a device.
    pub member_id: Option<Uuid>,
    /// Of the secret by which a notice is answered.
    pub answer_hash: Option<[u8; 32]>,
    /// Why the reception is told.
    pub why: Option<String>,
    /// The company's own words in Japanese, as of the record that asked for it.
    pub own_ja: Option<Wording>,
    /// In English.
    pub own_en: Option<Wording>,
}

/// A mail's text in one language.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Subject line.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// The link in it.
    pub link: Option<String>,
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
}

/// A file that goes with a mail.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Its name.
    pub name: &'static str,
    /// Its media type, with parameters.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Mails with everything that [`Letter`] needs, and to whom they go as it is searched: addresses
/// are kept in one width and case. A pass for a visitor without an address is no mail. What cannot be sent any
/// more (withdrawn, cancelled, erased) is dead.
pub const FROM: &str = "(SELECT f.*, f.position AS since, f.n AS id,
        CASE WHEN f.state = 'queued' AND f.live = 0 THEN 'dead' ELSE f.state END AS status
      FROM (SELECT e.*, coalesce(a.attempts, 0) AS attempts, coalesce(a.next_at, 0) AS next_at, c.name AS company,
          s.slug, m.role, (SELECT string_agg(o.number, ', ' ORDER BY x.n) FROM delivery_documents x JOIN documents o ON o.ledger = x.ledger
            AND o.id = x.document_id WHERE x.ledger = d.ledger AND x.delivery_id = d.id) AS document_number,
          o.title AS document_title, d.message,
          CASE e.template WHEN 'invitation' THEN m.expires_at WHEN 'delivery' THEN d.expires_at WHEN 'delivery_again' THEN d.expires_at
            WHEN 'email_code' THEN s.code_expires_at WHEN 'secretary_confirm' THEN y.expires_at
            ELSE m.reset_expires_at END AS expires_at,
          CASE WHEN vn.position IS NOT NULL AND vp.notice = 'nothing' THEN NULL
            ELSE coalesce(v.visitor_name, ys.name, d.to_name) END AS visitor_name,
          CASE WHEN vn.position IS NOT NULL AND coalesce(vp.notice, '') <> 'name_and_company' THEN NULL
            ELSE v.visitor_company END AS visitor_company, vn.secret_hash AS answer_hash, vn.why,
          coalesce(h.name, yl.name) AS host_name,
          v.location, v.starts_at, v.ends_at, v.arrived_at, v.weekdays, v.sequence,
          CASE WHEN e.template IN ('visit_pass', 'visit_changed', 'visit_reminder', 'visit_cancelled') THEN v.language END AS language,
          (SELECT w.wording FROM mail_templates w WHERE w.ledger = e.ledger AND w.kind = e.template AND w.language = 'ja'
            AND w.position < e.position ORDER BY w.position DESC LIMIT 1) AS own_ja,
          (SELECT w.wording FROM mail_templates w WHERE w.ledger = e.ledger AND w.kind = e.template AND w.language = 'en'
            AND w.position < e.position ORDER BY w.position DESC LIMIT 1) AS own_en,
          g.member_id, CASE e.object_kind WHEN 'member' THEN m.name
            WHEN 'delivery' THEN CASE WHEN e.template IN ('reply', 'acceptance') THEN ds.name ELSE d.to_name END
            WHEN 'device' THEN gm.name WHEN 'sign_up' THEN substr(s.email, 1, 0)
            WHEN 'secretary' THEN CASE e.template WHEN 'secretary_confirm' THEN ys.name ELSE yl.name END
            ELSE CASE WHEN e.template IN ('visit_pass', 'visit_changed', 'visit_reminder', 'visit_cancelled') THEN v.visitor_name
              ELSE vm.name END END AS to_name,
          CASE e.object_kind WHEN 'member' THEN m.email
            WHEN 'delivery' THEN CASE WHEN e.template IN ('reply', 'acceptance') THEN ds.email ELSE d.to_email END
            WHEN 'device' THEN gm.email WHEN 'sign_up' THEN s.email
            WHEN 'secretary' THEN CASE e.template WHEN 'secretary_confirm' THEN ys.email ELSE yl.email END
            ELSE CASE WHEN e.template IN ('visit_pass', 'visit_changed', 'visit_reminder', 'visit_cancelled') THEN v.visitor_email
              ELSE vm.email END END AS to_email,
          CASE e.object_kind WHEN 'member' THEN m.name_search || '\n' || m.email_search
            WHEN 'delivery' THEN CASE WHEN e.template IN ('reply', 'acceptance') THEN ds.name_search || '\n' || ds.email_search
              ELSE d.search END
            WHEN 'device' THEN gm.name_search || '\n' || gm.email_search WHEN 'sign_up' THEN s.email
            WHEN 'secretary' THEN CASE e.template WHEN 'secretary_confirm' THEN ys.name_search || '\n' || ys.email_search
              ELSE yl.name_search || '\n' || yl.email_search END
            ELSE CASE WHEN e.template IN ('visit_pass', 'visit_changed', 'visit_reminder', 'visit_cancelled')
              THEN v.search || '\n' || v.visitor_email ELSE vm.name_search || '\n' || vm.email_search END END AS search,
          CASE WHEN CASE e.template WHEN 'invitation' THEN m.status = 'invited' AND m.email IS NOT NULL
            WHEN 'password_changed' THEN m.email IS NOT NULL
            WHEN 'support_access' THEN m.status = 'active' AND m.email IS NOT NULL
            WHEN 'webhook_disabled' THEN m.status = 'active' AND m.email IS NOT NULL
            WHEN 'new_device' THEN gm.email IS NOT NULL
            WHEN 'secretary_confirm' THEN y.ended = 0 AND y.expires_at > :now AND ys.email IS NOT NULL
            WHEN 'secretary_confirmed' THEN yl.email IS NOT NULL
            WHEN 'password_reset' THEN m.status = 'active' AND m.reset_expires_at > :now AND m.email IS NOT NULL
            WHEN 'password_required' THEN m.status = 'active' AND m.reset_expires_at > :now AND m.email IS NOT NULL
            WHEN 'delivery' THEN d.mailed = e.position AND d.revoked = 0 AND d.expires_at > :now
              AND d.to_email IS NOT NULL
            WHEN 'delivery_again' THEN d.mailed = e.position AND d.revoked = 0 AND d.expires_at > :now
              AND d.to_email IS NOT NULL
            WHEN 'inbox' THEN d.revoked = 0 AND d.to_email IS NOT NULL
            WHEN 'reply' THEN ds.status = 'active' AND ds.email IS NOT NULL
            WHEN 'acceptance' THEN ds.status = 'active' AND ds.email IS NOT NULL
            WHEN 'visit_pass' THEN (v.state = 'expected' OR v.weekdays <> '' AND v.state <> 'cancelled')
              AND v.visitor_email IS NOT NULL
            WHEN 'visit_changed' THEN (v.state = 'expected' OR v.weekdays <> '' AND v.state <> 'cancelled')
              AND v.visitor_email IS NOT NULL
            WHEN 'visit_reminder' THEN v.state = 'expected' AND v.starts_at > :now AND v.visitor_email IS NOT NULL
            WHEN 'visit_cancelled' THEN v.visitor_email IS NOT NULL
            WHEN 'email_code' THEN s.verified = 0 AND s.code_expires_at > :now AND s.email IS NOT NULL
            WHEN 'welcome' THEN s.email IS NOT NULL
            WHEN 'arrival' THEN v.state = 'arrived' AND vm.status = 'active' AND vm.email IS NOT NULL
            ELSE v.state IN ('arrived', 'held', 'expected') AND vm.status = 'active' AND vm.email IS NOT NULL
            END THEN 1 ELSE 0 END AS live,
          CASE WHEN EXISTS (SELECT 1 FROM delivery_documents x JOIN documents u ON u.ledger = x.ledger
            AND u.id = x.document_id AND u.unprinted = 1 WHERE x.ledger = d.ledger AND x.delivery_id = d.id)
            THEN 0 ELSE 1 END AS printed
        FROM effects e
        LEFT JOIN effect_attempts a ON a.ledger = e.ledger AND a.position = e.position AND a.n = e.n
        LEFT JOIN tenants c ON c.ledger = e.ledger AND c.id = e.ledger
        LEFT JOIN members m ON m.ledger = e.ledger AND m.id = e.object_id
        LEFT JOIN deliveries d ON d.ledger = e.ledger AND d.id = e.object_id
        LEFT JOIN members ds ON ds.ledger = d.ledger AND ds.id = d.sent_by
        LEFT JOIN documents o ON o.ledger = d.ledger AND o.id = d.document_id
        LEFT JOIN visits v ON v.ledger = e.ledger AND v.id = e.object_id
        LEFT JOIN visit_notices vn ON vn.ledger = e.ledger AND vn.position = e.position AND vn.n = e.n
        LEFT JOIN members vm ON vm.ledger = vn.ledger AND vm.id = vn.member_id
        LEFT JOIN visit_policies vp ON vp.ledger = e.ledger AND vp.id = e.ledger
        LEFT JOIN sign_ups s ON s.ledger = e.ledger AND s.id = e.object_id
        LEFT JOIN members h ON h.ledger = v.ledger AND h.id = v.host_id
        LEFT JOIN secretaries y ON y.ledger = e.ledger AND y.id = e.object_id
        LEFT JOIN members ys ON ys.ledger = y.ledger AND ys.id = y.secretary
        LEFT JOIN members yl ON yl.ledger = y.ledger AND yl.id = y.lawyer
        LEFT JOIN devices g ON g.ledger = e.ledger AND g.id = e.object_id
        LEFT JOIN members gm ON gm.ledger = g.ledger AND gm.id = g.member_id) f
      WHERE f.to_email IS NULL OR f.to_email <> '')";

fn own(row: &Row, name: &str) -> Seen<Option<Wording>> {
    Ok(col::<Option<Json<Wording>>>(row, name)?.map(|Json(wording)| wording))
}

pub(super) fn letter(row: &Row) -> Seen<Letter> {
    Ok(Letter {
        ledger: col(row, "ledger")?,
        position: col(row, "position")?,
        n: col(row, "n")?,
        template: col(row, "template")?,
        queued_at: col(row, "queued_at")?,
        requeued: col(row, "requeued")?,
        requeued_at: col(row, "requeued_at")?,
        object_kind: col(row, "object_kind")?,
        object_id: col(row, "object_id")?,
        to: Recipient::read(row, "to_name", "to_email")?,
        company: col(row, "company")?,
        slug: col(row, "slug")?,
        role: col(row, "role")?,
        document_number: col(row, "document_number")?,
        document_title: col(row, "document_title")?,
        message: col::<Option<_>>(row, "message")?.and_then(filled),
        expires_at: col(row, "expires_at")?,
        visitor_name: col(row, "visitor_name")?,
        visitor_company: col::<Option<_>>(row, "visitor_company")?.and_then(filled),
        host_name: col(row, "host_name")?,
        location: col(row, "location")?,
        starts_at: col(row, "starts_at")?,
        ends_at: col(row, "ends_at")?,
        weekdays: col(row, "weekdays")?,
        sequence: col(row, "sequence")?,
        language: col(row, "language")?,
        arrived_at: col(row, "arrived_at")?,
        member_id: col(row, "member_id")?,
        answer_hash: col(row, "answer_hash")?,
        why: col(row, "why")?,
        own_ja: own(row, "own_ja")?,
        own_en: own(row, "own_en")?,
    })
}
