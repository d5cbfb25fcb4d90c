//! The three `fermyon:spin` interfaces of `wit/spin.wit` as Rust traits. What a guest holds lies in its table under the
//! number of the handle; the handles here know nothing of it.

/// What `bindgen!` generates; named only through the re-exports below.
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
