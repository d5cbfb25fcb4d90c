//! How many cases the property tests run.

use proptest::prelude::ProptestConfig;

/// The value of `PROPTEST_CASES` that proptest assumes if it is not set.
const USUAL: u32 = 256;

/// So many cases of a property that is slow, and as many times more as `PROPTEST_CASES` is above proptest's usual 256.
pub fn cases(usual: u32) -> ProptestConfig {
    ProptestConfig { cases: scaled(usual), ..ProptestConfig::default() }
}

/// So many of anything, and as many times more as `PROPTEST_CASES` is above proptest's usual 256.
pub fn scaled(usual: u32) -> u32 {
    (usual * ProptestConfig::default().cases).div_ceil(USUAL)
}
