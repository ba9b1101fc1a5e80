//! Roles and what they may do. The matrix is printed into `docs/permissions.md`; a test holds the file to this code.

use crate::codes;

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
            || matches!(self.0, "mail.record" | "delivery.expire" | "tenant.sign_up")
    }

    /// Reads only?
    pub fn reads(self) -> bool {
        self.verb().starts_with("read")
    }

    /// The scope that an access token needs.
    pub fn scope(self) -> String {
        let noun = self.noun();
        let plural = match noun.strip_suffix('y') {
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
    }
}

impl Role {
    /// Roles that a person with an account can have.
    pub const OF_MEMBERS: [Role; 7] =
        [Role::Owner, Role::Admin, Role::Member, Role::Viewer, Role::Accountant, Role::Receptionist, Role::Auditor];

    /// Can a person with an account have it?
    pub fn is_for_members(self) -> bool {
        Role::OF_MEMBERS.contains(&self)
    }

    /// The matrix. Whose tokens, visits and events is for the rules and queries to say.
    pub fn permits(self, permission: Permission) -> bool {
        let (noun, reads) = (permission.noun(), permission.reads());
        let everybody = matches!(permission.0, "member.read" | "tenant.read" | "event.read_own" | "log.read");
        match self {
            Role::System => true,
            Role::Device => noun == "kiosk",
            Role::LinkHolder => matches!(noun, "link" | "invitation" | "pass"),
            _ if noun == "me" => true,
            _ if permission.is_outside() => false,
            Role::Owner => true,
            Role::Admin => permission.0 != "tenant.close",
            Role::Member => everybody || matches!(noun, "client" | "document" | "delivery" | "visit" | "mail"),
            Role::Viewer => everybody || reads && matches!(noun, "client" | "document" | "delivery" | "visit"),
            Role::Accountant => everybody || matches!(noun, "client" | "document" | "delivery" | "mail"),
            Role::Receptionist => everybody || noun == "visit",
            Role::Auditor => reads && noun != "mail" || permission.0 == "log.export",
        }
    }
}

/// What queries ask for; commands are in the catalog.
pub const READS: &[Permission] = &[
    Permission("client.read"),
    Permission("delivery.read"),
    Permission("device.read"),
    Permission("document.read"),
    Permission("event.read"),
    Permission("event.read_own"),
    Permission("log.read"),
    Permission("mail.read"),
    Permission("me.read"),
    Permission("member.read"),
    Permission("tenant.read"),
    Permission("token.read"),
    Permission("visit.read"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_follow_from_permissions() {
        assert_eq!(Permission("document.issue").scope(), "documents:write");
        assert_eq!(Permission("delivery.read").scope(), "deliveries:read");
        assert_eq!(Permission("event.read_own").scope(), "events:read");
    }

    #[test]
    fn an_auditor_changes_nothing_and_a_device_only_checks_people_in() {
        for verb in ["document.issue", "member.invite", "visit.register", "tenant.change"] {
            assert!(!Role::Auditor.permits(Permission(verb)), "{verb}");
        }
        assert!(Role::Auditor.permits(Permission("event.read")));
        assert!(Role::Device.permits(Permission("kiosk.check_in")));
        assert!(!Role::Device.permits(Permission("visit.read")));
        assert!(!Role::Owner.permits(Permission("kiosk.check_in")));
    }
}
