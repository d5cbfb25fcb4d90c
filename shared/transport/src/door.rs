//! The door of an account, below `/channels/<channel>/<account>`: it lets requests pass or refuses them. A refusal is
//! counted before it is answered, so that a client that then reads the metrics sees it.

use crate::host::{Environment as _, Host};
use crate::incoming::Unread;
use crate::strangers::Full;
use crate::{accounts, refused};
use warmline_channels::account_settings::RoutingSettings;
use warmline_channels::{Adapter, Refusal, Request as Webhook};
use warmline_endpoint::{Problem, Request};
use warmline_kernel::Ctx;
use warmline_model::{AccountId, Channel, Timestamp};

/// The account for which a request arrived.
pub(crate) struct Door<'h, H: Host, T> {
    pub(crate) host: &'h H,
    pub(crate) world: H::Environment,
    pub(crate) channel: Channel,
    pub(crate) id: AccountId,
    pub(crate) account: T,
    /// The router's part of the account's settings.
    pub(crate) routing: RoutingSettings,
    /// The time of the platform's last sign of life.
    heard_at: Option<Timestamp>,
    /// The kind of proof that verifies the channel's webhooks.
    pub(crate) proof: &'static str,
    /// The path below the account.
    pub(crate) rest: String,
}

impl<'h, H: Host, T> Door<'h, H, T> {
    pub(crate) fn open<A: Adapter<Account = T>>(host: &'h H, adapter: &A, request: &Request) -> Result<Self, Problem> {
        let mut parts = request.path.splitn(5, '/').skip(2);
        let named = parts.next();
        let id = parts.next().and_then(|a| AccountId::new(a).ok());
        let rest = parts.next().map(|r| format!("/{r}")).unwrap_or_default();
        let channel = Channel::new(adapter.capabilities().channel).map_err(|_| Problem::internal())?;
        let world = host.open()?;
        let proof = adapter.proof();
        let tell = |id: Option<&AccountId>, known, problem: Problem| {
            let (status, reason, ahead_secs) = (problem.status, problem.code, None);
            let told = refused::Webhook { channel: &channel, account: id, known, status, reason, ahead_secs, proof };
            note(host, &world.ctx(), &told);
            problem
        };
        let Some(id) = id.filter(|_| named == Some(channel.as_str())) else { return Err(tell(None, false, unknown())) };
        let Some(looked) = accounts::look(&world.ctx(), adapter, &channel, &id)? else {
            return Err(tell(Some(&id), false, unknown()));
        };
        if looked.standing.disabled_at.is_some() {
            return Err(tell(Some(&id), true, disabled()));
        }
        let Some(account) = looked.account else { return Err(tell(Some(&id), true, unfit())) };
        let (routing, heard_at) = (looked.routing, looked.standing.heard_at);
        Ok(Self { host, world, channel, id, account, routing, heard_at, proof, rest })
    }

    pub(crate) fn ctx(&self) -> Ctx<'_> {
        self.world.ctx()
    }

    pub(crate) fn webhook<'a>(&'a self, request: &'a Request) -> Webhook<'a> {
        Webhook {
            method: &request.method,
            rest: &self.rest,
            query: &request.query,
            headers: &request.headers,
            body: &request.body,
        }
    }

    /// Notes a sign of life of the platform: after the answer, at most once a minute. A failing store changes nothing
    /// else.
    pub(crate) fn heard(&self) {
        let _ = accounts::heard(&self.ctx(), &self.channel, &self.id, self.heard_at);
    }

    /// Counts a refused request. A failing store does not change the answer.
    pub(crate) fn refusal(&self, reason: Refusal) -> Problem {
        let ahead_secs = match reason {
            Refusal::Stale(ahead) => Some(ahead),
            _ => None,
        };
        self.note(Problem::from(reason), ahead_secs)
    }

    /// Counts a stranger for whom there is no room.
    pub(crate) fn too_many(&self, full: Full) -> Problem {
        let detail = match full {
            Full::Sessions(_) => "too many visitors began a chat in this minute; begin one after the time in Retry-After",
            Full::Waiting => "too many visitors wait for somebody; write again after the time in Retry-After",
        };
        let problem = Problem::new(429, full.code(), detail);
        self.note(Problem { retry_after: Some(full.retry_after()), ..problem }, None)
    }

    fn note(&self, problem: Problem, ahead_secs: Option<i64>) -> Problem {
        let webhook = refused::Webhook {
            channel: &self.channel,
            account: Some(&self.id),
            known: true,
            status: problem.status,
            reason: problem.code,
            ahead_secs,
            proof: self.proof,
        };
        note(self.host, &self.ctx(), &webhook);
        problem
    }
}

/// Counts and logs a webhook that was refused before it was read.
pub(crate) fn not_read<A: Adapter>(host: &impl Host, adapter: &A, Unread { path, problem }: Unread) -> Problem {
    let mut parts = path.splitn(5, '/').skip(1);
    let (Some("channels"), Some(named), Some(id)) = (parts.next(), parts.next(), parts.next()) else { return problem };
    let (Ok(channel), Ok(id)) = (Channel::new(named), AccountId::new(id)) else { return problem };
    if let Ok(world) = host.open()
        && let Ok(looked) = accounts::look(&world.ctx(), adapter, &channel, &id)
    {
        let (status, reason, proof) = (problem.status, problem.code, adapter.proof());
        let (account, known) = (Some(&id), looked.is_some());
        let told = refused::Webhook { channel: &channel, account, known, status, reason, ahead_secs: None, proof };
        note(host, &world.ctx(), &told);
    }
    problem
}

fn unknown() -> Problem {
    let detail = "no account of that name is connected on this channel; compare the address with the accounts that are \
                  (`GET /api/accounts`)";
    Problem::new(404, "unknown_account", detail)
}

fn disabled() -> Problem {
    Problem::new(403, "account_disabled", "this account is disabled; it takes nothing until an administrator enables it")
}

fn unfit() -> Problem {
    let detail = "the account's stored settings or secrets do not fit this version; store them anew \
                  (`PUT /api/accounts/{channel}/{account}` says which)";
    Problem::new(503, "account_unfit", detail)
}

/// Counts a refused webhook. It logs the webhook unless this minute has its lines already.
fn note(host: &impl Host, ctx: &Ctx<'_>, webhook: &refused::Webhook<'_>) {
    if let Ok(Some(line)) = refused::note(ctx, webhook) {
        host.log(&line);
    }
}
