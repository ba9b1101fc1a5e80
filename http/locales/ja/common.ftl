### What every page says.

## Frame
brand = 契印
skip = 本文へ移動
menu = メニュー
nav = 主なメニュー
nav-home = ホーム
nav-audit = 監査室
nav-work = 業務
nav-company = 会社
nav-documents = 書類
nav-deliveries = セキュア送付
nav-clients = 取引先
nav-visits = 来訪受付
nav-members = メンバー
nav-kiosks = 受付端末
nav-outbox = 送信箱
nav-settings = 設定
logout = ログアウト
crumbs = 現在地
ledger-records = 台帳{ $n }件
ledger-signed = { $n }件まで署名・立会なし
public-trust = 安全のための取り組み
public-foot = 契印は、すべての操作を署名つきの台帳に記録します。書き換えると分かります。

## Verdicts: fixed terms
verdict-verified = 検証済み
verdict-waiting = 立会待ち
verdict-unwitnessed = 立会なし
verdict-unchecked = 未検証
verdict-broken = 不一致
verdict-erased = 本文消去

## Small words
all = すべて
optional = 任意
search = 検索
filters = 絞り込み
remove-filter = を外す
clear-filters = 条件をすべて外す
nothing-found = 条件に合うものがありません
nothing-found-hint = 語句を短くするか、絞り込みを外してください。
n-records = { $n }件
shown = { $n }件を表示
to-older = 古いほうへ
to-newest = 新しいほうへ戻る
expected = 正しい値: { $value }
reference = 受付番号 { $id }
back = 戻る
cancel = やめる
save = 保存
open = 開く
copy = コピー
copied = コピーしました
saved = 保存しました
show-all = すべて見る
actions = 操作
reason = 理由
yes = はい
no = いいえ

## People
person-erased = 本人の請求により消去
person-former-member = 退会済みのメンバー
honorific-onchu = 御中
honorific-sama = 様
actor-member = メンバー
actor-system = システム（自動）
actor-device = 受付端末
actor-link-holder = リンクの受取人
actor-api-client = APIクライアント
actor-anonymous = 未ログイン
actor-operator = 運用者
dear = { $name } 様

## Roles
role-owner = オーナー
role-admin = 管理者
role-member = メンバー
role-viewer = 閲覧者
role-accountant = 経理
role-receptionist = 受付
role-auditor = 監査人
role-owner-hint = すべての操作。会社に必ず1人
role-admin-hint = 会社の設定とメンバーの管理
role-member-hint = 書類、送付、来訪の日常業務
role-viewer-hint = 見るだけ
role-accountant-hint = 書類と送付
role-receptionist-hint = 来訪のみ
role-auditor-hint = すべてを読み、検証する。変更はできない

## States
status-draft = 下書き
status-issued = 発行済み
status-paid = 入金済み
status-cancelled = 取消済み
status-overdue = 期限超過
status-sending = 送信中
status-queued = 送信待ち
status-sent = 送付済み
status-opened = 開封済み
status-failed = 送付失敗
status-dead = 送信を断念
status-expired = 期限切れ
status-revoked = 停止済み
status-invited = 招待中
status-active = 有効
status-suspended = 停止中
status-removed = 退会済み
status-expected = 来訪予定
status-arrived = 来訪中
status-left = 退館済み
status-no-show = 来訪なし
status-paired = 利用中

## Fields
f-name = 氏名
f-email = メールアドレス
f-password = パスワード
f-tenant = 会社の識別名
f-tenant-hint = 同じメールアドレスで複数の会社に入っている方だけ。例: minato
f-role = 役割
f-status = 状態
f-number = 番号
f-client = 取引先
f-title = 件名
f-date = 発行日
f-date-due = 支払期限
f-total = 金額（税込）
f-note = 備考

## Login
login-title = ログイン
login-lead = 会社の台帳に入ります。ログインも台帳に記録されます。
login-do = ログイン
login-demo = デモの会社にログインできます
login-demo-password = パスワードは全員共通です:
login-new = はじめての会社は
login-break-glass = 緊急用の理由
login-break-glass-hint = オーナーだけが使えます。理由とともに台帳に記録され、二段階認証も求められます。
login-forgot = パスワードを忘れた場合
login-with-google = Googleでログイン
login-with-microsoft = Microsoftでログイン
login-companies-title = 会社を選ぶ
login-companies-lead = このアカウントは複数の会社に登録されています。ログインする会社を選んでください。
forgot-title = パスワードを設定し直す
forgot-lead = 設定用のリンクをメールで送ります。
forgot-do = リンクを送る
forgot-asked = メールをご確認ください
forgot-asked-hint = このアドレスがメンバーのものであれば、リンクを送ります。有効期間は1時間です。
reset-title = 新しいパスワード
reset-lead = { $company }へのログインに使います。ログイン中の端末はすべてログアウトします。二段階認証はそのまま残ります。
signup-do = 会社を登録する

## More small words
edit = 編集
choose = 選んでください
none = なし
today = 今日
you = （あなた）
print = 印刷
print-or-save = 印刷・PDFに保存
until = { $time }まで
due-on = 期限 { $date }
period-from = 開始日
period-to = 終了日
in-the-ledger = 台帳の記録を見る
recorded-hint = 保存すると、変わった項目が台帳に記録されます。
reason-hint = 台帳に残り、あとから消せません。
flash-title = 一度だけ表示します
flash-hint = この画面を離れると二度と表示できません。台帳には要約値だけが残ります。
password-hint = 15文字以上。長い文章がおすすめです。
password-new = 新しいパスワード
password-set-do = パスワードを設定
password-change-do = パスワードを変更
password-change-hint = ほかの端末でのログインはすべて終了します。
f-expires-at = 有効期限
f-registration-number = 登録番号
f-registration-number-hint = 適格請求書発行事業者の番号（Tと数字13けた）
f-bank-details = お振込先
f-postal-code = 郵便番号
f-region = 都道府県
f-locality = 市区町村
f-street-address = 町名・番地
f-extended-address = 建物名・部屋番号
issued-at = 発行日時
unit-visits = 件
unit-records = 件
# $n is for languages that count.
unit-views = { $n ->
   *[other] 回
    }

