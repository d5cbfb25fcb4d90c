//! `cargo xtask docs`: writes the description of the API into shared/app/openapi.json, from which the build makes the
//! served bytes, and the table of calls into docs/API.md.

use std::process::ExitCode;
use warmline_app::openapi;

fn main() -> ExitCode {
    const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/API.md");
    if let Err(error) = std::fs::write(DESCRIPTION, openapi::committed()) {
        eprintln!("error: cannot write shared/app/openapi.json: {error}");
        return ExitCode::FAILURE;
    }
    let renewed = std::fs::read_to_string(PAGE).map(|page| openapi::renew(&page));
    let written = match renewed {
        Ok(Some(page)) => std::fs::write(PAGE, page),
        Ok(None) => {
            eprintln!("error: docs/API.md has lost the marks between which the table of calls stands");
            return ExitCode::FAILURE;
        }
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write docs/API.md: {error}");
            ExitCode::FAILURE
        }
    }
}
