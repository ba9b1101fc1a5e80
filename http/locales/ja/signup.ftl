### Sign-up: its pages, mails, refusals and records. Terms of use and privacy policy.

signup-title = 会社を登録する
signup-step = 手順 { $n } / { $of }
signup-lead = はじめに、オーナーになる方のメールアドレスを確かめます。6桁のコードをお送りします。
signup-code-do = コードを送る
signup-has = 登録済みの方は
signup-code-title = メールのコードを入力
signup-code-lead = { $email } に6桁のコードを送りました。{ $until }まで使えます。
signup-code-late = コードの期限が過ぎました。新しいコードを送ってください。
signup-code = コード
signup-code-hint = 6桁の数字です。全角や空白が混ざっても構いません。
signup-code-check = 確かめる
signup-code-missing = 届かないときは、迷惑メールのフォルダーもご確認ください。
signup-code-again = 新しいコードを送る
done-code-sent = 新しいコードを送りました
signup-development = 開発用の表示
signup-development-hint = メールサーバーが設定されていないため、送るはずのコードをここに表示しています。
signup-other = 別のアドレスでやり直す
signup-terms-title = 規約への同意
signup-terms-lead = 会社を代表して契約できる方がお読みください。同意した版と本文のハッシュ値が、会社の台帳に記録されます。
signup-terms-agree = 利用規約に同意します
signup-privacy-agree = プライバシーポリシーに同意します
signup-terms-do = 同意して進む
signup-payment-title = お支払い
signup-payment-lead = { $price } をお支払いください。支払いのページに移ります。済むとこの手続きに戻ります。
signup-payment-do = 支払いのページへ
signup-payment-check = 支払いを済ませた方はこちら
signup-pay-title = 開発用の支払いページ
signup-pay-lead = 実際の決済は行いません。ボタンを押すと、{ $price } を支払ったものとして扱います。
signup-pay-do = 支払ったことにする
signup-pay-done = 支払いを受け付けました
signup-pay-done-hint = お申し込みの画面に戻って続けてください。
signup-back = お申し込みに戻る
signup-company-title = 会社とオーナー
signup-company-lead = これで最後です。会社の台帳が開き、そのままログインします。
signup-name = あなたの氏名
signup-slug-hint = 英小文字・数字・ハイフン、3〜40文字。例: minato
signup-slug-fixed = このお申し込みでは「{ $slug }」に決まっています。
signup-closed = いまは新しい会社の登録を受け付けていません
signup-closed-hint = お問い合わせ先: { $contact }

legal-terms = 利用規約
legal-privacy = プライバシーポリシー
legal-about = 版 { $version }
legal-hash = 本文のSHA-256
legal-file = 本文のファイル
terms-wait = 新しい規約への同意が必要です
terms-wait-hint = 利用規約またはプライバシーポリシーの新しい版があります。
terms-wait-do = 読んで同意する
terms-accept-title = 新しい規約への同意
terms-accept-lead = 会社のオーナーとしてお読みください。同意した版と本文のハッシュ値が、会社の台帳に記録されます。
terms-accept-known = いまの版には同意済みです
done-terms = 同意を記録しました

### Mails.
mail-email-code-subject = お申し込みの確認コード
mail-email-code-body =
    「契印」へのお申し込みを受け付けました。

    確認コード: { $code }

    { $expires }まで、お申し込みの画面で使えます。

    お心当たりがない場合は、このメールを破棄してください。コードを誰にも知らせないでください。
mail-welcome-subject = 「契印」へようこそ
mail-welcome-body =
    会社の登録が済みました。台帳が開き、最初の記録が署名されました。

    ログイン: { $url }/login
    メールアドレス: { $email }
    会社の識別名: { $slug }

    パスワードは、設定した方だけが知っています。このメールには書かれていません。お忘れのときは、ログインのページから設定し直せます。

    利用規約: { $url }/terms
    プライバシーポリシー: { $url }/privacy
    お問い合わせ: { $contact }

### Records.
kind-sign-up-requested = 会社の登録を申し込み
kind-email-code-issued = 確認コードを送付
kind-email-code-refused = 確認コードの間違い
kind-email-code-verified = メールアドレスを確認
kind-payment-requested = 支払いを依頼
kind-payment-confirmed = 支払いを確認
kind-sign-up-submitted = 会社の内容を受け付け
kind-tenant-provisioned = 会社の台帳を用意
kind-terms-accepted = 規約に同意

### Refusals.
problem-sign-up-closed = 新しい会社の登録を受け付けていません
problem-sign-up-closed-detail = 運営者にお問い合わせください。
problem-sign-up-wrong-code = コードが違います
problem-sign-up-wrong-code-detail = いちばん新しいメールの6桁を入力してください。6回間違えると、はじめからやり直しになります。
problem-sign-up-locked = コードを6回間違えました
problem-sign-up-locked-detail = このお申し込みは終わりました。メールアドレスの入力からやり直してください。
problem-sign-up-expired = お申し込みの期限が過ぎました
problem-sign-up-expired-detail = 24時間以内に済ませる手続きです。メールアドレスの入力からやり直してください。
problem-sign-up-code-expired = コードの期限が過ぎました
problem-sign-up-code-expired-detail = 新しいコードを送ってください。
problem-sign-up-code-first = 先にメールアドレスを確かめてください
problem-sign-up-code-first-detail = メールで届いた6桁のコードを入力してください。
problem-sign-up-terms-first = 先に規約に同意してください
problem-sign-up-terms-first-detail = 利用規約とプライバシーポリシーをお読みください。
problem-sign-up-payment-first = 先にお支払いを済ませてください
problem-sign-up-payment-first-detail = 支払いのページで手続きをしてください。
problem-sign-up-already-paid = お支払いは済んでいます
problem-sign-up-already-paid-detail = 次の手順に進んでください。
problem-sign-up-unknown-payment = この支払いは見つかりません
problem-sign-up-unknown-payment-detail = お申し込みの画面から、もう一度支払いのページを開いてください。
problem-sign-up-slug-fixed = 識別名は決まっています
problem-sign-up-slug-fixed-detail = 先ほど受け付けた識別名で続けてください。
problem-sign-up-not-submitted = 会社の内容がまだ届いていません
problem-sign-up-not-submitted-detail = 会社の名前と識別名を入力してください。
problem-sign-up-already-done = 会社の登録は済んでいます
problem-sign-up-already-done-detail = 設定したパスワードでログインしてください。
problem-terms-not-in-force = 規約が新しくなりました
problem-terms-not-in-force-detail = ページを開き直して、いまの版をお読みください。
