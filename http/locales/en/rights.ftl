### Permission sets: a company's own roles.
permission-sets = Permissions
permission-sets-lead = Roles of your own, for members whom none of the fixed roles fits. A change holds from the next click of everybody who has the role.
permission-set = Permission set
permission-set-new = New permission set
permission-set-new-do = Make permission set
permission-set-example = For example Invoice checking
permission-set-base = Whoever has it may also see the company's name, its members, and their own actions. Rights over members, permissions and security stay with owners and administrators.
permission-set-none = No permission sets yet
permission-set-none-hint = The fixed roles are enough for most companies.
permission-set-holders = { $n ->
    [0] Nobody has it
    [one] 1 person has it
   *[other] { $n } people have it
 }
permission-set-changed = changed { $time }
permission-set-deleted = Deleted
permission-set-delete = Delete this permission set
permission-set-delete-hint = Possible once nobody has it any more. The records of it stay.
permission-set-delete-do = Delete
done-permission-set-defined = The permission set was made
done-permission-set-deleted = The permission set was deleted
comma = {", "}
role-custom = Own permission set
role-custom-hint = Your company's own permission set
permission-noun-client = Clients
permission-noun-document = Documents
permission-noun-approval = Approvals
permission-noun-delivery = Sending
permission-noun-visit = Visits
permission-noun-mail = Outbox
permission-noun-device = Kiosks
permission-noun-token = Access tokens
permission-noun-event = Audit trail
permission-noun-log = Ledger
permission-noun-tenant = Company
permission-client-read = See clients
permission-client-register = Register clients
permission-client-change = Change clients
permission-client-archive = Archive clients
permission-document-read = See documents
permission-document-draft = Write drafts
permission-document-issue = Issue, correct and cancel documents
permission-document-pay = Record payments
permission-approval-give = Approve documents or give them back
permission-delivery-read = See what was sent
permission-delivery-send = Send documents and withdraw links
permission-visit-read = See visits
permission-visit-register = Register visits
permission-visit-change = Change visits
permission-visit-cancel = Cancel visits
permission-visit-receive = Check visitors in and out
permission-mail-read = See sent mails
permission-mail-send = Send failed mails again
permission-device-read = See kiosks
permission-device-pair = Pair and revoke kiosks
permission-token-read = See own access tokens
permission-token-issue = Issue access tokens with own rights
permission-token-revoke = Revoke own access tokens
permission-event-read = See what everybody did
permission-log-export = Export the ledger
permission-tenant-change = Change the company's details and bank account

kind-permission-set-defined = Permission set made
kind-permission-set-changed = Permission set changed
kind-permission-set-deleted = Permission set deleted
kind-permission-sets-named = Name of a permission set taken
kind-permission-sets-dropped = Name of a permission set given up
kind-permission-sets-given = Permission set given to a member
kind-permission-sets-taken = Permission set taken from a member
kind-member-invitation-expired = Invitation expired
object-permission-set = Permission set
object-permission-sets = Permission sets

problem-permission-set-too-many = There are too many permission sets
problem-permission-set-too-many-detail = A company can have 50. Delete one that nobody has.
problem-permission-set-name-taken = There is a permission set of this name
problem-permission-set-name-taken-detail = Choose another name.
problem-permission-set-no-permissions = Nothing is chosen
problem-permission-set-no-permissions-detail = Choose at least one permission.
problem-permission-set-unknown-permission = A permission set cannot hold this permission
problem-permission-set-unknown-permission-detail = Rights over members, permissions and security belong to owners and administrators alone.
problem-permission-set-beyond-own = You do not have every one of these permissions yourself
problem-permission-set-beyond-own-detail = Only somebody who has them can pass them on. Ask an owner or an administrator.
problem-permission-set-needs-read = The permission to see is missing
problem-permission-set-needs-read-detail = Whoever changes something has to see it. Choose that permission too.
problem-permission-set-unknown = There is no such permission set
problem-permission-set-unknown-detail = It may have been deleted.
problem-permission-set-gone = This permission set was deleted
problem-permission-set-gone-detail = Make a new one.
problem-permission-set-in-use = Somebody still has this permission set
problem-permission-set-in-use-detail = Give those members another role first, and withdraw open invitations with it.

### Invitations.
invite-other-who = You are logged in as { $name } ({ $email }).
problem-invitation-other-address = This invitation is for another address
problem-invitation-other-address-detail = Log out, then open the link in the mail again. If the mail was forwarded to you, ask for an invitation to your own address.

