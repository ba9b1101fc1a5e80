//! Roles and what they may do. The matrix is printed into `docs/permissions.md`; a test holds the file to this code.

use std::sync::LazyLock;

use crate::{catalog, codes};

/// `noun.verb`, named by the command or query that asks for it. The scope of an access token follows from it:
/// `<nouns>:read` for `noun.read…`, else `<nouns>:write`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Permission(pub &'static str);

impl Permission {
    /// The noun.
    pub fn noun(self) -> &'static str {
        self.0.split_once('.').map_or(self.0, |(noun, _)| noun)
    }

    /// The verb.
    pub fn verb(self) -> &'static str {
        self.0.split_once('.').map_or("", |(_, verb)| verb)
    }

    /// Not for people with an account: the server's own, or asked for with a link, a pass or a kiosk's secret.
    pub fn is_outside(self) -> bool {
        matches!(self.noun(), "link" | "invitation" | "pass" | "kiosk" | "session" | "access" | "slug")
            || matches!(self.noun(), "operator" | "sign_up")
            || matches!(
                self.0,
                "document.render"
                    | "recurrence.fire"
                    | "batch.run"
                    | "sending_order.run"
                    | "mail.record"
                    | "webhook.give_up"
                    | "webhook.suspend"
                    | "delivery.expire"
                    | "grant.expire"
                    | "visit.remind"
                    | "visit.announce"
                    | "visit.escalate"
                    | "visit.screen"
                    | "visitor.retire"
            )
            || matches!(self.0, "member.expire_invitation" | "tenant.open")
    }

    /// Reads only?
    pub fn reads(self) -> bool {
        self.verb().starts_with("read")
    }

    /// Can a token have it? None may look into an inbox, make tokens or applications, change how somebody logs in, agree to terms, or
    /// let an operator look, or approve what people wrote.
    pub fn has_scope(self) -> bool {
        let is_for_people = matches!(
            self.noun(),
            "token" | "application" | "me" | "security" | "support" | "grant" | "terms" | "approval" | "visitor"
        );
        !self.is_outside() && self.noun() != "inbox" && (self.reads() || !is_for_people)
    }

    /// The scope that an access token needs.
    pub fn scope(self) -> String {
        let noun = self.noun();
        let plural = match noun.strip_suffix('y') {
            _ if matches!(noun, "me" | "inbox" | "security" | "support" | "terms") => noun.to_owned(),
            Some(stem) => format!("{stem}ies"),
            None => format!("{noun}s"),
        };
        format!("{plural}:{}", if self.reads() { "read" } else { "write" })
    }
}

codes! {
    /// What somebody is in a company. Codes are in events and never change.
    Role {
        /// Master account; at least one at any time.
        Owner = 1 "owner",
        /// Runs the company's account.
        Admin = 2 "admin",
        /// Does the daily work.
        Member = 3 "member",
        /// Looks only.
        Viewer = 4 "viewer",
        /// Documents and sending.
        Accountant = 5 "accountant",
        /// Visits.
        Receptionist = 6 "receptionist",
        /// External: reads everything, verifies, changes nothing.
        Auditor = 7 "auditor",
        /// A kiosk.
        Device = 8 "device",
        /// Who holds a link, a pass or an invitation.
        LinkHolder = 9 "link_holder",
        /// The server itself.
        System = 10 "system",
        /// What one of the company's own permission sets says, and what everybody in the company may.
        Custom = 11 "custom",
        /// A program that acts for itself: what it may, the scopes of its token say.
        Application = 12 "application",
        /// Of a law office: own visits, and secretaries of their own.
        Lawyer = 13 "lawyer",
        /// Of a law office: acts for the lawyers who took them on, once their mailbox has confirmed it.
        Secretary = 14 "secretary",
        /// Of a customer: their own inbox. Comes with registering by a link, never by an invitation.
        Recipient = 15 "recipient",
        /// Prints, posts and takes back what goes out by post, and sees it only until it is handed over (ML-33).
        PostalClerk = 16 "postal_clerk",
        /// Who runs the deployment, on the operators' port.
        Operator = 20 "operator",
        /// An operator inside a company, under a grant of the company's.
        Vendor = 21 "vendor",
    }
}

/// What an operator with a grant can be shown. How a company guards its accounts, its mails with their links, and its
/// log as a whole are not among it.
const VENDOR_NOUNS: [&str; 8] = ["tenant", "member", "client", "document", "delivery", "visit", "device", "event"];

/// Documents, and all the ways on which they go out.
const DAILY: [&str; 6] = ["client", "document", "delivery", "sending_order", "postal_item", "mail"];

impl Role {
    /// Roles that a person with an account can have.
    pub const OF_MEMBERS: [Role; 11] = [
        Role::Owner,
        Role::Admin,
        Role::Member,
        Role::Viewer,
        Role::Accountant,
        Role::Receptionist,
        Role::Auditor,
        Role::Lawyer,
        Role::Secretary,
        Role::Recipient,
        Role::PostalClerk,
    ];

