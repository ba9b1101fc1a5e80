### Mails. Their arguments are the same for all; each uses those that it needs.
mail-invitation-subject = { $company } invites you
mail-invitation-body =
    Dear { $to },

    { $company } invites you to join its back office on Keiin.
    Open this link before { $expires }:

    { $link }

    If you did not expect this, ignore this mail.
mail-delivery-subject = { $company } sent you { $number }: { $title }
mail-delivery-body =
    Dear { $to },

    { $company } sent you a document.

    Subject: { $title }
    Number: { $number }

    { $message }

    It can be opened until { $expires }:

    { $link }

    The time of opening is recorded in the sender's ledger.
mail-visit-pass-subject = Your visit to { $company }, { $starts }
mail-visit-pass-body =
    Dear { $to },

    We look forward to your visit to { $company }.

    Time: { $when }
    Place: { $location }
    Host: { $host }
    Passcode: { $passcode }

    Use the QR code or the passcode of your pass at the reception:

    { $link }
mail-arrival-subject = { $named ->
        [yes] { $visitor } has arrived
       *[no] Your visitor has arrived
    }
mail-arrival-body =
    Dear { $to },

    { $named ->
        [yes] { $visitor } arrived at { $arrived }.
       *[no] Your visitor arrived at { $arrived }.
    }
    { $visitor_company }
    Place: { $location }

    Answer "I am coming" or otherwise by this link. Where nobody answers, the reception is told.

    { $link }
mail-password-changed-subject = Your password was changed
mail-password-changed-body =
    Dear { $to },

    The password for your login at { $company } was changed. All other logins have ended.

    If it was not you, set a new password on the login page now and tell an administrator of { $company }.
mail-password-required-subject = { $company } asks you to set a new password
mail-password-required-body =
    Dear { $to },

    An administrator of { $company } asks you to set a new password. Until then you cannot log in.
    Open this link before { $expires }. It works once:

    { $link }
mail-password-reset-subject = Set a new password for { $company }
mail-password-reset-body =
    Dear { $to },

    Somebody asked for a new password for your login at { $company }.
    Open this link before { $expires }. It works once:

    { $link }

    If it was not you, ignore this mail. Your password stays as it is.
mail-new-device-subject = New login at { $company }
mail-new-device-body =
    Dear { $to },

    Somebody logged in to your account at { $company } by a device that was not seen before.

    Time: { $time }
    From: { $ip }
    Browser or program: { $agent }

    If it was you, there is nothing to do.
    If it was not you, open this link and say so. That login ends, and you set a new password:

    { $link }

sms-text = { $code } is your Keiin code. It is good for 5 minutes. Give it to nobody.
mail-webhook-disabled-subject = A webhook of { $company } was switched off
mail-webhook-disabled-body =
    Dear { $to },

    An endpoint of a webhook of { $company } took nothing for days, or answered that it is gone, and was switched off.
    What was sent, and how to switch it on again:

    { $link }
mail-status-bounced = Came back
mail-status-complained = Called abuse
mail-send-again = Send again
mail-send-again-hint = Set right what kept it from arriving, then send it again.
kind-mail-bounced = Mail came back
kind-mail-complained = Mail called abuse
kind-mail-requeued = Mail sent again
done-mail-requeued = It is sent again
scope-mails-write = Send mails again
field-feedback = Kind of complaint
problem-mail-not-failed = This mail has not failed
problem-mail-not-failed-detail = Only a mail that did not arrive can be sent again.
mail-visit-reminder-subject = Tomorrow: your visit to { $company }, { $starts }
mail-visit-reminder-body =
    Dear { $to },

    We look forward to your visit to { $company } tomorrow.

    Time: { $when }
    Place: { $location }
    Host: { $host }
    Passcode: { $passcode }

    Use the QR code or the passcode of your pass at the reception:

    { $link }
mail-visit-cancelled-subject = Cancelled: your visit to { $company }, { $starts }
mail-visit-cancelled-body =
    Dear { $to },

    This visit to { $company } was cancelled. Its passcode and QR code no longer work.

    Time: { $when }
    Place: { $location }
    Host: { $host }
mail-delivery-again-subject = { $company } sent you { $number } again: { $title }
mail-delivery-again-body =
    Dear { $to },

    { $company } sent you this document again. An earlier link no longer works.

    Subject: { $title }
    Number: { $number }

    { $message }

    It can be opened until { $expires }:

    { $link }

    The time of opening is recorded in the sender's ledger.
mail-visit-changed-subject = Changed: your visit to { $company }, { $starts }
mail-visit-changed-body =
    Dear { $to },

    Your visit to { $company } has changed. This is how it stands now.

    Time: { $when }
    Place: { $location }
    Host: { $host }
    Passcode: { $passcode }

    Use the QR code or the passcode of your pass at the reception. An earlier pass may no longer work:

    { $link }
