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
ledger-signed = { $time }署名・立会なし
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
actor-link_holder = リンクの受取人
actor-link-holder = リンクの受取人
actor-api-client = APIクライアント
actor-anonymous = 未ログイン
actor-operator = 運用者

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
signup-do = 会社を登録する
