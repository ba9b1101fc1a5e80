### 権限セット：会社独自の役割。
permission-sets = 権限
permission-sets-lead = 決まった役割では合わないメンバーのための、会社独自の役割です。変更は、その役割を持つ全員の次の操作から効きます。
permission-set = 権限セット
permission-set-new = 権限セットを作る
permission-set-new-do = 権限セットを作成
permission-set-example = 例：請求書の確認
permission-set-base = 会社名・メンバー一覧・自分の操作履歴は、これに加えて全員が見られます。メンバー・権限・セキュリティの管理は、オーナーと管理者だけが行えます。
permission-set-none = 権限セットはまだありません
permission-set-none-hint = 多くの会社では、決まった役割で足ります。
permission-set-holders = { $n ->
    [0] 使用中の人はいません
   *[other] { $n }人が使用中
 }
permission-set-changed = { $time } 変更
permission-set-deleted = 削除済み
permission-set-delete = この権限セットを削除
permission-set-delete-hint = 使用中の人がいなくなれば削除できます。記録は残ります。
permission-set-delete-do = 削除する
done-permission-set-defined = 権限セットを作成しました
done-permission-set-deleted = 権限セットを削除しました
comma = 、
role-custom = 独自の権限セット
role-custom-hint = 会社独自の権限セット
permission-noun-client = 取引先
permission-noun-document = 書類
permission-noun-approval = 承認
permission-noun-delivery = 送付
permission-noun-visit = 来訪
permission-noun-mail = 送信箱
permission-noun-device = 受付端末
permission-noun-token = アクセストークン
permission-noun-event = 操作履歴
permission-noun-log = 台帳
permission-noun-tenant = 会社情報
permission-client-read = 取引先を見る
permission-client-register = 取引先を登録する
permission-client-change = 取引先を変更する
permission-client-archive = 取引先をしまう
permission-document-read = 書類を見る
permission-document-draft = 下書きを作る
permission-document-issue = 書類を発行・訂正・取消する
permission-document-pay = 入金を記録する
permission-approval-give = 書類を承認・差し戻す
permission-delivery-read = 送付状況を見る
permission-delivery-send = 書類を送る・リンクを取り消す
permission-visit-read = 来訪を見る
permission-visit-register = 来訪を登録する
permission-visit-change = 来訪を変更する
permission-visit-cancel = 来訪を取り消す
permission-visit-receive = 来訪者の入館・退館を記録する
permission-mail-read = 送信したメールを見る
permission-mail-send = 届かなかったメールをもう一度送る
permission-device-read = 受付端末を見る
permission-device-pair = 受付端末を登録・停止する
permission-token-read = 自分のアクセストークンを見る
permission-token-issue = 自分の権限の範囲でアクセストークンを発行する
permission-token-revoke = 自分のアクセストークンを取り消す
permission-event-read = 全員の操作履歴を見る
permission-log-export = 台帳を書き出す
permission-tenant-change = 会社情報・振込先を変更する

kind-permission-set-defined = 権限セットを作成
kind-permission-set-changed = 権限セットを変更
kind-permission-set-deleted = 権限セットを削除
kind-permission-sets-named = 権限セットの名前を確保
kind-permission-sets-dropped = 権限セットの名前を解放
kind-permission-sets-given = 権限セットをメンバーに付与
kind-permission-sets-taken = 権限セットをメンバーから解除
kind-member-invitation-expired = 招待の期限切れ
object-permission-set = 権限セット
object-permission-sets = 権限セット一覧