    /// Can a person with an account be given it? [`Role::Custom`] comes with a permission set and never by its name,
    /// [`Role::Secretary`] from a lawyer, [`Role::Recipient`] with the account that somebody made for themselves.
    pub fn is_for_members(self) -> bool {
        Role::OF_MEMBERS.contains(&self) && !matches!(self, Role::Secretary | Role::Recipient)
    }

    /// The matrix. Whose tokens, visits and events is for the rules and queries to say.
    pub fn permits(self, permission: Permission) -> bool {
        let (noun, reads) = (permission.noun(), permission.reads());
        let everybody = matches!(permission.0, "member.read" | "tenant.read" | "event.read_own" | "log.read");
        match self {
            Role::System => true,
            Role::Device => noun == "kiosk",
            Role::Operator => noun == "operator" || permission.0 == "grant.end",
            // What a grant opens of it, the grant says: classes of data, perhaps one thing, and until when.
            Role::Vendor => reads && VENDOR_NOUNS.contains(&noun),
            Role::LinkHolder => matches!(noun, "link" | "invitation" | "pass" | "sign_up"),
            Role::Application => permission.has_scope() && permission.0 != "tenant.close",
            _ if noun == "me" => true,
            // An inbox is of who has one, and of nobody else, whatever they may.
            _ if noun == "inbox" => self == Role::Recipient,
            Role::Recipient => false,
            _ if permission.is_outside() => false,
            Role::Owner => true,
            Role::Admin => !matches!(permission.0, "tenant.close" | "terms.accept"),
            Role::Member => everybody || DAILY.contains(&noun) || noun == "visit",
            Role::Viewer => everybody || reads && matches!(noun, "client" | "document" | "visit"),
            Role::Accountant => everybody || DAILY.contains(&noun),
            Role::Receptionist => everybody || matches!(noun, "visit" | "blocklist_entry"),
            Role::Secretary => everybody || noun == "visit",
            Role::PostalClerk => everybody || matches!(permission.0, "postal_item.read" | "postal_item.handle"),
            Role::Lawyer => everybody || matches!(noun, "visit" | "secretary"),
            Role::Custom => everybody,
            Role::Auditor => reads && noun != "mail" || permission.0 == "log.export",
        }
    }
}

/// Nouns over which a company's own permission sets can give rights. Rights over people, over rights and over security stay
/// with owners and admins: whoever cannot be given them cannot pass them on either.
const GRANTABLE: &[&str] = &[
    "client", "document", "approval", "delivery", "sending_order", "postal_item", "visit", "mail", "mail_template",
    "device", "token", "event", "log", "tenant", "blocklist_entry",
];

impl Permission {
    /// Can a permission set hold it? Never what only an owner may, what everybody in a company may anyway, or what is not
    /// for people.
    pub fn is_grantable(self) -> bool {
        GRANTABLE.contains(&self.noun())
            && !self.is_outside()
            && Role::Admin.permits(self)
            && !Role::Custom.permits(self)
    }

    /// Every permission that a set can hold, sorted.
    pub fn grantable() -> impl Iterator<Item = Permission> {
        CATALOG.iter().copied().filter(|permission| permission.is_grantable())
    }

    /// The permission to see what this one changes, where a set must hold it too.
    pub fn needs(self) -> Option<Permission> {
        let read = CATALOG.iter().copied().find(|p| p.noun() == self.noun() && p.verb() == "read")?;
        (self != read && read.is_grantable()).then_some(read)
    }
}

/// All permissions, sorted; the place of each is its bit in [`Permissions`].
static CATALOG: LazyLock<Vec<Permission>> = LazyLock::new(|| catalog::permissions().into_iter().collect());

/// Permissions of somebody with a set of their own. For the memory of one process: bits move when the catalog grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Permissions([u64; 4]);

