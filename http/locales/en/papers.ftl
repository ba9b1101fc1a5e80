# PDFs of documents, and whether they are genuine
paper-title = Check a document
paper-of = A document issued by
paper-lead = This browser checks whether the PDF you hold is exactly the file that stands in the issuer's ledger. No account is needed.
paper-lead-code = This code belongs to the document above. Whether the PDF you hold is exactly the file that was issued can be checked below.
paper-choose = Choose the PDF, or drop it here
paper-stays = The file is not sent anywhere. Its hash is computed on this device.
paper-no-script = Checking a file needs JavaScript.
paper-busy = Checking…
paper-genuine = This is exactly what was issued
paper-broken = The proof does not hold. Do not rely on this document; ask the issuer in another way.
paper-unknown = No such file is on record
paper-unknown-hint = It is another file, one that changed when it was saved again, or a forgery. Choose the PDF as you received it.
paper-failed = The check could not be finished. Check your connection and try again.
paper-cancelled = The issuer has cancelled this document.
paper-corrected = It was corrected. The newest is revision { $revision }.
paper-replaced = It was corrected after it was issued. Ask the issuer for the newest revision.
paper-issued-on = Issued on
paper-issuer = Issuer
paper-record = Record in the ledger
paper-check-file = A record holds this file's hash
paper-check-inclusion = The record is in the issuer's ledger
paper-check-checkpoint = The ledger is rightly signed
paper-limits = This shows that the file stands in the ledger. It does not show that its amounts or contents are right.

# Lists of documents as files
documents-export = Download for a tax inspection
documents-export-lead = The documents of a range of dates, amounts or of one client as a file. Each row has the hash of its PDF and the number of its record in the ledger.
documents-export-list = List of documents
documents-export-from = Date from
documents-export-to = Date to
documents-export-min = Amount from
documents-export-max = Amount to
documents-export-encoding = Encoding
documents-export-encoding-hint = Characters that Shift_JIS lacks become 〓.
documents-export-ledger = History of corrections
documents-export-ledger-text = Corrections and cancellations stand in the ledger, which can be exported as a signed file.
encoding-utf8-bom = UTF-8 (for Excel)
encoding-cp932 = Shift_JIS (CP932)
encoding-utf8 = UTF-8 (for programs)
documents-export-numbers = Numbers without gaps
numbers-line = { $documents ->
    [one] 1 document
   *[other] { $documents } documents
}, last number { $last }, missing { $missing }, given twice { $doubled }