## Home
dashboard-title = { $name }さんの今日
dashboard-figures = いまの数字
dashboard-visits = 今日の来訪
dashboard-ledger = 台帳
dashboard-waits = 対応を待っています
dashboard-today = 今日の来訪
dashboard-last = 最近の記録
n-invoices = 請求書{ $n }件
n-documents = { $n }件
n-on-site = 来訪中{ $n }名
n-signed = { $n }件まで署名済み
n-bytes = { $n }バイト

## Done
done-recovery-codes = リカバリーコードを作り直しました
done-factor-on = 二段階認証を有効にしました
done-passkey-added = パスキーを追加しました
done-passkey-renamed = パスキーの名前を変更しました
done-passkey-removed = パスキーを削除しました
done-account-linked = アカウントを連携しました
done-account-unlinked = アカウントの連携を解除しました
done-phone-on = 電話番号を登録しました
done-phone-removed = 電話番号を解除しました
done-factor-removed = 認証アプリを解除しました
done-factor-reset = 二段階認証をリセットしました
done-device-forgotten = 端末の登録を削除しました
done-login-disowned = そのログインを終了しました。新しいパスワードを設定するリンクをメールでお送りします
done-session-revoked = その端末をログアウトさせました
done-saved = 保存しました
done-invited = 招待メールを送信箱に入れました
done-invitation-revoked = 招待を取り消しました
done-suspended = 利用を停止しました
done-reinstated = 利用を再開しました
done-removed = メンバーから外しました
done-password-changed = パスワードを変更しました。ほかのログインはすべて終了しました
done-password-reset = 新しいパスワードを設定するリンクを送りました
done-joined = 参加しました。ログインしてください
done-client-registered = 取引先を登録しました
done-client-archived = 取引先をしまいました
done-drafted = 下書きを保存しました
done-issued = 発行しました。内容は台帳に封印されました
done-approval-asked = 承認を依頼しました
done-approved = 承認しました
done-rejected = 差し戻しました
done-converted = 下書きを作成しました
done-corrected = 訂正しました
done-cancelled = 取り消しました
done-paid = 入金を記録しました
done-sent = 送付しました
done-link-revoked = リンクを停止しました
done-visit-registered = 来訪予定を登録しました
done-visit-cancelled = 来訪予定を取り消しました
done-checked-in = 入館を記録しました
done-checked-out = 退館を記録しました
done-kiosk-paired = 端末を登録しました
done-kiosk-revoked = 端末の利用を止めました
done-token-issued = トークンを発行しました
done-token-revoked = トークンを取り消しました

## Refusals
refused-title = 保存していません
refused-hint = ブラウザの「戻る」で、入力した内容のまま直せます。
problem-about = このコードは、APIと画面の両方で同じ意味です。
not-found-title = ページが見つかりません
not-found-text = アドレスが違うか、期限が切れたか、あなたの会社のものではありません。

# Trust
trust = 安全のための取り組み
trust-lead = このサーバーが実際に動いている設定から作られたページです。手で書いた約束ではありません。
trust-ledger = 台帳
trust-ledger-text = すべての操作は、追記だけができる署名つきの台帳に残ります。書き出した記録は、このサーバーなしで検証できます。
trust-signature = 署名とハッシュ
trust-origin = 台帳の名前
trust-key = 検証用の公開鍵
trust-rest = 保管時の暗号化
trust-rest-text = 記録の本文は会社ごとの鍵で、個人情報はさらにその人だけの鍵で暗号化します。その人の鍵を消せば、台帳の証明を保ったまま個人情報だけが読めなくなります。
trust-cipher = 暗号方式
trust-transport = 通信の暗号化
trust-transport-tls = TLS 1.2 と 1.3 だけを使い、認証つき暗号のほかは受け付けません。暗号化されていない接続は HTTPS へ案内します。
trust-transport-proxy = TLS は手前のサーバーが受け持ちます。
trust-transport-loopback = このサーバーは同じ機械からだけ使える試用の設定で動いています。
trust-suites = 暗号スイート
trust-passwords = パスワード
trust-hash = 保存の方法
trust-hash-value = Argon2id（{ $memory } MiB、{ $passes } 回）。元のパスワードは誰にも復元できません。
trust-length = 長さ
trust-length-value = { $shortest }〜{ $longest } 文字
trust-common = よくある言葉
trust-common-value = { $count } 語を使えないようにしています
trust-guesses = 誤入力
trust-guesses-value = { $free } 回続くと、次までの待ち時間が倍々に延び（最長 { $minutes } 分）、{ $most } 回で止まります
trust-sessions = ログイン
trust-idle = 操作がないと終わるまで
trust-longest = 使っていても終わるまで
trust-fresh = 重要な操作で再確認を省く時間
trust-invitation = 招待の有効期間
trust-hours = { $hours } 時間
trust-minutes = { $minutes } 分
trust-limits = 使いすぎの制限
trust-requests = 1 分あたりの回数
trust-requests-value = 1 ログインで { $each } 回、1 社全体で { $company } 回まで
trust-turns = 同時に処理する数
trust-turns-value = 1 社につき書き込み { $count } 件。それを超える分は、その会社の中で順番を待ちます
trust-version = 契印 { $version }