impl Permissions {
    /// From names. One that this build does not know, or that no set may hold any more, gives nothing.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Permissions {
        let mut all = Permissions::default();
        for name in names {
            let place = CATALOG.binary_search_by(|permission| permission.0.cmp(name)).ok();
            if let Some(place) = place.filter(|place| CATALOG[*place].is_grantable()) {
                all.0[place / 64] |= 1 << (place % 64);
            }
        }
        all
    }

    /// Is it among them?
    pub fn has(self, permission: Permission) -> bool {
        let place = CATALOG.binary_search(&permission).ok();
        place.is_some_and(|place| self.0[place / 64] & (1 << (place % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_follow_from_permissions() {
        assert_eq!(Permission("document.issue").scope(), "documents:write");
        assert_eq!(Permission("delivery.read").scope(), "deliveries:read");
        assert_eq!(Permission("event.read_own").scope(), "events:read");
        assert_eq!(Permission("me.read").scope(), "me:read");
    }

    /// Who may what, group by group: W changes, R reads, o only their own, - nothing.
    const MATRIX: &str = "
                      members documents sending post visits log export settings
        owner         W       W         W       W    W      R   W      W
        admin         W       W         W       W    W      R   W      W
        member        -       W         W       W    W      o   -      -
        viewer        -       R         -       -    R      o   -      -
        accountant    -       W         W       W    -      o   -      -
        receptionist  -       -         -       -    W      o   -      -
        auditor       R       R         R       R    R      R   W      R
        device        -       -         -       -    -      -   -      -
        link_holder   -       -         -       -    -      -   -      -
        custom        -       -         -       -    -      o   -      -
        lawyer        -       -         -       -    W      o   -      -
        secretary     -       -         -       -    W      o   -      -
        postal_clerk  -       -         -       o    -      o   -      -";

    #[test]
    fn roles_may_what_the_matrix_says() {
        // What shows that a group may be changed, read, or read in part.
        type Few = &'static [&'static str];
        let groups: &[(&str, Few, Few, Few)] = &[
            ("members", &["member.invite", "member.change_role", "member.suspend", "member.remove"], &[], &[]),
            (
                "documents",
                &["document.draft", "document.issue", "document.pay", "client.register"],
                &["document.read"],
                &[],
            ),
            ("sending", &["delivery.send", "sending_order.place"], &["delivery.read", "sending_order.read"], &[]),
            ("post", &["postal_item.queue"], &[], &["postal_item.read"]),
            ("visits", &["visit.register", "visit.cancel", "visit.receive"], &["visit.read"], &[]),
            ("log", &[], &["event.read"], &["event.read_own"]),
            ("export", &["log.export"], &[], &[]),
            ("settings", &["tenant.change", "device.pair", "token.issue"], &["device.read", "token.read"], &[]),
        ];
        let mut rows = MATRIX.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(rows.next().unwrap(), groups.iter().map(|g| g.0).collect::<Vec<_>>());
        let mut checked = 0;
        for row in rows {
            let role = Role::from_name(row[0]).unwrap();
            for ((group, writes, reads, own), cell) in groups.iter().zip(&row[1..]) {
                let mut check = |permissions: &[&'static str], right: bool| {
                    for permission in permissions {
                        assert_eq!(role.permits(Permission(permission)), right, "{} {group} {permission}", row[0]);
                        checked += 1;
                    }
                };
                check(writes, *cell == "W");
                check(reads, matches!(*cell, "W" | "R"));
                check(own, matches!(*cell, "W" | "R" | "o"));
            }
        }
        assert_eq!(checked, 13 * 27, "rows × permissions");
    }

    #[test]
    fn who_has_no_account_may_only_what_brought_them_here() {
        for (permission, role) in [
            ("kiosk.check_in", Role::Device),
            ("kiosk.walk_in", Role::Device),
            ("link.open", Role::LinkHolder),
            ("invitation.accept", Role::LinkHolder),
            ("sign_up.submit", Role::LinkHolder),
        ] {
            let may: Vec<Role> = Role::ALL.iter().copied().filter(|r| r.permits(Permission(permission))).collect();
            assert_eq!(may, [role, Role::System], "{permission}");
        }
        for permission in
            ["session.start", "access.record", "mail.record", "delivery.expire", "slug.take", "tenant.open"]
        {
            let may: Vec<Role> = Role::ALL.iter().copied().filter(|r| r.permits(Permission(permission))).collect();
            assert_eq!(may, [Role::System], "{permission}");
        }
    }

    #[test]
    fn el_22_no_set_holds_what_makes_rights() {
        assert!(CATALOG.len() <= 256, "Permissions has a bit for each");
        let all: Vec<&str> = Permission::grantable().map(|p| p.0).collect();
        assert!(all.len() > 20 && all.contains(&"document.issue") && all.contains(&"event.read"), "{all:?}");
        for never in ["member.invite", "member.change_role", "permission_set.define", "security.change", "me.read"] {
            assert!(!all.contains(&never) && !Permissions::named([never]).has(Permission(never)), "{never}");
        }
        for permission in Permission::grantable() {
            assert!(Role::Admin.permits(permission) && Permissions::named([permission.0]).has(permission));
        }
        let reads = Permissions::named(["document.read", "no.such"]);
        assert!(reads.has(Permission("document.read")) && !reads.has(Permission("document.issue")));
        assert!(!reads.has(Permission("no.such")));
        assert_eq!(Permission("document.issue").needs(), Some(Permission("document.read")));
        assert_eq!(Permission("document.read").needs(), None);
        assert_eq!(Permission("tenant.change").needs(), None, "everybody reads it");
    }

    #[test]
    fn an_auditor_changes_nothing() {
        let may: Vec<_> = crate::catalog::permissions().into_iter().filter(|p| Role::Auditor.permits(*p)).collect();
        // How they log in is their own.
        let changes: Vec<_> = may.iter().filter(|p| !p.reads() && p.noun() != "me").map(|p| p.0).collect();
        assert_eq!(changes, ["log.export"]);
    }
}
