//! A film for a browser's camera: somebody holds a QR code up to it.

use std::io::Write;
use std::path::Path;

/// Size of the picture, in pixels.
const SIZE: (usize, usize) = (640, 480);
/// Pictures of the film; it runs again and again.
const PICTURES: usize = 10;
/// Sides of a dark square of the code, in pixels.
const DOT: usize = 7;
/// Luma of the paper, of the ink, and of the room around.
const PAPER: u8 = 235;
const INK: u8 = 16;
const ROOM: u8 = 120;

/// Writes the film, as YUV4MPEG2 (<https://wiki.multimedia.cx/index.php/YUV4MPEG2>), 4:2:0, 30 pictures a second.
pub fn write(file: &Path, text: &str) {
    let picture = picture(text);
    let mut film = format!("YUV4MPEG2 W{} H{} F30:1 Ip A1:1 C420mpeg2\n", SIZE.0, SIZE.1).into_bytes();
    for _ in 0..PICTURES {
        film.extend(b"FRAME\n");
        film.extend(&picture);
        film.extend(vec![128; SIZE.0 * SIZE.1 / 2]);
    }
    let mut out = std::fs::File::create(file).expect("the film can be written");
    out.write_all(&film).expect("the film can be written");
}

/// The luma of one picture: the code in the middle, with its quiet zone of four squares (ISO/IEC 18004).
fn picture(text: &str) -> Vec<u8> {
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).expect("short enough");
    let (squares, colors) = (code.width(), code.to_colors());
    let side = (squares + 8) * DOT;
    let mut luma = vec![ROOM; SIZE.0 * SIZE.1];
    let (left, top) = ((SIZE.0 - side) / 2, (SIZE.1 - side) / 2);
    for y in 0..side {
        for x in 0..side {
            let square = |at: usize| (at / DOT).checked_sub(4).filter(|at| *at < squares);
            let dark = square(x).zip(square(y)).is_some_and(|(x, y)| colors[y * squares + x] == qrcode::Color::Dark);
            luma[(top + y) * SIZE.0 + left + x] = if dark { INK } else { PAPER };
        }
    }
    luma
}
