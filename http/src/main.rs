//! keiin
fn main() {}
