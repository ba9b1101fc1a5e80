### After the arrival: notices, answers, blocklist, history, figures, evacuation, erasing.
visit-history = History
visit-history-search-hint = Name, reading, company
visit-history-csv-hint = What is shown can be taken away as CSV.
visit-how = Way in
visit-appointment = Appointment
visit-planned = Planned
visit-waiting = Visitors who wait
visit-waiting-none = Nobody waits
visit-waiting-none-hint = When somebody arrives, it shows here and at the top of every page.
waiting-here = Here since { $time }, waiting at { $place }.
waiting-no-answer = Here since { $time }, waiting at { $place }. { $host } has not answered.
waiting-nobody = Here since { $time }, waiting at { $place }. Nobody is named as host.
waiting-blocklist = Waiting at { $place }. The blocklist names them.
waiting-not-screened = Waiting at { $place }. The blocklist could not be checked.
waiting-decide = Look and decide
answer-coming = I am coming
answer-wait = Let them wait
answer-someone-else = Someone else comes
answer-title = Your visitor is here
answer-given = Recorded: { $answer }
answer-hint = Your answer is recorded in the ledger and shown to the reception. You can change it.
done-answered = Your answer is recorded
done-turned-away = Recorded: turned away
done-visitor-erased = What was known of the visitor is erased
status-held = At the reception
status-turned-away = Turned away
visit-notices = Who was told
visit-unanswered = No answer yet
visit-answered = { $who } answered at { $time }.
why-no-answer = to the reception: no answer
why-nobody-to-ask = to the reception: no host
why-blocklist = to the reception: blocklist
why-not-screened = to the reception: blocklist not checked
visit-named = The blocklist names them
visit-not-screened = The blocklist could not be checked
visit-not-screened-hint = The visitor was told that the reception will come to them. Make sure who it is, and decide whether to let them in.
visit-let-in = Let them in
visit-let-in-reason = Why they may come in
visit-let-in-hint = The reason is sealed with what is known of the visitor.
visit-turn-away = Turn away
visit-erase = Erase the visitor
visit-erase-hint = Name, company, mail address and notes become unreadable. When they came, and the proof of it, stays. This cannot be undone.
visit-erase-do = Erase
visit-erased-by-hand = What was known of the visitor was erased.
visit-erased-by-policy = What was known of the visitor was erased, because the time for keeping it was up.

## Figures
visit-figures = Figures
figures-arrivals = Arrivals
figures-walk-ins = Walk-ins
figures-no-shows = No-shows / appointments
figures-no-show-rate = No-show rate
figures-by-day = Arrivals by day
figures-by-hour = Arrivals by hour
figures-by-month = Arrivals of twelve months
figures-nobody = Nobody came in { $month }.
figures-day-says = { $n } arrivals in { $month }. The busiest day was { $day } with { $most }.
figures-hour-says = The busiest hour was { $hour }:00 to { $next }:00 with { $most } arrivals.
figures-month-says = { $n } arrivals from { $from } to { $to }.

## Evacuation
evacuation = Evacuation list
evacuation-lead = { $n } visitors in the house, as of { $time }
evacuation-now = This list is fresh
evacuation-age = This list is { $n } minutes old
evacuation-again = Refresh
evacuation-print = Print
evacuation-offline = This device keeps the list for up to 24 hours. It opens without a network, and ticks work. Ticks stay on this device.
evacuation-safe = Safe
evacuation-missing = Missing
evacuation-untick = Clear all ticks
evacuation-tick = Safe
evacuation-count = { $n } people
evacuation-none = No visitor is in the house
evacuation-none-hint = Whoever came in and did not leave shows here, by place.

## Blocklist
blocklist = Blocklist
blocklist-lead = When somebody on the list comes, the kiosk asks them to see the reception, and the reception is told. The kiosk does not say why.
blocklist-add = Put on the list
blocklist-add-do = Add
blocklist-kind = Kind
blocklist-kind-name = Name or reading
blocklist-kind-company = Company
blocklist-kind-email = Mail address
blocklist-value = Who
blocklist-value-hint = Width, case, kind of kana and spaces make no difference. A mail host as @example.com means all of it.
blocklist-reason = Note to the reception
blocklist-reason-hint = Visitors never see it.
blocklist-since = Since { $time }
blocklist-remove = Take off the list
blocklist-none = The list is empty
blocklist-none-hint = List people and companies that the reception wants to be warned of.
blocklist-status-listed = Listed
blocklist-status-removed = Taken off

