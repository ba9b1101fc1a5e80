//! QR codes as pictures for mails, whose readers show no SVG: PNG (ISO/IEC 15948), one bit a pixel.

use std::io::Write;

use flate2::Compression;
use flate2::Crc;
use flate2::write::ZlibEncoder;
use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode};

/// Pixels a module.
const SCALE: usize = 6;
/// Modules of white around it (ISO/IEC 18004 wants four).
const QUIET: usize = 4;

/// A text as a QR code. The error says that it is too long for one.
pub fn qr(text: &str) -> Result<Vec<u8>, QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
    let (width, colors) = (code.width(), code.to_colors());
    let side = (width + 2 * QUIET) * SCALE;
    let is_dark = |x: usize, y: usize| {
        let module = |at: usize| (at / SCALE).checked_sub(QUIET).filter(|at| *at < width);
        module(x).zip(module(y)).is_some_and(|(x, y)| colors[y * width + x] == Color::Dark)
    };
    let mut rows = vec![];
    for y in 0..side {
        // Filter 0: as it is.
        rows.push(0);
        let bit = |x: usize| x < side && !is_dark(x, y);
        rows.extend((0..side).step_by(8).map(|x| (0..8).fold(0, |byte, n| byte << 1 | u8::from(bit(x + n)))));
    }
    let side = (side as u32).to_be_bytes();
    // One bit of grey, no palette, no interlace.
    let head = [&side[..], &side[..], &[1, 0, 0, 0, 0]].concat();
    let signature = b"\x89PNG\r\n\x1a\n".to_vec();
    Ok([signature, chunk(b"IHDR", &head), chunk(b"IDAT", &deflated(&rows)), chunk(b"IEND", &[])].concat())
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

fn deflated(rows: &[u8]) -> Vec<u8> {
    let mut out = ZlibEncoder::new(vec![], Compression::default());
    out.write_all(rows).and_then(|()| out.finish()).expect("memory takes everything")
}
