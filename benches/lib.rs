//! Measurements: programs in `benches/bin`.
