//! The host's side of one instance, and the WASI that the instance sees.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::bindings::variables;
use crate::chain::Chain;
use crate::grants::Grants;
use crate::logs::GuestOutput;
use crate::manifest::is_variable_name;
use crate::outbound::Hooks;
use crate::services::Services;
use crate::vitals::Vitals;

/// The state of one instance.
pub struct Guest {
    /// The services that it uses.
    pub services: Arc<Services>,
    /// The grants of its component.
    pub grants: Arc<Grants>,
    /// The host's side of the guest's handles.
    pub table: ResourceTable,
    /// Open SQLite connections.
    pub connections: usize,
    /// Whether it serves a chained call. Such a call can wait while requests from outside pile up.
    pub chained: bool,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    vitals: Arc<Vitals>,
    /// Ticks during which this guest ran.
    ran: u64,
    born: u64,
}

impl Guest {
    /// Makes a store for a new instance of a component with these grants. Its calls to other components go through `chain`.
    pub fn store(
        services: &Arc<Services>,
        chain: Arc<dyn Chain>,
        grants: &Arc<Grants>,
        vitals: Arc<Vitals>,
        chained: bool,
    ) -> Store<Self> {
        let mut wasi = WasiCtx::builder();
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(grants.allowed_hosts.any());
        wasi.stdout(GuestOutput::new(&grants.id, "stdout"));
        wasi.stderr(GuestOutput::new(&grants.id, "stderr"));
        for (name, value) in &grants.environment {
            wasi.env(name, value);
        }
        let guest = Self {
            services: Arc::clone(services),
            grants: Arc::clone(grants),
            table: ResourceTable::new(),
            connections: 0,
            chained,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks::new(services, chain, grants, &vitals),
            vitals,
            ran: 0,
            born: services.ticker.now(),
        };
        let mut store = Store::new(&services.engine, guest);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| {
            context.data_mut().count_tick()?;
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }

    /// Counts the ticks since the guest was last entered. Fails when the guest has used up its time. A guest that lives
    /// long, such as an event stream, earns a twentieth of its lifetime on top.
    fn count_tick(&mut self) -> wasmtime::Result<()> {
        let now = self.services.ticker.now();
        let since = self.vitals.reenter(now);
        self.ran += now.saturating_sub(since);
        let allowed = self.services.limits.cpu_ticks + now.saturating_sub(self.born) / 20;
        if self.ran > allowed {
            wasmtime::bail!("the component used up its CPU time");
        }
        Ok(())
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

impl variables::Host for Guest {
    fn get(&mut self, name: String) -> wasmtime::Result<Result<String, variables::Error>> {
        Ok(match self.grants.variables.get(&name) {
            Some(value) => Ok(value.clone()),
            None if is_variable_name(&name) => Err(variables::Error::Undefined(name)),
            None => Err(variables::Error::InvalidName(name)),
        })
    }
}
