### Who runs the deployment, what they ask companies for, and what they look at.

## The company's page
grants = Support access
grants-lead = The people who run this service see nothing of your company unless you let them: for a purpose, for some of the data, until a time.
grants-waiting = { $n ->
        [one] { $n } request or grant of support access concerns you now
       *[other] { $n } requests or grants of support access concern you now
    }
grants-list = Requests and grants, newest first
grants-none = Nobody has asked
grants-none-hint = When somebody who runs this service needs to look, the request appears here.
grants-by-purpose = Requests so far, by purpose
grants-operators = Who runs this service: { $support } in support, { $engineering } in engineering, { $management } in management. Management sees no company's data.
grant-of = Request of { $name }
grant-who = Who
grant-what = What
grant-what-for = What for
grant-until = Until
grant-object = One thing only
grant-reason = In their words
grant-second = Second operator
grant-opened = Opened by
grant-opened-of = { $n } of { $needed } of your people
grant-told = Not needed: you have chosen to be told instead of asked
grant-looks = Looks
grant-looks-n = { $n ->
        [one] { $n } look
       *[other] { $n } looks
    }
grant-reviewed = Signed off
grant-seen = What was looked at
grant-seen-none = Nothing so far.
grant-open-do = Open
grant-open-hint = From now until { $time } this person can see { $classes }. Each look is a record of your ledger.
grant-open-two = What is privileged needs two people of your company. Each of them opens it.
grant-deny-do = Refuse
grant-end-do = End now
grant-waits-operator = Waits for a second operator. Until then there is nothing to open.
support-how = How you are asked
support-how-hint = What is privileged is asked for in any case, of two people.
support-told = Tell us instead of asking: requests that a second operator approved are open at once
purpose-service = Running the service
purpose-billing = Billing
purpose-aggregate-analysis = Figures over many companies
purpose-individual-report = A report that you asked for
purpose-event-info = Information about an event
purpose-inquiry = Answering your question
purpose-bug = Finding what is broken
purpose-improvement = Making the service better
purpose-survey = A survey
purpose-campaign = A campaign
status-requested = Waits for a second operator
status-approved = Waits for you
status-open = Open
status-denied = Refused
status-ended = Ended
status-registered = Waits for approval
status-working = Works
done-grant-opened = Opened. Each look is recorded
done-grant-ended = Ended
done-recorded = Recorded

## The operators' plane
plane = Operators
plane-lead = Accounts, and what operators ask companies for. Everything here is recorded.
plane-you = You are { $name } ({ $kind }).
plane-operators = Accounts
plane-grants = Requests and grants
plane-purposes = By purpose
plane-unreviewed = { $n ->
        [0] Nothing waits for a sign-off.
        [one] { $n } grant that is over waits for a sign-off by somebody else.
       *[other] { $n } grants that are over wait for a sign-off by somebody else.
    }
plane-review-due = Review due
plane-register = Ask for an account
plane-certificate = SHA-256 of the certificate
plane-certificate-hint = openssl x509 -noout -fingerprint -sha256 -in their.pem
plane-certificate-do = Give another certificate
plane-screen = How the person was screened
plane-screen-hint = What was looked at, and where the papers are.
plane-screen-do = Record
plane-not-screened = Not screened yet
plane-approve-do = Approve
plane-review-do = Sign off
plane-review-note = What you found
plane-remove-do = Take away
plane-ask = Ask a company
plane-company = Company (short name or id)
plane-hours = Hours, at most { $n }
plane-ask-do = Ask
plane-give-back-do = Give back
plane-classes = Data
plane-object-hint = Id of one document, client, visit … that is enough. Empty: all of these classes.
operator-kind-support = Support
operator-kind-engineering = Engineering
operator-kind-management = Management

## What can happen
kind-tenant-data-viewed = Looked at by support
kind-grant-requested = Support access asked for
kind-grant-approved = Support access approved by a second operator
kind-grant-opened = Support access opened
kind-grant-denied = Support access refused
kind-grant-ended = Support access ended
kind-grant-expired = Support access ended by its time
kind-grant-reviewed = Support access signed off
kind-support-changed = Support setting changed
kind-operator-registered = Operator registered
kind-operator-screened = Operator screened
kind-operator-approved = Operator approved
kind-operator-certificate-replaced = Operator's certificate replaced
kind-operator-reviewed = Operator reviewed
kind-operator-removed = Operator removed
kind-certificate-taken = Certificate given out
kind-operators-added = Operator added
kind-operators-left = Operator left
object-grant = Support access
object-support = Support setting
object-operator = Operator
object-operators = Operators
object-certificate = Certificate
field-purpose = What for
field-classes = Data
field-told-at-once = Told instead of asked
field-grant = Support access
field-by = By
field-object = One thing only
field-operator = Operator

