//! The composition root.

pub mod assets;
pub mod locale;
pub mod page;
