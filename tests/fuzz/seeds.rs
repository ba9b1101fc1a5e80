//! Writes the good bytes that every target begins with: `tests/fuzz/corpus/<target>/seed-<n>`. An example of `keiin-tests`,
//! because a program without the fuzzer in it cannot be linked as cargo-fuzz builds its own.

use keiin_tests::decoders::{TARGETS, seeds};

fn main() -> std::io::Result<()> {
    for (name, _) in TARGETS {
        let folder = keiin_tests::root().join("tests/fuzz/corpus").join(name);
        std::fs::create_dir_all(&folder)?;
        for (n, seed) in seeds(name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n:03}")), seed)?;
        }
    }
    Ok(())
}
