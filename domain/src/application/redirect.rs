//! Where a browser may be sent with a code in its address: only to what names one place and nothing that could mean another.

/// Longest redirect URI, in bytes.
const MAX: usize = 500;

/// May this be a redirect URI? `https://host…`, `http` on this machine itself (127.0.0.1, [::1], localhost: for programs on
/// the desk), or an app's own scheme with a dot in it (`com.example.app:/done`, RFC 8252 7.1). No user info, fragment,
/// wildcard, dot segments, back-slashes, escapes of the path's separators, or anything but visible ASCII.
pub fn is_redirect_uri(uri: &str) -> bool {
    let visible = uri.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'*' | b'"' | b'<' | b'>'));
    if uri.len() > MAX || !visible || has_odd_escape(uri) {
        return false;
    }
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let path_of = |rest: &str| rest.split('?').next().unwrap_or("").to_owned();
    let plain = |path: &str| !path.split('/').any(|segment| matches!(segment, "." | ".."));
    match scheme {
        "https" | "http" => {
            let Some(rest) = rest.strip_prefix("//") else { return false };
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, rest) = rest.split_at(end);
            let Some(host) = host_of(authority) else { return false };
            let is_here = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
            (scheme == "https" || is_here) && plain(&path_of(rest))
        }
        _ => is_app_scheme(scheme) && rest.len() > 1 && !rest.starts_with("//") && plain(&path_of(rest)),
    }
}

/// The host of an authority that is a host in lower case and perhaps a port.
fn host_of(authority: &str) -> Option<&str> {
    if authority.starts_with('[') {
        let (host, port) = authority.split_once(']')?;
        let address = host.strip_prefix('[')?.parse::<std::net::Ipv6Addr>().is_ok();
        return (address && is_port(port)).then(|| &authority[..host.len() + 1]);
    }
    let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    (host.len() <= 253 && host.split('.').all(label) && is_port(port)).then_some(host)
}

/// Nothing, or a colon and a number.
fn is_port(text: &str) -> bool {
    let number = text.strip_prefix(':').map(|port| (port.parse::<u16>(), port.starts_with(['0', '+'])));
    text.is_empty() || matches!(number, Some((Ok(_), false)))
}

/// `com.example.app`, in lower case.
fn is_app_scheme(scheme: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
    scheme.contains('.') && scheme.starts_with(|c: char| c.is_ascii_lowercase()) && scheme.bytes().all(allowed)
}

/// An escape that is none, or one of what separates (`/`, `\`, `.`) or cannot be seen.
fn has_odd_escape(uri: &str) -> bool {
    uri.match_indices('%').any(|(at, _)| {
        let byte = uri.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_none_or(|byte| byte < 0x20 || matches!(byte, b'/' | b'\\' | b'.' | 0x7f))
    })
}

#[cfg(test)]
mod tests {
    use super::is_redirect_uri;

    #[test]
    fn one_place_and_nothing_that_could_mean_another() {
        for good in [
            "https://app.example/cb",
            "https://app.example",
            "https://app.example:8443/cb?x=1&y=%20",
            "http://127.0.0.1:49152/cb",
            "http://[::1]:1/cb",
            "http://localhost/cb",
            "com.example.app:/done",
        ] {
            assert!(is_redirect_uri(good), "{good}");
        }
        for bad in [
            "",
            "https",
            "https:",
            "https://",
            "https:///cb",
            "https:/app.example/cb",
            "//app.example/cb",
            "/cb",
            "http://app.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.2/cb",
            "https://me@app.example/cb",
            "https://me:pw@app.example/cb",
            "https://app.example@evil.example/cb",
            "https://app.example/cb#x",
            "https://app.example/cb#",
            "https://app.example/../cb",
            "https://app.example/a/./cb",
            "https://app.example/%2e%2e/cb",
            "https://app.example/a%2fb",
            "https://app.example\\@evil.example",
            "https://*.app.example/cb",
            "https://App.example/cb",
            "HTTPS://app.example/cb",
            "https://app.example:/cb",
            "https://app.example:0443/cb",
            "https://app.example:99999/cb",
            "https://app.example/a b",
            "https://app.example/\u{e9}",
            "https://アプリ.example/cb",
            "https://app.example/%zz",
            "https://app.example/%0d%0aX: y",
            "https://-a.example/cb",
            "https://a..example/cb",
            "https://[::1/cb",
            "https://[nonsense]/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "app:/cb",
            "com.example.app:",
            "com.example.app://host/cb",
            "com.example.app:/a/../b",
            "file:///etc/passwd",
            "com_example.app:/x",
        ] {
            assert!(!is_redirect_uri(bad), "{bad}");
        }
        assert!(!is_redirect_uri(&format!("https://app.example/{}", "a".repeat(500))));
    }
}
