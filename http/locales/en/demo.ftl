## What `keiin demo` prints
demo-serving = 株式会社ミナト製作所, a demonstration company, is served at { $url }
    (Ctrl-C ends it).
demo-made = 株式会社ミナト製作所, a demonstration company, is in { $data }
    Serve it: keiin demo --data { $data }
demo-links = Log in as the owner, once, within 15 minutes, from this machine:
    { "  " }{ $login }
    Everybody's password: { $password } (people: { $url }/login)
    Kiosk at the reception desk:
    { "  " }{ $kiosk }
    Data: { $data }
demo-next = Try next:
    { "  " }keiin export --data { $data } --tenant { $slug } --out minato.keiin
    { "  " }keiin verify minato.keiin --key "{ $vkey }"
    { "  " }keiin demo-tamper minato.keiin --out changed.keiin
    { "  " }keiin verify changed.keiin
