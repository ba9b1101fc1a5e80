## What `keiin demo` prints
demo-serving = デモの会社「株式会社ミナト製作所」が { $url } で動いています
    （終了するにはCtrl-C）。
demo-made = デモの会社「株式会社ミナト製作所」は { $data } にあります。
    起動: keiin demo --data { $data }
demo-links = オーナーとしてログイン（このマシンから一度だけ、15分以内）:
    { "  " }{ $login }
    パスワードは全員共通: { $password }（ログイン画面: { $url }/login ）
    受付端末:
    { "  " }{ $kiosk }
    データ: { $data }
demo-next = 次に試すこと:
    { "  " }keiin export --data { $data } --tenant { $slug } --out minato.keiin
    { "  " }keiin verify minato.keiin --key "{ $vkey }"
    { "  " }keiin demo-tamper minato.keiin --out changed.keiin
    { "  " }keiin verify changed.keiin
