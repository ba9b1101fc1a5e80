//! Names become JSON, and only our own paths are gone to.

use super::fields::MAX_DEPTH;
use super::*;

#[test]
fn a_name_has_an_end() {
    let field = |depth: usize| vec![(format!("x{}", ".x".repeat(depth - 1)), "1".to_owned())];
    assert!(nested(&field(MAX_DEPTH)).is_ok());
    assert_eq!(nested(&field(MAX_DEPTH + 1)).unwrap_err().code, "request.bad_field");
    assert!(nested(&field(100_000)).is_err());
}

#[test]
fn forms_become_the_json_of_the_api() {
    let fields = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    };
    let json = nested(&fields(&[
        ("_key", "x"),
        ("title", "11月分"),
        ("note", ""),
        ("lines.0.description", "部品"),
        ("lines.0.quantity", "2"),
        ("lines.3.description", "送料"),
        ("lines.4.description", ""),
        ("expires_in_days:int", "7"),
        ("tax:bool", "true"),
    ]));
    let wanted = json!({
        "title": "11月分", "expires_in_days": 7, "tax": true,
        "lines": [{ "description": "部品", "quantity": "2" }, { "description": "送料" }],
    });
    assert_eq!(json.unwrap(), wanted);
    assert!(nested(&fields(&[("a", "1"), ("a.b", "2")])).is_err());
    assert!(nested(&fields(&[("a:int", "x")])).is_err());
}

#[test]
fn only_our_own_paths_are_gone_to() {
    for good in ["/", "/documents/1?x=2"] {
        assert!(is_local(good), "{good}");
    }
    for bad in ["", "documents", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb"] {
        assert!(!is_local(bad), "{bad}");
    }
}
