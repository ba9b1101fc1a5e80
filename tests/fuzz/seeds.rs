//! Writes the good bytes that every target begins with: `corpus/<target>/seed-<n>`.

use keiin_tests::decoders::{TARGETS, seeds};

fn main() -> std::io::Result<()> {
    for (name, _) in TARGETS {
        let folder = std::path::Path::new("corpus").join(name);
        std::fs::create_dir_all(&folder)?;
        for (n, seed) in seeds(name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{n:03}")), seed)?;
        }
    }
    Ok(())
}
