### Mails. Their arguments are the same for all; each uses those that it needs.
mail-invitation-subject = { $company }から招待が届いています
mail-invitation-body =
    { $to } 様

    { $company }のバックオフィス「契印」に招待されました。
    下のリンクから、{ $expires }までに参加してください。

    { $link }

    心当たりのない場合は、このメールを破棄してください。
mail-delivery-subject = { $company }から書類「{ $title }」（{ $number }）
mail-delivery-body =
    { $to } 様

    { $company }から書類が届いています。

    件名: { $title }
    番号: { $number }

    { $message }

    下のリンクから、{ $expires }まで開けます。

    { $link }

    開いた日時は、送り主の台帳に記録されます。
mail-visit-pass-subject = { $company }への来訪のご案内（{ $starts }）
mail-visit-pass-body =
    { $to } 様

    { $company }へのご来訪をお待ちしております。

    日時: { $when }
    場所: { $location }
    担当: { $host }
    受付番号: { $passcode }

    当日は、下の入館証のQRコードか受付番号で受付をお願いします。

    { $link }
mail-arrival-subject = { $named ->
        [yes] { $visitor } 様が到着しました
       *[no] 来訪者が到着しました
    }
mail-arrival-body =
    { $to } 様

    { $named ->
        [yes] { $visitor } 様が{ $arrived }に到着しました。
       *[no] 来訪者が{ $arrived }に到着しました。
    }
    { $visitor_company }
    場所: { $location }

    下のリンクから「すぐ行きます」などの返事ができます。返事がないと、受付に知らせます。

    { $link }
mail-password-changed-subject = パスワードが変更されました
mail-password-changed-body =
    { $to } 様

    { $company }へのログイン用パスワードが変更されました。ほかのログインはすべて終了しました。

    お心当たりがない場合は、すぐにログインページからパスワードを設定し直し、{ $company }の管理者にお知らせください。
mail-password-required-subject = { $company }から新しいパスワードの設定のお願い
mail-password-required-body =
    { $to } 様

    { $company }の管理者が、新しいパスワードの設定を求めています。設定が済むまでログインできません。
    { $expires }までに、次のリンクから設定してください。リンクは1回だけ使えます。

    { $link }
mail-password-reset-subject = { $company }のパスワードの再設定
mail-password-reset-body =
    { $to } 様

    { $company }へのログイン用パスワードの再設定が申し込まれました。
    { $expires }までに、次のリンクから設定してください。リンクは1回だけ使えます。

    { $link }

    お心当たりがない場合は、このメールを破棄してください。パスワードは変わりません。
mail-new-device-subject = { $company }へのログインのお知らせ
mail-new-device-body =
    { $to } 様

    { $company }のあなたのアカウントに、初めての端末からログインがありました。

    日時：{ $time }
    接続元：{ $ip }
    ブラウザーまたはプログラム：{ $agent }

    ご自身のログインであれば、何もする必要はありません。
    心当たりがない場合は、次のリンクを開いて申告してください。そのログインを終了し、新しいパスワードを設定していただきます。

    { $link }

sms-text =
    Keiinの確認コード: { $code }
    5分間有効です。人に教えないでください。
mail-webhook-disabled-subject = Webhookの送信先が止まりました（{ $company }）
mail-webhook-disabled-body =
    { $to } 様

    { $company } のWebhookの送信先に届かない状態が続いたか、相手がもう受け取らないと答えたため、送信を止めました。
    記録と再開はこちらから:

    { $link }
mail-status-bounced = 戻ってきた
mail-status-complained = 迷惑メール扱い
mail-send-again = もう一度送る
mail-send-again-hint = 相手に届かなかった理由を直してから、送り直してください。
kind-mail-bounced = メールが戻ってきた
kind-mail-complained = メールが迷惑扱いされた
kind-mail-requeued = メールの再送
done-mail-requeued = 再送します
scope-mails-write = メールを送り直す
field-feedback = 苦情の種類
problem-mail-not-failed = このメールは失敗していません
problem-mail-not-failed-detail = 送り直せるのは、届かなかったメールだけです。
mail-visit-reminder-subject = 明日: { $company }への来訪のお知らせ（{ $starts }）
mail-visit-reminder-body =
    { $to } 様

    明日、{ $company }へのご来訪をお待ちしております。

    日時: { $when }
    場所: { $location }
    担当: { $host }
    受付番号: { $passcode }

    当日は、下の入館証のQRコードか受付番号で受付をお願いします。

    { $link }
mail-visit-cancelled-subject = 取り消し: { $company }への来訪（{ $starts }）
mail-visit-cancelled-body =
    { $to } 様

    { $company }への次のご来訪の予定は取り消されました。受付番号とQRコードは使えません。

    日時: { $when }
    場所: { $location }
    担当: { $host }
mail-delivery-again-subject = { $company }から書類「{ $title }」の再送（{ $number }）
mail-delivery-again-body =
    { $to } 様

    { $company }から書類をあらためてお送りします。以前のリンクは使えません。

    件名: { $title }
    番号: { $number }

    { $message }

    下のリンクから、{ $expires }まで開けます。

    { $link }

    開いた日時は、送り主の台帳に記録されます。
mail-visit-changed-subject = 変更: { $company }への来訪のご案内（{ $starts }）
mail-visit-changed-body =
    { $to } 様

    { $company }へのご来訪の予定が変わりました。現在の内容は次のとおりです。

    日時: { $when }
    場所: { $location }
    担当: { $host }
    受付番号: { $passcode }

    当日は、下の入館証のQRコードか受付番号で受付をお願いします。以前の入館証は使えないことがあります。

    { $link }
