//! The grants of a component: everything that its instances see of the application.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::hosts::AllowedHosts;

/// A component's grants.
pub struct Grants {
    /// Its id in the manifest.
    pub id: Arc<str>,
    /// Its variables.
    pub variables: BTreeMap<String, String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// The stores it may open.
    pub key_value_stores: BTreeSet<String>,
    /// The databases it may open.
    pub sqlite_databases: BTreeSet<String>,
    /// The hosts it may call.
    pub allowed_hosts: AllowedHosts,
}
