### After the arrival: notices, answers, blocklist, history, figures, evacuation, erasing.
visit-history = 履歴
visit-history-search-hint = 氏名、読み、会社名
visit-history-csv-hint = 絞り込んだ内容を、CSVで書き出せます。
visit-how = 受付
visit-appointment = 予約あり
visit-planned = 予定
visit-waiting = お待ちの来訪者
visit-waiting-none = お待ちの来訪者はいません
visit-waiting-none-hint = 来訪者が到着すると、ここと各画面の上に表示されます。
waiting-here = { $time }に到着し、{ $place }でお待ちです。
waiting-no-answer = { $time }に到着し、{ $place }でお待ちです。{ $host }から返事がありません。
waiting-nobody = { $time }に到着し、{ $place }でお待ちです。担当者は決まっていません。
waiting-blocklist = { $place }でお待ちです。注意リストに載っています。
waiting-not-screened = { $place }でお待ちです。注意リストを確認できませんでした。
waiting-decide = 確認する
answer-coming = すぐ行きます
answer-wait = お待ちいただいてください
answer-someone-else = 別の者が行きます
answer-title = 来訪者が到着しました
answer-given = 返事を記録しました: { $answer }
answer-hint = 返事は台帳に記録され、受付に伝わります。選び直すこともできます。
done-answered = 返事を記録しました
done-turned-away = お断りを記録しました
done-visitor-erased = 来訪者の情報を消去しました
status-held = 受付で確認中
status-turned-away = お断り
visit-notices = 到着の連絡
visit-unanswered = 返事待ち
visit-answered = { $who }が{ $time }に返事しました。
why-no-answer = 返事がないため受付へ
why-nobody-to-ask = 担当者がいないため受付へ
why-blocklist = 注意リストのため受付へ
why-not-screened = 注意リストを確認できないため受付へ
visit-named = 注意リストに載っています
visit-not-screened = 注意リストを確認できませんでした
visit-not-screened-hint = 来訪者に「受付の者がまいります」と伝えました。ご本人を確かめて、入館を認めるかどうかを決めてください。
visit-let-in = 入館を認める
visit-let-in-reason = 認める理由
visit-let-in-hint = 理由は、来訪者の情報として封をして記録します。
visit-turn-away = お断りする
visit-erase = 来訪者の情報を消去
visit-erase-hint = 氏名、会社名、メールアドレス、備考を読めなくします。来訪の時刻と記録の証明は残ります。元に戻せません。
visit-erase-do = 消去する
visit-erased-by-hand = 来訪者の情報は、消去されました。
visit-erased-by-policy = 来訪者の情報は、保管期間が過ぎたため消去されました。

## Figures
visit-figures = 集計
figures-arrivals = 来訪
figures-walk-ins = 予約なし
figures-no-shows = 来訪なし / 予約
figures-no-show-rate = 来訪なしの割合
figures-by-day = 日ごとの来訪
figures-by-hour = 時間ごとの来訪
figures-by-month = 12か月の来訪
figures-nobody = { $month }の来訪はありません。
figures-day-says = { $month }の来訪は{ $n }件です。最も多い日は{ $day }の{ $most }件でした。
figures-hour-says = 最も多い時間は{ $hour }時から{ $next }時までの{ $most }件でした。
figures-month-says = { $from }から{ $to }までの来訪は{ $n }件です。

## Evacuation
evacuation = 避難リスト
evacuation-lead = 館内の来訪者 { $n }名（{ $time }現在）
evacuation-now = たった今のリストです
evacuation-age = { $n }分前のリストです
evacuation-again = 最新にする
evacuation-print = 印刷
evacuation-offline = このリストは、この端末に24時間まで残ります。ネットワークが切れていても開けて、印を付けられます。印はこの端末だけに残ります。
evacuation-safe = 確認済み
evacuation-missing = 未確認
evacuation-untick = 印をすべて外す
evacuation-tick = 確認
evacuation-count = { $n }名
evacuation-none = 館内に来訪者はいません
evacuation-none-hint = 入館して退館していない来訪者が、場所ごとに表示されます。

## Blocklist
blocklist = 注意リスト
blocklist-lead = 載っている人や会社が来訪すると、端末では受付を案内し、受付に知らせます。端末には理由を表示しません。
blocklist-add = リストに載せる
blocklist-add-do = 載せる
blocklist-kind = 種類
blocklist-kind-name = 氏名・読み
blocklist-kind-company = 会社
blocklist-kind-email = メールアドレス
blocklist-value = 内容
blocklist-value-hint = 全角・半角、かなの種類、空白の違いは区別しません。メールは @example.com のように書くと、そのドメイン全体になります。
blocklist-reason = 受付へのメモ
blocklist-reason-hint = 来訪者には見えません。
blocklist-since = { $time }から
blocklist-remove = リストから外す
blocklist-none = リストには何も載っていません
blocklist-none-hint = 受付に知らせてほしい人や会社を載せます。
blocklist-status-listed = 掲載中
blocklist-status-removed = 外したもの