## Refusals
problem-access-certificate = Log in with an operator's certificate
problem-access-certificate-detail = This port knows people by the client certificate of the connection alone. Choose yours, or ask another operator whether your account works.
problem-access-grant = There is no grant for this
problem-access-grant-detail = Ask the company for access: for this purpose, this data, until a time. Once it has opened the grant, try again.
problem-grant-unknown = There is no such request
problem-grant-unknown-detail = Open the list and choose one that is there.
problem-grant-over = This is over
problem-grant-over-detail = It was refused, was ended, or its time has passed. A new request begins anew.
problem-grant-management-never = Management holds no grants
problem-grant-management-never-detail = Ask somebody in support or engineering to look.
problem-grant-no-classes = Say which data
problem-grant-no-classes-detail = Choose at least one class of data.
problem-grant-bad-hours = Too long, or no time at all
problem-grant-bad-hours-detail = Choose as many hours as the work needs, up to the limit of this deployment.
problem-grant-no-company = There is no such company
problem-grant-no-company-detail = Enter its short name or its id.
problem-grant-own-approval = Somebody else approves
problem-grant-own-approval-detail = A second operator decides on your request.
problem-grant-already-approved = Approved already
problem-grant-already-approved-detail = Now it is for the company to open it.
problem-grant-not-approved = A second operator has yet to approve
problem-grant-not-approved-detail = Wait until they have. Then you can open it.
problem-grant-already-open = Open already
problem-grant-already-open-detail = It is in force until its time is over, or until you end it.
problem-grant-second-person = A second person is needed
problem-grant-second-person-detail = You have opened it. What is privileged needs one more of your colleagues.
problem-grant-not-due = Its time is not over
problem-grant-not-due-detail = Try again later.
problem-grant-not-over = It is still in force
problem-grant-not-over-detail = Sign it off when it is over.
problem-grant-own-review = Somebody else signs off
problem-grant-own-review-detail = Ask another operator to look at what was done.
problem-grant-already-reviewed = Signed off already
problem-grant-already-reviewed-detail = Nothing is left to do.
problem-operator-unknown = There is no such account
problem-operator-unknown-detail = Open the list and choose one that is there.
problem-operator-removed = This account was taken away
problem-operator-removed-detail = Ask for a new account, with a new certificate.
problem-operator-own-account = Not your own account
problem-operator-own-account-detail = Ask another operator to do this.
problem-operator-bad-email = This is no mail address
problem-operator-bad-email-detail = Check the address.
problem-operator-bad-certificate = This is no SHA-256
problem-operator-bad-certificate-detail = Enter 64 hex digits, with or without colons, as openssl x509 -fingerprint -sha256 prints them.
problem-operator-certificate-taken = This certificate belongs to an account
problem-operator-certificate-taken-detail = Each account has certificates of its own. Issue a new one.
problem-operator-not-screened = Not screened yet
problem-operator-not-screened-detail = First somebody records how the person was screened.
problem-operator-already-approved = Approved already
problem-operator-already-approved-detail = The account works.
problem-operator-second-person = A second operator is needed
problem-operator-second-person-detail = Whoever asked for an account does not approve it. Ask another operator.

## Queries in words
seen-get-tenant = Company
seen-list-members = Members
seen-get-member = Member
seen-list-clients = Clients
seen-get-client = Client
seen-list-documents = Documents
seen-get-document = Document
seen-list-deliveries = Sent documents
seen-get-delivery = Sent document
seen-list-visits = Visits
seen-get-visit = Visit
seen-list-kiosks = Kiosks
seen-get-kiosk = Kiosk
seen-list-events = The audit trail
seen-get-event = A record of the audit trail

## Mail to the owners
mail-support-access-subject = Somebody who runs the service asks to look at { $company }
mail-support-access-body =
    Dear { $to },

    Somebody who runs the service asked to look at data of { $company }, and a second person there approved it.
    Who, what for, which data and until when, and what they looked at, is on this page. There you let them, refuse, or end it at once:

    { $link }

## On the trust page
trust-operators = Who runs this service
trust-operators-text = They see nothing of a company unless it lets them, for a purpose and for { $hours } hours at most. Each look is a record of the company’s own ledger.
trust-operators-login = Log in by
trust-operators-login-certificate = Client certificate, on a port of their own. There is no password.
trust-operators-login-nothing = Nothing: nobody can log in as an operator
trust-operators-review = Accounts are reviewed
trust-operators-days = at least every { $days } days
trust-operators-since = Works since { $since }, reviewed { $reviewed }
