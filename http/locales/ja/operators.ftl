### サービスを運営する人と、会社への依頼と、閲覧の記録。

## 会社のページ
grants = サポートのアクセス
grants-lead = このサービスを運営する人は、お客様が許可するまで、会社のデータを見られません。目的、データの区分、期限を決めて許可します。
grants-waiting = サポートのアクセスの依頼または有効な許可が{ $n }件あります
grants-list = 依頼と許可(新しい順)
grants-none = 依頼はありません
grants-none-hint = 運営する人がデータを見る必要があるとき、依頼がここに表示されます。
grants-by-purpose = これまでの依頼(目的別)
grants-operators = このサービスを運営する人:サポート{ $support }名、開発{ $engineering }名、管理{ $management }名。管理担当は会社のデータを見られません。
grant-of = { $name }さんの依頼
grant-who = 依頼した人
grant-what = データ
grant-what-for = 目的
grant-until = 期限
grant-object = 対象は1件のみ
grant-reason = 依頼の内容
grant-second = 2人目の担当者
grant-opened = 許可した人
grant-opened-of = { $needed }名のうち{ $n }名
grant-told = 不要(事前の確認に代えて通知を受ける設定です)
grant-looks = 閲覧
grant-looks-n = 閲覧{ $n }回
grant-reviewed = 事後確認
grant-seen = 閲覧したもの
grant-seen-none = まだありません。
grant-open-do = 許可する
grant-open-hint = 今から{ $time }まで、この人は次の区分のデータを見られます：{ $classes }。閲覧は1回ごとに台帳に記録されます。
grant-open-two = 秘匿情報には、会社の2名の許可が必要です。それぞれが許可してください。
grant-deny-do = 断る
grant-end-do = すぐに終える
grant-waits-operator = 2人目の担当者の承認を待っています。承認されるまで、許可できません。
support-how = 確認の方法
support-how-hint = 秘匿情報は、この設定にかかわらず2名の許可が必要です。
support-told = 事前の確認に代えて通知を受ける(2人目の担当者が承認した依頼は、すぐに有効になります)
purpose-service = サービスの提供
purpose-billing = 請求
purpose-aggregate-analysis = 全体の統計
purpose-individual-report = ご依頼の報告書
purpose-event-info = イベントの案内
purpose-inquiry = お問い合わせへの回答
purpose-bug = 不具合の調査
purpose-improvement = サービスの改善
purpose-survey = アンケート
purpose-campaign = キャンペーン
status-requested = 2人目の承認待ち
status-approved = お客様の許可待ち
status-open = 有効
status-denied = 拒否
status-ended = 終了
status-registered = 承認待ち
status-working = 利用中
done-grant-opened = 許可しました。閲覧は1回ごとに記録されます
done-grant-ended = 終了しました
done-recorded = 記録しました

## 運営の画面
plane = 運営
plane-lead = 運営する人のアカウントと、会社への依頼です。すべて記録されます。
plane-you = { $name }さん({ $kind })としてログインしています。
plane-operators = アカウント
plane-grants = 依頼と許可
plane-purposes = 目的別の件数
plane-unreviewed = { $n ->
        [0] 事後確認を待つものはありません。
       *[other] 終わった許可のうち{ $n }件が、ほかの人の事後確認を待っています。
    }
plane-review-due = 見直しの時期です
plane-register = アカウントの申請
plane-certificate = 証明書のSHA-256
plane-certificate-hint = openssl x509 -noout -fingerprint -sha256 -in their.pem
plane-certificate-do = 証明書を替える
plane-screen = 審査の記録
plane-screen-hint = 何を確認したか、書類はどこにあるか。
plane-screen-do = 記録する
plane-not-screened = 審査の記録がありません
plane-approve-do = 承認する
plane-review-do = 確認済みにする
plane-review-note = 確認した内容
plane-remove-do = 取り消す
plane-ask = 会社への依頼
plane-company = 会社(識別名またはID)
plane-hours = 時間(最大{ $n })
plane-ask-do = 依頼する
plane-give-back-do = 返す
plane-classes = データ
plane-object-hint = 1件で足りるときは、書類・取引先・来訪などのID。空欄のときは、選んだ区分のすべて。
operator-kind-support = サポート
operator-kind-engineering = 開発
operator-kind-management = 管理

## 起こること
kind-tenant-data-viewed = サポートが閲覧
kind-grant-requested = サポートのアクセスを依頼
kind-grant-approved = サポートのアクセスを2人目の担当者が承認
kind-grant-opened = サポートのアクセスを許可
kind-grant-denied = サポートのアクセスを拒否
kind-grant-ended = サポートのアクセスを終了
kind-grant-expired = サポートのアクセスの期限切れ
kind-grant-reviewed = サポートのアクセスを事後確認
kind-support-changed = サポートの設定を変更
kind-operator-registered = 運営アカウントを申請
kind-operator-screened = 運営アカウントの審査を記録
kind-operator-approved = 運営アカウントを承認
kind-operator-certificate-replaced = 運営アカウントの証明書を交換
kind-operator-reviewed = 運営アカウントを見直し
kind-operator-removed = 運営アカウントを取り消し
kind-certificate-taken = 証明書を登録
kind-operators-added = 運営担当者を追加
kind-operators-left = 運営担当者を削除
object-grant = サポートのアクセス
object-support = サポートの設定
object-operator = 運営アカウント
object-operators = 運営担当者
object-certificate = 証明書
field-purpose = 目的
field-classes = データ
field-told-at-once = 確認に代えて通知
field-grant = サポートのアクセス
field-by = 行った人
field-object = 対象は1件のみ
field-operator = 担当者

