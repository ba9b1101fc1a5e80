//! What one of a line is, as a code of UN/ECE Recommendation 20.

/// What stands for a unit that has no code: "one".
pub const ONE: &str = "C62";

/// The code of a unit that people write. `None`: it has none here, and the line says the unit in words.
pub fn code(unit: &str) -> Option<&'static str> {
    let unit = unit.trim();
    Some(match unit.to_ascii_lowercase().as_str() {
        "" => ONE,
        "個" | "ヶ" | "ケ" | "コ" | "pcs" | "pc" | "ea" => "EA",
        "式" | "一式" => "LS",
        "時間" | "h" | "hr" | "hour" | "hours" => "HUR",
        "分" | "min" => "MIN",
        "日" | "day" | "days" => "DAY",
        "週" | "週間" | "week" | "weeks" => "WEE",
        "月" | "か月" | "ヶ月" | "ケ月" | "カ月" | "month" | "months" => "MON",
        "年" | "year" | "years" => "ANN",
        "人月" => "3C",
        "人" | "名" => "IE",
        "組" | "セット" | "set" => "SET",
        "足" | "双" | "ペア" => "PR",
        "ダース" => "DZN",
        "mg" => "MGM",
        "g" | "グラム" => "GRM",
        "kg" | "㎏" | "キロ" | "キログラム" => "KGM",
        "t" | "トン" => "TNE",
        "mm" | "㎜" => "MMT",
        "cm" | "㎝" => "CMT",
        "m" | "メートル" => "MTR",
        "km" | "㎞" => "KMT",
        "m2" | "m²" | "㎡" | "平米" => "MTK",
        "m3" | "m³" | "㎥" | "立米" => "MTQ",
        "ml" | "㎖" => "MLT",
        "l" | "ℓ" | "リットル" => "LTR",
        "kwh" => "KWH",
        _ => return None,
    })
}
