//! Stylesheets, scripts and icons: embedded, served under names that carry their hash, so that a browser may keep them
//! for ever and a new release is seen at once.
//!
//! Invariant: a path is served only with the hash of the bytes that this build embeds.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

/// Hex digits of the SHA-256 that a name carries.
const HASH_DIGITS: usize = 16;
/// A year: the longest that caches honour.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// One file as it is served.
struct Asset {
    media_type: &'static str,
    bytes: Vec<u8>,
}

/// All files; built once.
pub struct Assets {
    /// `app.css` → `/assets/app.<hash>.css`.
    paths: BTreeMap<String, String>,
    /// `app.<hash>.css` → the file.
    files: BTreeMap<String, Asset>,
}

impl Assets {
    /// Reads and hashes the embedded files.
    pub fn new() -> Assets {
        let mut assets = Assets { paths: BTreeMap::new(), files: BTreeMap::new() };
        for name in Files::iter().filter(|name| !media_type(name).is_empty()) {
            let bytes = Files::get(&name).expect("the name was listed").data.into_owned();
            let (stem, extension) = name.rsplit_once('.').expect("a name with a media type has an extension");
            let hash = &hex::encode(Sha256::digest(&bytes))[..HASH_DIGITS];
            let hashed = format!("{stem}.{hash}.{extension}");
            assets.paths.insert(name.to_string(), format!("/assets/{hashed}"));
            assets.files.insert(hashed, Asset { media_type: media_type(&name), bytes });
        }
        assets
    }

    /// Where the file with this name is served; `None` if there is no such file.
    pub fn path(&self, name: &str) -> Option<&str> {
        self.paths.get(name).map(String::as_str)
    }

    /// The answer to `GET /assets/{hashed}`: the file, or 404.
    pub fn serve(&self, hashed: &str) -> Response {
        match self.files.get(hashed) {
            None => StatusCode::NOT_FOUND.into_response(),
            Some(asset) => {
                let headers = [(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, IMMUTABLE)];
                (headers, asset.bytes.clone()).into_response()
            }
        }
    }
}

impl Default for Assets {
    fn default() -> Self {
        Assets::new()
    }
}

/// What a browser is told; `nosniff` makes it believe it. Empty: not a file to serve (licences, notes).
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_served_under_its_hash_and_under_nothing_else() {
        let assets = Assets::new();
        let path = assets.path("app.css").expect("the stylesheet is embedded");
        let answer = assets.serve(path.strip_prefix("/assets/").expect("served under /assets/"));
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], IMMUTABLE);
        for other in ["app.css", "app.0000000000000000.css", "README.md", "../Cargo.toml", ""] {
            assert_eq!(assets.serve(other).status(), StatusCode::NOT_FOUND, "{other}");
        }
        assert_eq!(assets.path("README.md"), None);
    }
}