## 断るとき
problem-access-certificate = 運営担当者の証明書でログインしてください
problem-access-certificate-detail = このポートでは、接続のクライアント証明書だけで本人を確かめます。証明書を選ぶか、アカウントが使えるかをほかの担当者に確認してください。
problem-access-grant = 許可がありません
problem-access-grant-detail = 目的、データの区分、期限を決めて、会社に依頼してください。会社が許可したら、もう一度お試しください。
problem-grant-unknown = その依頼はありません
problem-grant-unknown-detail = 一覧から選び直してください。
problem-grant-over = すでに終わっています
problem-grant-over-detail = 断られたか、終了したか、期限が過ぎています。必要なときは新しく依頼します。
problem-grant-management-never = 管理担当は許可を持てません
problem-grant-management-never-detail = サポートか開発の担当者に頼んでください。
problem-grant-no-classes = データの区分を選んでください
problem-grant-no-classes-detail = 1つ以上の区分が必要です。
problem-grant-bad-hours = 時間が範囲の外です
problem-grant-bad-hours-detail = 作業に必要な時間を、上限までの範囲で選んでください。
problem-grant-no-company = その会社はありません
problem-grant-no-company-detail = 識別名またはIDを入力してください。
problem-grant-own-approval = ほかの人が承認します
problem-grant-own-approval-detail = ご自分の依頼は、2人目の担当者が判断します。
problem-grant-already-approved = 承認済みです
problem-grant-already-approved-detail = 次は会社の許可を待ちます。
problem-grant-not-approved = 2人目の担当者の承認がまだです
problem-grant-not-approved-detail = 承認されると、許可できるようになります。
problem-grant-already-open = すでに有効です
problem-grant-already-open-detail = 期限が来るか、終えるまで有効です。
problem-grant-second-person = もう1名の許可が必要です
problem-grant-second-person-detail = ご自分の許可は済んでいます。秘匿情報には、もう1名の許可が必要です。
problem-grant-not-due = まだ期限が来ていません
problem-grant-not-due-detail = 後でもう一度お試しください。
problem-grant-not-over = まだ有効です
problem-grant-not-over-detail = 終わってから確認してください。
problem-grant-own-review = ほかの人が確認します
problem-grant-own-review-detail = 行ったことの確認を、ほかの担当者に頼んでください。
problem-grant-already-reviewed = 確認済みです
problem-grant-already-reviewed-detail = することはありません。
problem-operator-unknown = そのアカウントはありません
problem-operator-unknown-detail = 一覧から選び直してください。
problem-operator-removed = 取り消されたアカウントです
problem-operator-removed-detail = 新しい証明書で、新しく申請してください。
problem-operator-own-account = ご自分のアカウントにはできません
problem-operator-own-account-detail = ほかの担当者に頼んでください。
problem-operator-bad-email = メールアドレスではありません
problem-operator-bad-email-detail = アドレスを確かめてください。
problem-operator-bad-certificate = SHA-256ではありません
problem-operator-bad-certificate-detail = openssl x509 -fingerprint -sha256 が表示する64桁の16進数を入力してください。コロンはあってもなくても構いません。
problem-operator-certificate-taken = この証明書は登録済みです
problem-operator-certificate-taken-detail = アカウントごとに別の証明書が必要です。新しく発行してください。
problem-operator-not-screened = 審査の記録がありません
problem-operator-not-screened-detail = 先に審査の記録を書いてください。
problem-operator-already-approved = 承認済みです
problem-operator-already-approved-detail = このアカウントは使えます。
problem-operator-second-person = 2人目の担当者が必要です
problem-operator-second-person-detail = 申請した人は承認できません。ほかの担当者に頼んでください。

## Queries in words
seen-get-tenant = 会社
seen-list-members = メンバーの一覧
seen-get-member = メンバー
seen-list-clients = 取引先の一覧
seen-get-client = 取引先
seen-list-documents = 書類の一覧
seen-get-document = 書類
seen-list-deliveries = 送付の一覧
seen-get-delivery = 送付
seen-list-visits = 来訪の一覧
seen-get-visit = 来訪
seen-list-kiosks = 受付端末の一覧
seen-get-kiosk = 受付端末
seen-list-events = 監査記録の一覧
seen-get-event = 監査記録

## 所有者へのメール
mail-support-access-subject = サービスの運営担当者が{ $company }のデータの閲覧を求めています
mail-support-access-body =
    { $to } 様

    サービスの運営担当者が{ $company }のデータの閲覧を求め、別の運営担当者が承認しました。
    だれが、何のために、どのデータを、いつまで見るのか、また実際に何を見たのかは、次のページで確認できます。許可、拒否、終了もこのページからできます。

    { $link }

## 信頼のページ
trust-operators = このサービスを運営する人
trust-operators-text = 会社のデータは、会社が許可するまで見られません。許可は目的を決めて、最長{ $hours }時間です。閲覧は1回ごとに、その会社の台帳に記録されます。
trust-operators-login = ログインの方法
trust-operators-login-certificate = 専用のポートで、クライアント証明書のみ。パスワードはありません。
trust-operators-login-nothing = なし(運営担当者としてログインできる人はいません)
trust-operators-review = アカウントの見直し
trust-operators-days = { $days }日に1回以上
trust-operators-since = { $since } から担当、{ $reviewed } に見直し
