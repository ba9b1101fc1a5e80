### What every page says.

## Frame
brand = Keiin
skip = Skip to content
menu = Menu
nav = Main menu
nav-home = Home
nav-audit = Audit room
nav-work = Work
nav-company = Company
nav-documents = Documents
nav-deliveries = Secure sending
nav-clients = Clients
nav-visits = Visits
nav-members = Members
nav-kiosks = Kiosks
nav-outbox = Outbox
nav-settings = Settings
logout = Log out
crumbs = Breadcrumb
ledger-records = { $n ->
        [one] { $n } record
       *[other] { $n } records
    }
ledger-signed = { $n } signed · unwitnessed
public-trust = How this is kept safe
public-foot = Keiin records every operation in a signed ledger. A change shows.

## Verdicts: fixed terms
verdict-verified = Verified
verdict-waiting = Awaiting witness
verdict-unwitnessed = Unwitnessed
verdict-unchecked = Not checked
verdict-broken = Broken
verdict-erased = Body erased

## Small words
all = All
optional = Optional
search = Search
filters = Filters
remove-filter = (remove this filter)
clear-filters = Clear all filters
nothing-found = Nothing matches
nothing-found-hint = Shorten the search or remove a filter.
n-records = { $n ->
        [one] { $n } record
       *[other] { $n } records
    }
shown = { $n } shown
to-older = Older
to-newest = Back to newest
expected = Expected: { $value }
reference = Reference { $id }
back = Back
cancel = Cancel
save = Save
open = Open
copy = Copy
copied = Copied
saved = Saved
show-all = Show all
actions = Actions
reason = Reason
yes = Yes
no = No

## People
person-erased = Erased at the person's request
person-former-member = Former member
honorific-onchu = Organisation
honorific-sama = Person
actor-member = Member
actor-system = System (automatic)
actor-device = Kiosk
actor-link-holder = Link holder
actor-api-client = API client
actor-anonymous = Not logged in
actor-operator = Operator
dear = { $name }

## Roles
role-owner = Owner
role-admin = Administrator
role-member = Member
role-viewer = Viewer
role-accountant = Accountant
role-receptionist = Receptionist
role-auditor = Auditor
role-owner-hint = Everything; a company always has one
role-admin-hint = Settings and members
role-member-hint = Daily work: documents, sending, visits
role-viewer-hint = Looks only
role-accountant-hint = Documents and sending
role-receptionist-hint = Visits only
role-auditor-hint = Reads and verifies everything, changes nothing

## States
status-draft = Draft
status-issued = Issued
status-paid = Paid
status-cancelled = Cancelled
status-overdue = Overdue
status-sending = Sending
status-queued = Queued
status-sent = Sent
status-opened = Opened
status-failed = Not delivered
status-dead = Given up
status-expired = Expired
status-revoked = Revoked
status-locked = Locked
status-invited = Invited
status-active = Active
status-suspended = Suspended
status-removed = Removed
status-expected = Expected
status-arrived = On site
status-left = Left
status-no-show = Did not come
status-paired = In use

## Fields
f-name = Name
f-email = Email address
f-password = Password
f-tenant = Company's short name
f-tenant-hint = Only if your address belongs to several companies, for example minato
f-role = Role
f-status = Status
f-number = Number
f-client = Client
f-title = Subject
f-date = Date
f-date-due = Due date
f-total = Amount incl. tax
f-note = Note

## Login
login-title = Log in
login-lead = Enter your company's ledger. The login itself is recorded there.
login-do = Log in
login-demo = You can log in to the demo company
login-demo-password = They all share one password:
login-new = New company?
login-break-glass = Reason for breaking the glass
login-break-glass-hint = For owners only. The reason goes into the ledger, and a second factor is asked for.
login-forgot = Forgot your password?
login-with-google = Log in with Google
login-with-microsoft = Log in with Microsoft
login-companies-title = Which company?
login-companies-lead = Your account belongs to several companies. Choose the one to log in to.
forgot-title = Set a new password
forgot-lead = We mail you a link with which you set it.
forgot-do = Mail me a link
forgot-asked = Look at your mail
forgot-asked-hint = If this address belongs to a member, a link is on its way. It works for one hour.
reset-title = New password
reset-lead = For your login at { $company }. All logins end, and a second factor stays as it is.
signup-do = Sign up

