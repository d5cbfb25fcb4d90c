//! `cargo xtask docs`: writes the table of capabilities into docs/CHANNELS.md.

use std::process::ExitCode;
use warmline_channels::manifest;

fn main() -> ExitCode {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CHANNELS.md");
    let renewed = match std::fs::read_to_string(PATH) {
        Ok(document) => manifest::renew(&document),
        Err(error) => {
            eprintln!("error: cannot read docs/CHANNELS.md: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Some(document) = renewed else {
        eprintln!("error: docs/CHANNELS.md has lost the marks between which the table stands");
        return ExitCode::FAILURE;
    };
    if let Err(error) = std::fs::write(PATH, document) {
        eprintln!("error: cannot write docs/CHANNELS.md: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
