//! Tests with a small store.

use super::*;
use std::cell::Cell;
use warmline_model::{EventBody, Rng};
use warmline_privacy::{Keyring, Masters};
use warmline_store::native::NativeDb;
use warmline_store::{Db as _, events, meta, migrate, vault};

const MASTER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

struct Counted(Cell<u8>);

impl Rng for Counted {
    fn fill(&self, out: &mut [u8]) {
        self.0.set(self.0.get().wrapping_add(1));
        out.fill(self.0.get());
    }
}

/// The files of a server that has started once.
fn state(folder: &Path) -> PathBuf {
    let state = folder.join("state");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::create_dir_all(folder.join("state-keys")).unwrap();
    let db = NativeDb::open(&state.join("sqlite.db")).unwrap();
    migrate(&db).unwrap();
    vault::prepare(&NativeDb::open(&folder.join("state-keys").join("keys.db")).unwrap()).unwrap();
    let rng = Counted(Cell::new(0));
    let keys = Keyring::create(Masters::from_base64(MASTER, "").unwrap(), None, &rng).unwrap();
    meta::get_or_put(&db, warmline_kernel::keys::ROOT, &keys.store(&rng).unwrap()).unwrap();
    std::fs::write(state.join("secrets.env"), format!("SPIN_VARIABLE_MASTER_KEY={MASTER}\n")).unwrap();
    state
}

#[test]
fn every_message_is_in_a_conversation_and_in_the_log_and_none_is_readable_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let state = state(folder.path());
    let span = Span::before(1_700_000_000_000, 3 * DAY_MS);
    assert_eq!(fill(&state, 1_100, 40, span).unwrap(), 1_100);
    let db = NativeDb::open(&state.join("sqlite.db")).unwrap();
    let count = |sql| db.execute(sql, &[]).unwrap()[0].int(0).unwrap();
    assert_eq!(count("SELECT count(*) FROM messages"), 1_100);
    assert_eq!(count("SELECT count(*) FROM conversations"), 40);
    let mut received = 0;
    let mut after = 0;
    loop {
        let page = events::after(&db, after, 500).unwrap();
        let Some(last) = page.last() else { break };
        after = last.seq;
        received += page.iter().filter(|event| matches!(event.body, EventBody::MessageReceived { .. })).count();
    }
    assert_eq!(received, 1_100);
    let file = std::fs::read(state.join("sqlite.db")).unwrap();
    assert!(!file.windows("发货".len()).any(|part| part == "发货".as_bytes()));
    let other = Span::before(span.to + 1, DAY_MS);
    assert_eq!(fill(&state, 10, 40, other).unwrap(), 10);
    assert_eq!(count("SELECT count(*) FROM messages"), 1_110);
}

#[test]
fn messages_are_spread_over_the_time() {
    let span = Span::before(1_000, 100);
    assert_eq!([0, 5, 10].map(|number| span.at(number, 10)), [900, 950, 1_000]);
}
