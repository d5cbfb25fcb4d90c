//! The ground of every measurement: a server with a fresh state, one WeChat account, a group, and enough agents.

use super::Bench;
use anyhow::Result;
use warmline_client::Api;
use warmline_simulate::channels::platform_server::PlatformServer;
use warmline_simulate::channels::wechat::Wechat;
use warmline_simulate::fixture::seed;
use warmline_simulate::server::{Server, ServerOptions};

/// A server ready to be measured.
pub struct Fixture {
    /// The server.
    pub server: Server,
    /// Its API, as administrator.
    pub api: Api,
    /// The platform for its replies. It must exist as long as the server.
    _platform: PlatformServer,
}

impl Fixture {
    /// Starts a server and adds agents for this many conversations at a time.
    ///
    /// # Errors
    /// The server does not start or refuses the seed.
    pub(super) fn make(bench: &Bench<'_>, options: &ServerOptions, conversations: i64) -> Result<Self> {
        let platform = PlatformServer::start(Box::new(Wechat::of_any_app()))?;
        let options = ServerOptions { platform: Some(platform.url()), ..options.clone() };
        let server = bench.start(&options)?;
        let api = Api::new(&server.url(), &server.admin_token()?);
        bench.runtime.block_on(seed(&api, &platform.url(), conversations, bench.args.capacity, false))?;
        Ok(Self { server, api, _platform: platform })
    }
}