problem-permission-set-too-many = 権限セットが多すぎます
problem-permission-set-too-many-detail = 1社で50個までです。使用中の人がいないものを削除してください。
problem-permission-set-name-taken = 同じ名前の権限セットがあります
problem-permission-set-name-taken-detail = 別の名前にしてください。
problem-permission-set-no-permissions = 権限が選ばれていません
problem-permission-set-no-permissions-detail = 少なくとも一つ選んでください。
problem-permission-set-unknown-permission = この権限は権限セットに入れられません
problem-permission-set-unknown-permission-detail = メンバー・権限・セキュリティの管理は、オーナーと管理者だけのものです。
problem-permission-set-beyond-own = ご自分にない権限が含まれています
problem-permission-set-beyond-own-detail = 持っている人だけが渡せます。オーナーか管理者に頼んでください。
problem-permission-set-needs-read = 「見る」権限が足りません
problem-permission-set-needs-read-detail = 変更するには、見る必要があります。その権限も選んでください。
problem-permission-set-unknown = この権限セットはありません
problem-permission-set-unknown-detail = 削除されたのかもしれません。
problem-permission-set-gone = この権限セットは削除されています
problem-permission-set-gone-detail = 新しく作ってください。
problem-permission-set-in-use = この権限セットを使用中の人がいます
problem-permission-set-in-use-detail = 先に、その人たちの役割を変えるか、招待を取り消してください。

### 招待
invite-other-who = { $name }（{ $email }）としてログインしています。
problem-invitation-other-address = この招待は別のメールアドレス宛てです
problem-invitation-other-address-detail = ログアウトしてから、メールのリンクをもう一度開いてください。転送されたメールであれば、ご自分のアドレスへの招待を頼んでください。

### 利用停止と再開
f-reason = 理由
member-emergency = 緊急停止
member-emergency-hint = 他人が使っているおそれがある場合。トークンは完全に失効し、送付済みのリンクも開けなくなります。再開には、以前から把握している番号への電話確認が必要です。
member-emergency-now = 緊急停止中です。記録は失われていません。電話で本人を確認するまで再開できません。
phone-check = 電話確認
phone-check-new = 電話確認を記録
phone-check-hint = 会社が以前から把握している番号に電話してください。相手が告げた番号は使えません。
phone-check-source = 番号の出所
phone-check-number = かけた番号
phone-check-time = 日時
phone-check-result = 結果
phone-check-confirmed = 本人と確認
phone-check-denied = 本人に心当たりなし
phone-check-not_reached = 応答なし
phone-check-note = 確認した内容
phone-check-do = 記録する
number-source-personnel_file = 人事記録
number-source-contract = 契約書
number-source-public_register = 公的名簿（弁護士会など）
number-source-colleague = 面識のある同僚
number-source-caller = 電話の相手
done-phone-checked = 電話確認を記録しました
kind-identity-verified-by-phone = 電話で本人確認
object-identity = 本人確認
problem-identity-check-first = 先に電話で本人を確認してください
problem-identity-check-first-detail = 緊急停止中です。会社が以前から把握している番号に電話し、結果を記録してください。最後の電話の結果だけが有効です。
problem-identity-own = ほかの人が行う操作です
problem-identity-own-detail = 自分で自分を確認することはできません。
problem-identity-number-from-caller = 相手が告げた番号は使えません
problem-identity-number-from-caller-detail = 自社の記録・契約書・公的名簿の番号を使ってください。
problem-identity-bad-number = 電話番号として読めません
problem-identity-bad-number-detail = 数字6〜20桁です。空白・ハイフン・かっこは入れられます。
problem-identity-bad-time = この日時は指定できません
problem-identity-bad-time-detail = 過去7日以内の日時を入れてください。
problem-delivery-on-hold = このリンクは一時停止中です
problem-delivery-on-hold-detail = 送り主の会社にお問い合わせください。後で同じリンクをもう一度お試しください。

### アクセスの履歴
lifecycle = アクセスの履歴
lifecycle-of = アクセスの履歴：{ $name }
lifecycle-lead = 招待・参加・権限・停止・消去について、誰が行い、台帳のどこにあるか。
lifecycle-id = メンバーID
lifecycle-logins = ログイン回数
lifecycle-last = 最終 { $time }
lifecycle-actions = 本人の操作
lifecycle-when = 日時
lifecycle-what = 内容
lifecycle-who = 行った人
lifecycle-record = 記録

