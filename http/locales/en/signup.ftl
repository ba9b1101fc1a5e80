### Sign-up: its pages, mails, refusals and records. Terms of use and privacy policy.

signup-title = Sign up your company
signup-step = Step { $n } of { $of }
signup-lead = First, the mail address of the person who will be the owner. We send it a code of six digits.
signup-code-do = Send a code
signup-has = Already registered?
signup-code-title = Enter the code from the mail
signup-code-lead = We sent a code of six digits to { $email }. It is good until { $until }.
signup-code-late = The code's time is up. Send a new one.
signup-code = Code
signup-code-hint = Six digits. Spaces are fine.
signup-code-check = Check
signup-code-missing = Nothing there? Look into your spam folder, too.
signup-code-again = Send a new code
done-code-sent = A new code was sent
signup-development = Shown for development
signup-development-hint = No mail server is set, so the code that would be mailed is shown here.
signup-other = Start over with another address
signup-terms-title = Agree to the terms
signup-terms-lead = For somebody who may sign for the company. The version and the hash of what you agree to are recorded in the company's ledger.
signup-terms-agree = I agree to the terms of use
signup-privacy-agree = I agree to the privacy policy
signup-terms-do = Agree and go on
signup-payment-title = Payment
signup-payment-lead = { $price } is to be paid. You go to the payment page, and come back here when it is done.
signup-payment-do = Go to the payment page
signup-payment-check = I have paid
signup-pay-title = Payment page for development
signup-pay-lead = No money moves. The button counts as a payment of { $price }.
signup-pay-do = Count as paid
signup-pay-done = The payment was received
signup-pay-done-hint = Go back to the page of your sign-up.
signup-back = Back to the sign-up
signup-company-title = Company and owner
signup-company-lead = The last step. It opens your company's ledger and logs you in.
signup-name = Your name
signup-slug-hint = Lower-case letters, digits, hyphens, 3 to 40. For example minato
signup-slug-fixed = This sign-up has settled on “{ $slug }”.
signup-closed = New companies are not being taken at the moment
signup-closed-hint = Ask here: { $contact }

legal-terms = Terms of use
legal-privacy = Privacy policy
legal-about = Version { $version }
legal-hash = SHA-256 of the text
legal-file = The text as a file
terms-wait = New terms wait for your agreement
terms-wait-hint = There is a new version of the terms of use or the privacy policy.
terms-wait-do = Read and agree
terms-accept-title = Agree to the new terms
terms-accept-lead = For the company's owner. The version and the hash of what you agree to are recorded in the company's ledger.
terms-accept-known = The present version was agreed to
done-terms = Your agreement was recorded

### Mails.
mail-email-code-subject = Your sign-up code
mail-email-code-body =
    Somebody asked to sign up a company on Keiin with this address.

    Code: { $code }

    Enter it on the page of your sign-up before { $expires }.

    If it was not you, ignore this mail. Tell nobody the code.
mail-welcome-subject = Welcome to Keiin
mail-welcome-body =
    Your company is signed up. Its ledger is open, and its first record is signed.

    Log in: { $url }/login
    Mail address: { $email }
    Short name of the company: { $slug }

    Only whoever set the password knows it; it is not in this mail. If it is forgotten, set a new one from the login page.

    Terms of use: { $url }/terms
    Privacy policy: { $url }/privacy
    Questions: { $contact }

### Records.
kind-sign-up-requested = Sign-up requested
kind-email-code-issued = Code sent
kind-email-code-refused = Wrong code
kind-email-code-verified = Mail address confirmed
kind-payment-requested = Payment asked for
kind-payment-confirmed = Payment received
kind-sign-up-submitted = Company's details received
kind-tenant-provisioned = Company's ledger set up
kind-terms-accepted = Terms agreed to

### Refusals.
problem-sign-up-closed = New companies are not being taken
problem-sign-up-closed-detail = Ask the operator.
problem-sign-up-wrong-code = That is not the code
problem-sign-up-wrong-code-detail = Enter the six digits of the newest mail. The sixth wrong code ends this sign-up.
problem-sign-up-locked = Six wrong codes
problem-sign-up-locked-detail = This sign-up has ended. Start over with your mail address.
problem-sign-up-expired = The time for this sign-up is over
problem-sign-up-expired-detail = It has to be finished within 24 hours. Start over with your mail address.
problem-sign-up-code-expired = The code's time is up
problem-sign-up-code-expired-detail = Send a new one.
problem-sign-up-code-first = Confirm your mail address first
problem-sign-up-code-first-detail = Enter the six digits that were mailed.
problem-sign-up-terms-first = Agree to the terms first
problem-sign-up-terms-first-detail = Read the terms of use and the privacy policy.
problem-sign-up-payment-first = Pay first
problem-sign-up-payment-first-detail = Go to the payment page.
problem-sign-up-already-paid = It is paid
problem-sign-up-already-paid-detail = Go on with the next step.
problem-sign-up-unknown-payment = There is no such payment
problem-sign-up-unknown-payment-detail = Open the payment page again from the sign-up.
problem-sign-up-slug-fixed = The short name is settled
problem-sign-up-slug-fixed-detail = Go on with the short name that was received before.
problem-sign-up-not-submitted = The company's details are missing
problem-sign-up-not-submitted-detail = Enter its name and short name.
problem-sign-up-already-done = The company is signed up
problem-sign-up-already-done-detail = Log in with the password that was set.
problem-terms-not-in-force = The terms have changed
problem-terms-not-in-force-detail = Load the page again and read the present version.