## More small words
edit = Edit
choose = Choose
none = None
today = Today
you = (you)
print = Print
until = until { $time }
due-on = due { $date }
period-from = From
period-to = To
in-the-ledger = See it in the ledger
recorded-hint = Saving records the changed fields in the ledger.
reason-hint = Stays in the ledger and cannot be removed later.
flash-title = Shown only once
flash-hint = It cannot be shown again after you leave this page. The ledger keeps only its digest.
password-hint = At least 15 characters. A sentence works well.
password-new = New password
password-set-do = Set password
password-change-do = Change password
password-change-hint = All your other logins end.
f-expires-at = Valid until
f-registration-number = Registration number
f-registration-number-hint = Qualified invoice issuer number: T and 13 digits
f-bank-details = Bank details
f-postal-code = Postal code
f-region = Prefecture
f-locality = City
f-street-address = Street address
f-extended-address = Building, room
issued-at = Issued
unit-visits = visits
unit-records = records
unit-views =
    { $n ->
        [one] time
       *[other] times
    }

## Home
dashboard-title = Today for { $name }
dashboard-figures = Figures
dashboard-visits = Visits today
dashboard-ledger = Ledger
dashboard-waits = Waiting for somebody
dashboard-today = Visits today
dashboard-last = Latest records
n-invoices = { $n ->
        [one] { $n } invoice
       *[other] { $n } invoices
    }
n-documents = { $n ->
        [one] { $n } document
       *[other] { $n } documents
    }
n-on-site = { $n } on site
n-signed = { $n } signed
n-bytes = { $n } bytes

## Done
done-recovery-codes = New recovery codes were made
done-factor-on = The second factor is on
done-passkey-added = The passkey was added
done-passkey-renamed = The passkey was renamed
done-passkey-removed = The passkey was removed
done-account-linked = The account was linked
done-account-unlinked = The account is linked no more
done-phone-on = The phone was set up
done-phone-removed = The phone was removed
done-factor-removed = The authenticator app was removed
done-factor-reset = The second factor was reset
done-session-revoked = Logged out there
done-device-forgotten = The device was forgotten
done-login-disowned = That login has ended. A link to set a new password is on its way to you
done-saved = Saved
done-invited = The invitation is in the outbox
done-invitation-revoked = The invitation was withdrawn
done-suspended = Access suspended
done-reinstated = Access reinstated
done-removed = Removed from the members
done-password-changed = The password was changed. All other logins have ended
done-password-reset = A link for a new password is on its way
done-joined = You have joined. Log in now
done-client-registered = Client registered
done-client-archived = Client archived
done-drafted = Draft saved
done-issued = Issued. Its content is sealed in the ledger
done-approval-asked = Approval was asked for
done-approved = Approved
done-rejected = Given back
done-converted = The draft was made
done-corrected = Corrected
done-cancelled = Cancelled
done-paid = Payment recorded
done-sent = Sent
done-link-revoked = Link revoked
done-link-resent = A new link is on its way; the old one has ended
done-visit-registered = Visit registered
done-visit-cancelled = Visit cancelled
done-checked-in = Checked in
done-checked-out = Checked out
done-kiosk-paired = Kiosk paired
done-kiosk-revoked = Kiosk revoked
done-token-issued = Token issued
done-token-revoked = Token revoked

## Refusals
refused-title = Not saved
refused-hint = Go back in the browser to correct what you typed.
problem-about = This code means the same in the API and in the pages.
not-found-title = Page not found
not-found-text = The address is wrong, it has expired, or it belongs to another company.

