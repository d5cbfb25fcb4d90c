//! `cargo xtask docs`: writes the description of the API into shared/api/openapi.json, from which its bytes are made when the crate is
//! built.

use std::process::ExitCode;

fn main() -> ExitCode {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let written = std::fs::write(PATH, warmline_api::openapi::committed());
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write shared/api/openapi.json: {error}");
            ExitCode::FAILURE
        }
    }
}