## Policy
visit-policy = Notices and privacy
policy-notices = Notices to hosts
policy-notice = What a mail says
policy-notice-nothing = Only that somebody is here
policy-notice-name = The name
policy-notice-name-and-company = Name and company
policy-notice-hint = The visitor's mail address is never in it.
policy-slack = Slack is told through a webhook that hears of visits.
policy-escalation = Where nobody answers
policy-minutes = Minutes until the reception is told
policy-minutes-hint = 1 to 120. Of visitors without a host the reception is told at once.
policy-tell = Whom to tell
policy-tell-hint = Nobody chosen: members with the reception's role, else the owners.
policy-privacy = Keeping what is known of visitors
policy-keep-days = Days after the visit
policy-keep-days-hint = Empty: kept without end. Then names are erased; that somebody came, and the proof, stays.

## Mails
mail-visit-waiting-subject = A visitor is waiting ({ $location })
mail-visit-waiting-body =
    Dear { $to },

    { $why ->
        [blocklist] A visitor whom the blocklist names is waiting at the reception.
        [nobody_to_ask] A visitor without a host is waiting at the reception.
       *[no_answer] A visitor has arrived and no host has answered.
    }
    { $named ->
        [yes] Visitor: { $visitor }
       *[no] Look up the name in Keiin.
    }
    Place: { $location }

    { $why ->
        [blocklist] Decide under "Visitors who wait" in Keiin.
       *[no_answer] Answer by this link:

            { $link }
    }

## Trail and rights
kind-visit-announced = Told the host of an arrival
kind-visit-escalated = Told the reception
kind-visit-acknowledged = Answered an arrival
kind-visit-matched = The blocklist named a visitor
kind-visit-screening-failed = The blocklist could not be checked at the door
kind-visit-overridden = Let in a visitor on the blocklist
kind-visit-turned-away = Turned a visitor away
kind-visit-erasure-ordered = Ordered a visitor to be erased
kind-visit-policy-changed = Changed notices and privacy of visits
kind-blocklist-entry-added = Added to the blocklist
kind-blocklist-entry-removed = Took off the blocklist
kind-blocklist-grown = The blocklist grew by one
kind-blocklist-shrunk = The blocklist shrank by one
object-visit-policy = Notices and privacy of visits
object-blocklist-entry = Blocklist entry
object-blocklist = Blocklist
permission-noun-blocklist-entry = Blocklist
permission-visit-acknowledge = Answer visitors who have arrived
permission-blocklist-entry-read = See the blocklist
permission-blocklist-entry-add = Add to the blocklist
permission-blocklist-entry-remove = Take off the blocklist
permission-blocklist-entry-override = Let in or turn away visitors on the blocklist
scope-blocklist-entries-read = See the blocklist
scope-blocklist-entries-write = Change the blocklist and let its visitors in
scope-visit-policies-read = See notices and privacy of visits
scope-visit-policies-write = Change notices and privacy of visits

## Refusals
problem-visit-ask-reception = Ask at the reception
problem-visit-ask-reception-detail = Somebody at the reception will help you.
problem-visit-not-screened = The reception will come to you
problem-visit-not-screened-detail = They have been told that you are here. Wait here for a moment.
problem-visit-not-named = The blocklist does not name them
problem-visit-not-named-detail = Check them in as usual.
problem-visit-notice-gone = This notice cannot be answered any more
problem-visit-notice-gone-detail = The visitor has left, or it is of another day.
problem-visit-not-over = It is too early to erase
problem-visit-not-over-detail = Erase after the visitor left, or after the day that was planned.
problem-visit-already-erased = It is erased already
problem-visit-already-erased-detail = Only the record of the visit remains.
problem-blocklist-entry-already-listed = It is on the list already
problem-blocklist-entry-already-listed-detail = Look for it in the list.
problem-blocklist-entry-full = The list is full
problem-blocklist-entry-full-detail = Take off what is not needed. It holds 500 entries.
problem-blocklist-entry-bad-email = Check the mail address
problem-blocklist-entry-bad-email-detail = Write it as guest@example.jp or @example.jp.
problem-blocklist-entry-unknown = There is no such entry
problem-blocklist-entry-unknown-detail = Choose one from the blocklist.
problem-blocklist-entry-gone = The entry was taken off already
problem-blocklist-entry-gone-detail = You can add it again.
problem-visit-policy-bad-minutes = Check the minutes
problem-visit-policy-bad-minutes-detail = Write a number from 1 to 120.
problem-visit-policy-bad-days = Check the days
problem-visit-policy-bad-days-detail = Write a number from 1 to 10957, or nothing.
problem-visit-policy-too-many = Too many members to tell
problem-visit-policy-too-many-detail = Choose at most 20.
problem-visit-policy-unknown-member = A chosen member is not active
problem-visit-policy-unknown-member-detail = Choose among active members.