# Trust
trust = How this is kept safe
trust-lead = Made from the settings that this server runs with, not typed by anybody.
trust-ledger = Ledger
trust-ledger-text = Every operation is in an append-only, signed ledger. What is exported can be verified without this server.
trust-signature = Signature and hash
trust-origin = Name of the ledger
trust-key = Public key for verifying
trust-verified = Verification of the records
trust-verified-text = Every { $every } all stored records are read again and verified as an auditor would: hashes, chain, every signature, the published checkpoint. A ledger that does not fit is out of use at once.
trust-verified-never = This server is set up not to read stored records again by itself.
trust-verified-result = Your ledger
trust-verified-when = Verified at
trust-verified-span = { $began } to { $ended }
trust-verified-records = Records read
trust-verified-signatures = Signatures checked
trust-verified-checkpoint = Held against the checkpoint
trust-verified-size = of { $n } records
trust-verified-download = Signed verification report
trust-verified-repeat = This is what the server says of itself. To repeat it without trusting the server, export the ledger (POST /v1/exports, or keiin export) and verify it as below: the same number of records must give the same root. Compare the key with one that you received another way.
trust-verified-not-yet = Your ledger has not been verified to the end yet. Once it has, the result and a signed report are here.
trust-rest = Encryption at rest
trust-rest-text = Records are sealed with the company’s own key, personal data besides with the person’s own. Destroying a person’s key makes their data unreadable and leaves every proof intact.
trust-cipher = Cipher
trust-transport = Encryption in transit
trust-transport-tls = TLS 1.2 and 1.3 with authenticated encryption only. Plain connections are led to HTTPS.
trust-transport-proxy = The server in front of this one speaks TLS.
trust-transport-loopback = This server is set up for trying out: it can be reached from its own machine only.
trust-suites = Cipher suites
trust-passwords = Passwords
trust-hash = Kept as
trust-hash-value = Argon2id ({ $memory } MiB, { $passes } passes). Nobody can read a password back.
trust-length = Length
trust-length-value = { $shortest } to { $longest } characters
trust-common = Common words
trust-common-value = { $count } are refused
trust-guesses = Wrong attempts
trust-guesses-value = After { $free } in a row each waits twice as long as the last ({ $minutes } minutes at most); after { $most } there is no next
trust-sessions = Logins
trust-idle = End without use after
trust-longest = End in any case after
trust-fresh = A confirmation counts for
trust-invitation = An invitation is good for
trust-hours = { $hours } hours
trust-minutes = { $minutes } minutes
trust-limits = Limits
trust-requests = Requests a minute
trust-requests-value = { $each } for one login, { $company } for a whole company
trust-turns = Worked on at once
trust-turns-value = { $count } changes for one company; what is more waits within that company
trust-version = Keiin { $version }

support-contact = Questions: { $contact }
support-hours = { $opens } to { $closes } (Japan), not at weekends and on public holidays
support-closed-holiday = Closed today: { $holiday }
support-closed-day = Closed today
support-closed-weekend = Closed at weekends
support-closed-hours = Closed at this hour
holiday-new-year = New Year's Day
holiday-coming-of-age = Coming of Age Day
holiday-foundation = National Foundation Day
holiday-emperors-birthday = The Emperor's Birthday
holiday-vernal-equinox = Vernal Equinox Day
holiday-showa = Showa Day
holiday-constitution = Constitution Memorial Day
holiday-greenery = Greenery Day
holiday-children = Children's Day
holiday-marine = Marine Day
holiday-mountain = Mountain Day
holiday-respect-for-the-aged = Respect for the Aged Day
holiday-autumnal-equinox = Autumnal Equinox Day
holiday-sports = Sports Day
holiday-culture = Culture Day
holiday-labour = Labour Thanksgiving Day
holiday-substitute = a substitute holiday
holiday-between = a public holiday
