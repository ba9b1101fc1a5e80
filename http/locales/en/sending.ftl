### Sending orders: several recipients, several ways, one release.
sending-orders = Sending orders
sending-orders-lead = Documents to several recipients, by link, inbox and post. Nothing goes out before it is released.
sending-list = Sending orders, newest first
sending-none = There are no sending orders yet
sending-none-hint = Open a client and press "Send documents".
sending-progress = { $total ->
    [one] 1 recipient
   *[other] { $total } recipients
}, { $done } handed over, { $failed } failed
sending-title = { $n ->
    [one] Sending to 1 recipient
   *[other] Sending to { $n } recipients
}
sending-asked = Waits for approval
sending-asked-hint = Look at what goes to whom, then approve it or say why not.
sending-asked-mine = A second person must approve it. You can still cancel it.
sending-ready = Ready
sending-ready-note = Nothing has gone out yet
sending-ready-hint = Look at what goes to whom. It goes out when it is released; until then it can be cancelled.
sending-sending = Going out
sending-finished = Gone out
sending-rejected = Rejected
sending-cancelled = Cancelled
sending-recipients = Recipients
sending-recipient = Recipient { $n }
sending-not-yet = Not yet
sending-preview = The mail
sending-preview-hint = To { $name }. The link is made when it goes out.
sending-placed-at = Ordered on
sending-handed-over = Handed over
sending-failed = Failed
sending-approve = Approve
sending-release = { $n ->
    [one] Send to 1 recipient
   *[other] Send to { $n } recipients
}
sending-cancel = Cancel order
sending-cancel-ask = Cancel this sending order?
sending-cancel-hint = What has already been handed over stays with its recipient. Nothing more goes out.
sending-cancel-do = Cancel the order
sending-reject-ask = Reject this sending order?
sending-reject-do = Reject
sending-new = Send documents
sending-new-lead = Documents of { $client }, to one or more recipients.
sending-nothing = Nothing can be sent yet
sending-nothing-hint = Only issued documents can be sent.
sending-what = Documents
sending-by-mail = By mail
sending-by-mail-hint = Whoever has an account finds them in their inbox; the others get a link that expires.
sending-by-post = By post
sending-no-post = Not by post
sending-no-address = Postal code or street are missing.
sending-message-hint = At most 600 characters where something goes by post.
sending-ask = A second person approves it first
sending-ask-hint = It cannot be sent before.
sending-place-hint = Nothing goes out yet; you look at it first.
sending-people = People there
sending-passcode-for = Passcode for { $name }
sending-somebody-else = Somebody else ({ $n })
sending-look = Show postage
sending-sum = What it comes to
sending-not-printed = A document is still being printed; it is weighed when it goes out.
sending-place = Look it over
sending-client = Send documents
sending-document = To several recipients, or by several ways
channel-post = Post
done-sending-placed = Ordered. Nothing has gone out yet
done-sending-approved = Approved
done-sending-rejected = Rejected
done-sending-released = It goes out now
done-sending-cancelled = Sending order cancelled
object-sending-order = Sending order
permission-noun-sending-order = Sending orders
permission-sending-order-read = See sending orders
permission-sending-order-place = Place and cancel sending orders
scope-sending-orders-read = See sending orders
scope-sending-orders-write = Place and cancel sending orders
kind-sending-order-placed = Sending order placed
kind-sending-order-approved = Sending order approved
kind-sending-order-rejected = Sending order rejected
kind-sending-order-released = Sending order released
kind-sending-order-cancelled = Sending order cancelled
kind-sending-order-handed-over = Handed over to a recipient
kind-sending-order-failed = Not handed over to a recipient
problem-sending-order-unknown = There is no such sending order
problem-sending-order-unknown-detail = Choose it from the list again.
problem-sending-order-no-recipient = There is no recipient
problem-sending-order-no-recipient-detail = Write at least one, by mail or by post.
problem-sending-order-too-many-recipients = Too many recipients
problem-sending-order-too-many-recipients-detail = One order takes at most 50. Divide it.
problem-sending-order-recipient-twice = This address is there twice
problem-sending-order-recipient-twice-detail = Write each recipient once.
problem-sending-order-not-asked = This order does not wait for approval
problem-sending-order-not-asked-detail = Load the page again to see where it stands.
problem-sending-order-own-approval = Somebody else must approve this
problem-sending-order-own-approval-detail = Whoever placed an order cannot approve it. They can cancel it.
problem-sending-order-not-approved = This order is not approved yet
problem-sending-order-not-approved-detail = A second person must approve it first.
problem-sending-order-wrong-state = This order does not take that now
problem-sending-order-wrong-state-detail = Load the page again to see where it stands.
problem-sending-order-handed-over = Everything has been handed over already
problem-sending-order-handed-over-detail = Withdraw the single deliveries, or cancel the postal items.
problem-sending-order-unknown-recipient = There is no such recipient
problem-sending-order-unknown-recipient-detail = Recipients are counted from 0.
problem-sending-order-not-printed = The documents are not printed yet
problem-sending-order-not-printed-detail = They go out as soon as they are.
problem-sending-order-document-changed = A document was corrected after the order
problem-sending-order-document-changed-detail = Nothing goes out but what was looked at. Place a new order.
problem-sending-order-erased = This recipient's data was erased
problem-sending-order-erased-detail = Nothing is sent to them.
n-recipients = { $n ->
    [one] { $n } recipient
   *[other] { $n } recipients
}
