//! Log lines about requests that reach no component. Without them, an administrator who connects a platform with a wrong
//! address, or whose bodies are too large, would see nothing at all.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The most lines in one minute, one for each address and reason.
const MOST: usize = 64;

/// The lines of this minute.
pub struct Told {
    since: Instant,
    lines: Mutex<(u64, HashSet<(String, &'static str)>)>,
}

impl Default for Told {
    fn default() -> Self {
        Self { since: Instant::now(), lines: Mutex::default() }
    }
}

impl Told {
    /// Writes a line, once a minute for each address and reason.
    pub fn refused(&self, path: &str, reason: &'static str) {
        let address = shown(path);
        if self.is_new(self.since.elapsed().as_secs() / 60, &address, reason) {
            tracing::info!(address, reason, "refused before any component was asked");
        }
    }

    fn is_new(&self, minute: u64, address: &str, reason: &'static str) -> bool {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.0 != minute {
            *lines = (minute, HashSet::new());
        }
        lines.1.len() < MOST && lines.1.insert((address.to_owned(), reason))
    }
}

/// The beginning of a path: channel and account. The rest may be a secret. Parts that are not valid names are left out.
fn shown(path: &str) -> String {
    let is_name = |part: &&str| {
        (1..=40).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    let parts: Vec<&str> = path.split('/').skip(1).take(3).take_while(is_name).collect();
    let more = path.split('/').skip(1).count() > parts.len();
    let mut shown: String = parts.iter().map(|part| format!("/{part}")).collect();
    if more {
        shown.push_str("/…");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcomer_one_line_a_minute_and_nothing_secret() {
        assert_eq!(shown("/channel/wechat/main"), "/channel/wechat/main");
        assert_eq!(shown("/channels/email/main/the-secret-token"), "/channels/email/main/…");
        assert_eq!(shown("/channels/%E4%BD%A0/x"), "/channels/…");
        assert_eq!(shown("/"), "/…");
        let told = Told::default();
        assert!(told.is_new(0, "/a", "not_found") && !told.is_new(0, "/a", "not_found"));
        assert!(told.is_new(0, "/a", "body_too_large") && told.is_new(1, "/a", "not_found"));
        let lines = (0..200).filter(|n| told.is_new(2, &format!("/{n}"), "not_found")).count();
        assert_eq!(lines, MOST);
    }
}