### 法律事務所の秘書
secretaries = 秘書
secretaries-lead = 秘書は、本人のメールで確認ボタンが押されてから、担当弁護士のために操作できます。押されるたびに弁護士へ知らせます。
secretary-assign = 秘書を登録
secretary-assign-hint = まだメンバーでない人には招待も送ります。どちらのメールもこのアドレスに届きます。秘書本人のアドレスを入れてください。
secretary-assign-do = メールを送る
secretary-none = 秘書はいません
secretary-none-hint = 弁護士がそれぞれ自分の秘書を登録します。
secretary-of = 担当弁護士：{ $lawyer }
secretary-since = { $time } 確認
secretary-waiting = 確認待ち
secretary-confirmed = 確認済み
secretary-expired = メール期限切れ
secretary-ended = 終了
secretary-end-do = 終了する
secretary-confirm-title = メールアドレスの確認
secretary-confirm-lead = { $company } の { $lawyer } が、あなたを秘書として登録しました。このメールアドレスがあなたのものであることを確認してください。{ $lawyer } にも知らせます。
secretary-confirm-do = このアドレスは私のものです
secretary-refuse-title = 秘書の登録を取り消す
secretary-refuse-lead = { $secretary } は、{ $company } であなたのための操作ができなくなります。このリンクは一度だけ使えます。
secretary-refuse-do = 取り消す
done-secretary-assigned = メールを送りました
done-secretary-confirmed = 確認しました。ログインできます
done-secretary-ended = 秘書の担当を終了しました
role-lawyer = 弁護士
role-lawyer-hint = 自分の来訪と秘書
role-secretary = 秘書
role-secretary-hint = 担当弁護士のために操作
kind-secretary-assigned = 秘書を登録
kind-secretary-confirmed = 秘書のメールを確認
kind-secretary-revoked = 秘書の登録を取り消し
kind-secretaries-tied = 秘書の担当を開始
kind-secretaries-untied = 秘書の担当を終了
object-secretary = 秘書
object-secretaries = 秘書の担当
mail-secretary-confirm-subject = メールアドレスの確認：{ $company }
mail-secretary-confirm-body =
    { $to } 様

    { $company } の { $host } が、あなたを秘書として登録しました。
    { $expires } までに次のリンクを開き、ボタンを押してください。それまでは何も操作できません。

    { $link }

    お心当たりがなければ、このメールは破棄してください。
mail-secretary-confirmed-subject = { $visitor } がメールアドレスを確認しました
mail-secretary-confirmed-body =
    { $to } 様

    { $visitor } 宛てのメールで確認ボタンが押されました。{ $company } で、あなたのための操作ができます。
    お心当たりがなければ、次のリンクで取り消してください。一度だけ使えます。

    { $link }
problem-secretary-not-confirmed = メールアドレスがまだ確認されていません
problem-secretary-not-confirmed-detail = 届いたメールのボタンを押してください。期限が切れた場合は、担当の弁護士に再送を頼んでください。
problem-secretary-not-a-member = 秘書を登録できるのはメンバーだけです
problem-secretary-not-a-member-detail = 弁護士としてログインしてください。
problem-secretary-other-role = この人には別の役割があります
problem-secretary-other-role-detail = 自分の役割を持つ人は、秘書として登録する必要がありません。
problem-secretary-already-confirmed = すでにあなたの秘書です
problem-secretary-already-confirmed-detail = これ以上の操作は要りません。
problem-secretary-own = ご自分のアドレスです
problem-secretary-own-detail = 秘書本人のアドレスを入れてください。
problem-secretary-unknown = この秘書は見つかりません
problem-secretary-unknown-detail = 取り消されたのかもしれません。
problem-secretary-gone = このリンクは使えません
problem-secretary-gone-detail = 使用済みか、新しいメールに替わったか、取り消されています。
problem-secretary-expired = メールの期限が切れました
problem-secretary-expired-detail = 担当の弁護士に再送を頼んでください。
permission-visit-correct = 来訪の記録を訂正する