## Policy
visit-policy = 連絡と保管
policy-notices = 担当者への連絡
policy-notice = メールに書くこと
policy-notice-nothing = 来訪者が到着したことだけ
policy-notice-name = 氏名まで
policy-notice-name-and-company = 氏名と会社名まで
policy-notice-hint = 来訪者のメールアドレスは、どの場合も書きません。
policy-slack = Slackへは、来訪の出来事を選んだWebhookで届きます。
policy-escalation = 返事がないとき
policy-minutes = 受付に知らせるまでの分数
policy-minutes-hint = 1分から120分まで。担当者のいない来訪は、すぐに知らせます。
policy-tell = 知らせる相手
policy-tell-hint = だれも選ばないと、受付の役割のメンバー、いなければオーナーに知らせます。
policy-privacy = 来訪者の情報の保管
policy-keep-days = 来訪後に保管する日数
policy-keep-days-hint = 空にすると、期限なく保管します。過ぎると氏名などを消去し、来訪の記録と証明は残します。

## Mails
mail-visit-waiting-subject = 来訪者がお待ちです（{ $location }）
mail-visit-waiting-body =
    { $to } 様

    { $why ->
        [blocklist] 注意リストに載っている来訪者が、受付でお待ちです。
        [nobody_to_ask] 担当者の決まっていない来訪者が、受付でお待ちです。
       *[no_answer] 到着した来訪者に、担当者から返事がありません。
    }
    { $named ->
        [yes] 来訪者: { $visitor } 様
       *[no] 来訪者の氏名は、契印で確かめてください。
    }
    場所: { $location }

    { $why ->
        [blocklist] 契印の「お待ちの来訪者」で確認してください。
       *[no_answer] 下のリンクから返事ができます。

            { $link }
    }

## Trail and rights
kind-visit-announced = 担当者に到着を連絡
kind-visit-escalated = 受付に連絡
kind-visit-acknowledged = 来訪に返事
kind-visit-matched = 注意リストに一致
kind-visit-screening-failed = 注意リストを確認できず入館を保留
kind-visit-overridden = 注意リストの来訪者の入館を許可
kind-visit-turned-away = 来訪をお断り
kind-visit-erasure-ordered = 来訪者の情報の消去
kind-visit-policy-changed = 来訪の連絡と保管を変更
kind-blocklist-entry-added = 注意リストに掲載
kind-blocklist-entry-removed = 注意リストから削除
kind-blocklist-grown = 注意リストが1件増加
kind-blocklist-shrunk = 注意リストが1件減少
object-visit-policy = 来訪の連絡と保管
object-blocklist-entry = 注意リストの項目
object-blocklist = 注意リスト
permission-noun-blocklist-entry = 注意リスト
permission-visit-acknowledge = 到着した来訪者に返事をする
permission-blocklist-entry-read = 注意リストを見る
permission-blocklist-entry-add = 注意リストに載せる
permission-blocklist-entry-remove = 注意リストから外す
permission-blocklist-entry-override = 注意リストの来訪者を入館させる・断る
scope-blocklist-entries-read = 注意リストを見る
scope-blocklist-entries-write = 注意リストに載せ、外し、入館を認める
scope-visit-policies-read = 来訪の連絡と保管を見る
scope-visit-policies-write = 来訪の連絡と保管を変更する

## Refusals
problem-visit-ask-reception = 受付におたずねください
problem-visit-ask-reception-detail = 受付の者がご案内します。
problem-visit-not-screened = 受付の者がまいります
problem-visit-not-screened-detail = 受付に知らせました。ここで少しお待ちください。
problem-visit-not-named = 注意リストに載っていません
problem-visit-not-named-detail = 「入館を記録」で受け付けてください。
problem-visit-notice-gone = この連絡への返事はできません
problem-visit-notice-gone-detail = 来訪者は退館したか、別の日の連絡です。
problem-visit-not-over = まだ消去できません
problem-visit-not-over-detail = 退館、または予定の日が過ぎてから消去できます。
problem-visit-already-erased = すでに消去されています
problem-visit-already-erased-detail = 来訪の記録だけが残っています。
problem-blocklist-entry-already-listed = すでに載っています
problem-blocklist-entry-already-listed-detail = リストで探してください。
problem-blocklist-entry-full = これ以上載せられません
problem-blocklist-entry-full-detail = 使わない項目を外してください。500件まで載せられます。
problem-blocklist-entry-bad-email = メールアドレスを確かめてください
problem-blocklist-entry-bad-email-detail = guest@example.jp か @example.jp の形で入力してください。
problem-blocklist-entry-unknown = この項目は見つかりません
problem-blocklist-entry-unknown-detail = 注意リストから選び直してください。
problem-blocklist-entry-gone = この項目はすでに外されています
problem-blocklist-entry-gone-detail = もう一度載せることができます。
problem-visit-policy-bad-minutes = 分数を確かめてください
problem-visit-policy-bad-minutes-detail = 1から120までの数で入力してください。
problem-visit-policy-bad-days = 日数を確かめてください
problem-visit-policy-bad-days-detail = 1から10957までの数で入力するか、空にしてください。
problem-visit-policy-too-many = 知らせる相手が多すぎます
problem-visit-policy-too-many-detail = 20人までにしてください。
problem-visit-policy-unknown-member = 選ばれたメンバーは利用中ではありません
problem-visit-policy-unknown-member-detail = 利用中のメンバーから選び直してください。
