//! The three `fermyon:spin` interfaces of `wit/spin.wit` as Rust traits. A guest's objects are in its table under the
//! number of their handle. The handles here know nothing of them.

/// The output of `bindgen!`. It is named only through the re-exports below.
#[expect(missing_docs, reason = "generated from the WIT file, which is documented")]
mod generated {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "imports",
        imports: {
            "fermyon:spin/variables.get": trappable,
            default: async | trappable,
        },
        require_store_data_send: true,
    });
}

pub use generated::fermyon::spin::{key_value, sqlite, variables};
