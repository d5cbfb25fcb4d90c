//! A page of a mini program, sent as a card. Warmline carries it as a link with an address of its own form:
//! `miniprogram://<app id>/<page path>#<media id of the cover>`. A received card can therefore be sent back unchanged.

use std::fmt;

const SCHEME: &str = "miniprogram://";

/// The three parts that a card names besides its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page<'a> {
    pub(crate) app_id: &'a str,
    /// The path inside the mini program, with its query.
    pub(crate) path: &'a str,
    /// Media id of the cover picture; empty if there is none.
    pub(crate) cover: &'a str,
}

impl<'a> Page<'a> {
    /// Reads such an address; `None` if it is another one.
    pub(crate) fn read(url: &'a str) -> Option<Self> {
        let (app_id, rest) = url.strip_prefix(SCHEME)?.split_once('/')?;
        let (path, cover) = rest.rsplit_once('#').unwrap_or((rest, ""));
        (!app_id.is_empty() && !path.is_empty()).then_some(Self { app_id, path, cover })
    }
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.app_id, self.path)?;
        // The last # belongs to the cover, so a path with a # of its own needs another one at its end.
        if self.cover.is_empty() && !self.path.contains('#') { Ok(()) } else { write!(f, "#{}", self.cover) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses() {
        let page = Page { app_id: "wx1", path: "pages/a?b=1", cover: "M" };
        assert_eq!(page.to_string(), "miniprogram://wx1/pages/a?b=1#M");
        assert_eq!(Page { cover: "", ..page }.to_string(), "miniprogram://wx1/pages/a?b=1");
        for other in ["https://x/y", "miniprogram://", "miniprogram://wx1", "miniprogram://wx1/", "miniprogram:///p", ""] {
            assert_eq!(Page::read(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(app_id in "[a-z0-9]{1,18}", path in "[^\\x00]{1,40}", cover in "[A-Za-z0-9_-]{0,20}") {
            let page = Page { app_id: &app_id, path: &path, cover: &cover };
            let url = page.to_string();
            prop_assert_eq!(Page::read(&url), Some(page));
        }
    }
}
