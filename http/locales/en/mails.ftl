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

    Time: { $starts }
    Place: { $location }
    Host: { $host }

    Use the QR code or the passcode of your pass at the reception:

    { $link }
mail-arrival-subject = { $visitor } has arrived
mail-arrival-body =
    Dear { $to },

    { $visitor } ({ $visitor_company }) arrived at { $arrived }.
    Place: { $location }
