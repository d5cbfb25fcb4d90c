//! The three `fermyon:spin` interfaces of `wit/spin.wit` as Rust traits.

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
        with: {
            "fermyon:spin/sqlite.connection": crate::guest_sqlite::GuestConnection,
            "fermyon:spin/key-value.store": crate::guest_kv::GuestStore,
        },
        require_store_data_send: true,
    });
}

pub use generated::fermyon::spin::{key_value, sqlite, variables};
