//! `keiin`: see [`keiin::cli`].

fn main() -> std::process::ExitCode {
    keiin::cli::main().into()
}
