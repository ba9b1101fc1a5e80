### The inbox: where a customer with an account sees what was sent to them
inbox = Inbox
inbox-lead = What { $company } has sent you.
inbox-list = Received documents, newest first
inbox-search-hint = Number, subject
inbox-new = New
inbox-open = Open
inbox-none = Nothing has arrived yet
inbox-none-hint = We tell you by mail as soon as something does.
inbox-replies = { $n ->
    [one] 1 reply
   *[other] { $n } replies
}
inbox-item-many = { $n } documents
inbox-from = From { $company }, { $time }.
inbox-take-all = Download all (ZIP)
inbox-accept = Accept this quote
inbox-accept-title = Accept { $number }
inbox-accept-hint = { $company } is told, and that you accepted stays on record for both of you. To take it back, ask { $company }.
inbox-accepted = Accepted on { $time }
document-accepted-before = as it was before the correction
inbox-offer-over = No longer valid
inbox-reply-title = Reply
inbox-reply = Your reply
inbox-reply-hint = Goes to whoever sent this at { $company }. Up to 2,000 characters.
inbox-reply-do = Send reply
done-replied = Your reply was sent
done-quote-accepted = You accepted the quote
done-registered = Your account is ready. Log in to see your inbox
done-withdrawn = Taken out of the inbox
link-register-title = Keep everything in one place
link-register-lead = With an account, whatever { $company } sends you waits in your inbox. No more links by mail.
link-register-do = Create an account
link-registered = This is in your inbox, too.
link-registered-do = Log in and open the inbox
delivery-channel = Sent by
channel-secure_link = Secure link
channel-inbox = Inbox
delivery-sent-at = Sent on
delivery-state = Delivery
delivery-life = What happened to it
delivery-replies = Replies
delivery-registered = The recipient also uses the inbox
delivery-has-passcode = Required
delivery-withdraw-do = Take it back
status-delivered = Delivered
role-recipient = Recipient
role-recipient-hint = A customer: their own inbox, nothing else
members-recipients = Customers with an inbox
members-recipients-lead = They made an account by a link that was sent to them, and see only what was sent to them.
members-recipients-none = Nobody yet
members-recipients-none-hint = Whoever receives documents can create an account on the link's page.
members-colleagues = Colleagues
kind-delivery-recipient-registered = Recipient created an account
kind-delivery-inbox-delivered = Delivered to an inbox
kind-delivery-opened = Opened in the inbox
kind-delivery-replied = Recipient replied
kind-delivery-withdrawn = Taken out of the inbox
kind-document-accepted = Quote accepted by its recipient
problem-delivery-in-inbox = This is in the recipient's inbox
problem-delivery-in-inbox-detail = They log in to open it. There is nothing to send again.
problem-delivery-recipient-suspended = This recipient's account is suspended
problem-delivery-recipient-suspended-detail = Let them in again, then send it.
problem-document-no-quote = This is not a quote
problem-document-no-quote-detail = Only quotes can be accepted.
problem-document-already-accepted = You accepted this already
problem-document-already-accepted-detail = There is nothing more to do.
problem-document-offer-over = This quote is no longer valid
problem-document-offer-over-detail = Ask the sender for a new one.
problem-member-is-recipient = This is a customer's account
problem-member-is-recipient-detail = Its role cannot change. To make them a colleague, remove the account and invite them.
mail-inbox-subject = { $company } has sent you a document
mail-inbox-body =
    Dear { $to },

    { $company } has sent you something. Log in to see it.

    { $link }
mail-reply-subject = { $visitor } has replied
mail-reply-body =
    Dear { $to },

    { $visitor }, to whom you sent { $number }, has replied. Log in to read it.

    { $link }
mail-acceptance-subject = A quote was accepted ({ $number })
mail-acceptance-body =
    Dear { $to },

    A quote that you sent was accepted.

    { $link }
