//! The code that leads to the page where an issue can be checked.

use qrcode::{Color, EcLevel, QrCode};

/// More text than a code holds (about 2,300 bytes), or than its caption has room for.
#[derive(Debug)]
pub struct TooLong;

/// Rows of dark (`true`) and light squares, without the quiet zone. A seventh of it may be soiled (level M).
pub fn rows(text: &str) -> Result<Vec<Vec<bool>>, TooLong> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| TooLong)?;
    let width = code.width();
    Ok(code.to_colors().chunks(width).map(|row| row.iter().map(|c| *c == Color::Dark).collect()).collect())
}