### Suspension, and how it ends.
f-reason = Reason
member-emergency = Emergency
member-emergency-hint = Somebody else may be using this login. Tokens end for good and links that were sent do not open; only a call to a number known before lets this person in again.
member-emergency-now = Suspended in an emergency. Nothing that was recorded is lost. Access comes back only after a call has confirmed who asks for it.
phone-check = Call
phone-check-new = Write down a call
phone-check-hint = Call the person under a number that your company had before, never one that the caller gives.
phone-check-source = Where the number comes from
phone-check-number = Number that was called
phone-check-time = When
phone-check-result = Result
phone-check-confirmed = It is them
phone-check-denied = They know nothing of it
phone-check-not_reached = Nobody answered
phone-check-note = What was asked
phone-check-do = Record the call
number-source-personnel_file = Personnel file
number-source-contract = Contract
number-source-public_register = Public register (for example the bar association)
number-source-colleague = A colleague who knows them
number-source-caller = The caller
done-phone-checked = The call was recorded
kind-identity-verified-by-phone = Identity checked by phone
object-identity = Identity
problem-identity-check-first = Call the person first
problem-identity-check-first-detail = This suspension was an emergency. Call the person under a number that your company had before, and record the call with the result. Only the last call counts.
problem-identity-own = Somebody else has to do this
problem-identity-own-detail = Nobody vouches for themselves.
problem-identity-number-from-caller = The number must not come from the caller
problem-identity-number-from-caller-detail = Take it from your own file, a contract or a public register.
problem-identity-bad-number = This is no phone number
problem-identity-bad-number-detail = 6 to 20 digits; spaces, hyphens and parentheses may stand between them.
problem-identity-bad-time = This time cannot be
problem-identity-bad-time-detail = Within the last seven days, not in the future.
problem-delivery-on-hold = This link is on hold
problem-delivery-on-hold-detail = Ask the company that sent it. You can try again later with the same link.

### The life of somebody's access.
lifecycle = History of access
lifecycle-of = History of access: { $name }
lifecycle-lead = Invited, let in, given rights, kept out, erased: who did each, and where it stands in the ledger.
lifecycle-id = Member id
lifecycle-logins = Logins
lifecycle-last = last { $time }
lifecycle-actions = Own actions
lifecycle-when = When
lifecycle-what = What
lifecycle-who = By whom
lifecycle-record = Record

### Secretaries of a law office.
secretaries = Secretaries
secretaries-lead = A secretary acts for a lawyer only after the button in a mail to the secretary's own mailbox was pressed. Each press is told to the lawyer.
secretary-assign = Take on a secretary
secretary-assign-hint = Whoever is not in the company yet is invited as well. Both mails go to this address; it has to be the secretary's own.
secretary-assign-do = Send the mails
secretary-none = No secretaries
secretary-none-hint = Lawyers take them on here, each for themselves.
secretary-of = for { $lawyer }
secretary-since = confirmed { $time }
secretary-waiting = Not confirmed yet
secretary-confirmed = Confirmed
secretary-expired = Mail expired
secretary-ended = Over
secretary-end-do = End
secretary-confirm-title = Confirm your mailbox
secretary-confirm-lead = { $lawyer } of { $company } has taken you on as a secretary. With this button you confirm that this mailbox is yours. { $lawyer } is told of it.
secretary-confirm-do = This mailbox is mine
secretary-refuse-title = Withdraw the secretary
secretary-refuse-lead = { $secretary } will not act for you at { $company } any more. This link works once.
secretary-refuse-do = Withdraw
done-secretary-assigned = The mails are on their way
done-secretary-confirmed = Confirmed. You can log in now
done-secretary-ended = The secretary does not act for this lawyer any more
role-lawyer = Lawyer
role-lawyer-hint = Own visits and secretaries
role-secretary = Secretary
role-secretary-hint = Acts for the lawyers who took them on
kind-secretary-assigned = Secretary taken on
kind-secretary-confirmed = Secretary's mailbox confirmed
kind-secretary-revoked = Secretary withdrawn
kind-secretaries-tied = Secretary acts for a lawyer
kind-secretaries-untied = Secretary acts no more for a lawyer
object-secretary = Secretary
object-secretaries = Secretaries
mail-secretary-confirm-subject = Confirm your mailbox: { $company }
mail-secretary-confirm-body =
    Dear { $to },

    { $host } of { $company } has taken you on as a secretary.
    Open this link before { $expires } and press the button. Until then your account can do nothing:

    { $link }

    If you know nothing of it, ignore this mail.
mail-secretary-confirmed-subject = { $visitor } has confirmed the mailbox
mail-secretary-confirmed-body =
    Dear { $to },

    The button in the mail to { $visitor } was pressed: this account acts for you at { $company }.
    If you did not expect it, withdraw it here. The link works once:

    { $link }
problem-secretary-not-confirmed = Your mailbox is not confirmed yet
problem-secretary-not-confirmed-detail = Press the button in the mail that was sent to you. If it expired, ask the lawyer who took you on to send it again.
problem-secretary-not-a-member = Only a member can take on a secretary
problem-secretary-not-a-member-detail = Log in as the lawyer.
problem-secretary-other-role = This person has another role here
problem-secretary-other-role-detail = Somebody with a role of their own needs no lawyer to act for.
problem-secretary-already-confirmed = This secretary acts for you already
problem-secretary-already-confirmed-detail = There is nothing left to do.
problem-secretary-own = This is your own address
problem-secretary-own-detail = Give the secretary's own mailbox.
problem-secretary-unknown = There is no such secretary
problem-secretary-unknown-detail = It may have been withdrawn.
problem-secretary-gone = This no longer works
problem-secretary-gone-detail = It was used, replaced by a newer mail, or withdrawn.
problem-secretary-expired = The mail has expired
problem-secretary-expired-detail = Ask the lawyer to send it again.
permission-visit-correct = Correct records of visits
