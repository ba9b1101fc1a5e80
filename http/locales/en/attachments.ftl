### Attachments: a company's own PDF files that go out with its documents.
attachment = Attachment
attachments = Attachments
attachments-n = { $n ->
    [one] 1 attachment
   *[other] { $n } attachments
}
attachment-choose = PDF files of your own
attachment-hint = Up to 10 PDF files, 20 MB together. By post only such as are A4.
attachment-add = Attach
attachment-remove = Remove
attachment-remove-name = Remove { $name }
attachment-save = Save
attachment-save-name = Save { $name }
attachment-erased = Erased file
attachment-not-a4 = Not every page is A4, so it cannot go by post.
n-pages = { $n ->
    [one] 1 page
   *[other] { $n } pages
}
object-attachment = Attachment
kind-attachment-received = Attachment received
kind-attachment-enclosed = Attachment put into a sending order
kind-attachment-removed = Attachment removed
problem-attachment-unknown = There is no such attachment
problem-attachment-unknown-detail = Choose the file and attach it again.
problem-attachment-enclosed = A sending order uses this attachment
problem-attachment-enclosed-detail = A file that an order names stays with it. Cancel the order, and it goes out to nobody.
problem-attachment-already-removed = This attachment was removed already
problem-attachment-already-removed-detail = Attach the file again if you need it.
problem-attachment-bad-name = This file name cannot be used
problem-attachment-bad-name-detail = Choose a name without "/" and "\" that does not begin with a dot.
problem-attachment-none = No file was chosen
problem-attachment-none-detail = Choose a PDF, then press "Attach".
problem-attachment-too-many = Too many files
problem-attachment-too-many-detail = At most 10 can be attached. Join some of them, or send them in two orders.
problem-attachment-too-large = The file is too large
problem-attachment-too-large-detail = Make the PDF again with smaller pictures, or divide it. One file has at most 10 MB (or what is set here), all of them 20 MB.
problem-attachment-not-pdf = This is no PDF
problem-attachment-not-pdf-detail = Export it as PDF from the program it was written with, and choose that file.
problem-attachment-broken = This PDF cannot be read
problem-attachment-broken-detail = It is damaged or cut off. Make the PDF again.
problem-attachment-encrypted = This PDF is protected by a password or by restrictions
problem-attachment-encrypted-detail = Nobody here can look into it. Choose a PDF without protection; a passcode on the link keeps others out.
problem-attachment-too-many-pages = Too many pages
problem-attachment-too-many-pages-detail = One file has at most 200 pages. Divide it.
problem-attachment-active-content = This PDF does something by itself
problem-attachment-active-content-detail = Files with scripts, programs to start, films or sounds are not sent. Make it again with "print to PDF".
problem-attachment-embedded-file = There is another file inside this PDF
problem-attachment-embedded-file-detail = Take that file out, or make the PDF again with "print to PDF".
problem-attachment-dynamic-form = This form looks different to each reader
problem-attachment-dynamic-form-detail = Forms of the kind XFA are not taken. Make the PDF again with "print to PDF".
problem-attachment-infected = The virus scanner found something
problem-attachment-infected-detail = The file was not taken. Have the computer checked on which it was made, then make it again.
problem-attachment-not-scanned = Files cannot be scanned at the moment
problem-attachment-not-scanned-detail = What cannot be scanned is not taken. Attach it again later.
problem-attachment-gone = This attachment was erased
problem-attachment-gone-detail = Ask the sender for a new one if you need it.
problem-sending-order-too-many-attachments = Too many attachments
problem-sending-order-too-many-attachments-detail = One order takes at most 10. Divide it.
problem-sending-order-attachment-twice = This attachment is there twice
problem-sending-order-attachment-twice-detail = Name each attachment once.
problem-sending-order-unknown-attachment = There is no such attachment
problem-sending-order-unknown-attachment-detail = Choose the file and attach it again.
problem-sending-order-attachment-erased = This attachment was erased
problem-sending-order-attachment-erased-detail = Attach the file again, and place a new order.
problem-sending-order-attachment-not-printable = This attachment cannot go by post
problem-sending-order-attachment-not-printable-detail = Attach it with every page as A4, or leave the postal recipients out.
problem-sending-order-attachments-too-large = The attachments are too large together
problem-sending-order-attachments-too-large-detail = At most 20 MB. Leave some out, or place two orders.
problem-delivery-one-file = Name one file
problem-delivery-one-file-detail = Send either document_id or attachment_id.
problem-delivery-unknown-attachment = There is no such attachment
problem-delivery-unknown-attachment-detail = Choose one of what was delivered.
problem-delivery-attachment-erased = This attachment was erased
problem-delivery-attachment-erased-detail = Ask the sender for a new one if you need it.
problem-postal-item-attachment-erased = An attachment was erased
problem-postal-item-attachment-erased-detail = Cancel this item, and place an order without the attachment.
