### 受信箱: 取引先の方が自分のアカウントで書類を受け取る画面
inbox = 受信箱
inbox-lead = { $company }から届いた書類です。
inbox-list = 届いた書類、新しい順
inbox-search-hint = 番号・件名
inbox-new = 未開封
inbox-open = 開く
inbox-none = 届いた書類はまだありません
inbox-none-hint = 書類が届くと、メールでお知らせします。
inbox-replies = 返信{ $n }件
inbox-item-many = 書類{ $n }件
inbox-from = { $company }から { $time } に届きました。
inbox-take-all = すべて取得（ZIP）
inbox-accept = この見積で発注する
inbox-accept-title = { $number }を承諾
inbox-accept-hint = 承諾したことが{ $company }に伝わり、双方が後から確かめられる記録として残ります。取り消すには{ $company }にご連絡ください。
inbox-accepted = { $time }に承諾
document-accepted-before = 訂正前の内容
inbox-offer-over = 有効期限切れ
inbox-reply-title = 返信
inbox-reply = 返信の内容
inbox-reply-hint = { $company }の担当者に届きます。2,000文字まで。
inbox-reply-do = 返信する
done-replied = 返信しました
done-quote-accepted = 見積を承諾しました
done-registered = アカウントを作りました。ログインしてください
done-withdrawn = 受信箱から取り下げました
link-register-title = 書類をまとめて受け取る
link-register-lead = アカウントを作ると、{ $company }から届いた書類がいつでも受信箱で見られます。次からはリンクのメールは届きません。
link-register-do = アカウントを作る
link-registered = この書類は受信箱にもあります。
link-registered-do = ログインして受信箱を開く
delivery-channel = 送付方法
channel-secure_link = セキュアリンク
channel-inbox = 受信箱
delivery-sent-at = 送付日時
delivery-state = 送付の状況
delivery-life = 送付の経過
delivery-replies = 宛先からの返信
delivery-registered = 宛先は受信箱も使っています
delivery-has-passcode = あり
delivery-withdraw-do = 取り下げる
status-delivered = 配達済み
role-recipient = 受信者
role-recipient-hint = 取引先の方。自分の受信箱だけ
members-recipients = 受信箱を使う取引先の方
members-recipients-lead = 届いたリンクからアカウントを作った方です。自分あての書類だけが見られます。
members-recipients-none = まだいません
members-recipients-none-hint = 書類を受け取った方は、リンクの画面でアカウントを作れます。
members-colleagues = 社内のメンバー
kind-delivery-recipient-registered = 宛先がアカウントを作成
kind-delivery-inbox-delivered = 受信箱へ配達
kind-delivery-opened = 宛先が受信箱で開封
kind-delivery-replied = 宛先が返信
kind-delivery-withdrawn = 受信箱から取り下げ
kind-document-accepted = 宛先が見積を承諾
problem-delivery-in-inbox = この送付は受信箱に届いています
problem-delivery-in-inbox-detail = 宛先はログインして開けます。もう一度送る必要はありません。
problem-delivery-recipient-suspended = この宛先のアカウントは停止中です
problem-delivery-recipient-suspended-detail = アカウントの停止を解除してから送ってください。
problem-document-no-quote = この書類は見積書ではありません
problem-document-no-quote-detail = 承諾できるのは見積書だけです。
problem-document-already-accepted = この見積は承諾済みです
problem-document-already-accepted-detail = これ以上の操作は必要ありません。
problem-document-offer-over = この見積は有効期限が切れています
problem-document-offer-over-detail = 送り主に、新しい見積を頼んでください。
problem-member-is-recipient = 取引先の方のアカウントです
problem-member-is-recipient-detail = 役割は変えられません。メンバーにするには、アカウントを削除してから招待してください。
mail-inbox-subject = { $company }から書類が届きました
mail-inbox-body =
    { $to } 様

    { $company }から書類が届きました。ログインしてご覧ください。

    { $link }
mail-reply-subject = { $visitor } 様から返信がありました
mail-reply-body =
    { $to } 様

    { $number }をお送りした{ $visitor } 様から、返信がありました。ログインしてご覧ください。

    { $link }
mail-acceptance-subject = 見積が承諾されました（{ $number }）
mail-acceptance-body =
    { $to } 様

    お送りした見積が承諾されました。

    { $link }
