//! The keys of the store, opened with the master keys of the configuration.

use crate::world::{Environment, MASTER};
use warmline_privacy::Masters;
use warmline_transport::keyring::{masters, open};

const OTHER: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

#[test]
fn the_first_request_makes_the_keys_of_a_store_and_later_ones_open_the_same() {
    let w = Environment::new();
    let again = open(&w.0.db, None, Masters::from_base64(MASTER, "").unwrap(), &w.0.rng).unwrap_or_else(|p| panic!("{p:?}"));
    let name = |keys: &warmline_privacy::Keyring| keys.index().of("test", &["x"]);
    assert_eq!(name(&again), name(&w.0.keys));
    let refused = open(&w.0.db, None, Masters::from_base64(OTHER, "").unwrap(), &w.0.rng).err().unwrap();
    assert_eq!((refused.status, refused.code), (503, "wrong_master_key"));
}

#[test]
fn a_master_key_that_is_missing_is_said_to_be_missing() {
    let w = Environment::new();
    w.0.variables.borrow_mut().remove("master_key");
    let refused = masters(&w).err().unwrap();
    assert_eq!((refused.status, refused.code), (503, "no_master_key"));
}
