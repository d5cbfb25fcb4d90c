//! What one instance of a component holds on the host's side, and the WASI it sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmtime::component::ResourceTable;
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::app::{App, Component};
use crate::bindings::variables;
use crate::logs::GuestOutput;
use crate::manifest::is_variable_name;
use crate::outbound::Hooks;

/// The state of one instance.
pub struct Guest {
    /// The runner.
    pub app: Arc<App>,
    /// The component it is an instance of.
    pub component: Arc<Component>,
    /// The host's side of the guest's handles.
    pub table: ResourceTable,
    /// Open SQLite connections.
    pub connections: usize,
    /// Whether it serves a chained call, which can wait while requests from outside pile up.
    pub chained: bool,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    vitals: Arc<Vitals>,
    /// Ticks during which this guest ran.
    ran: u64,
    born: u64,
}

/// What the guest and the future that runs it tell each other.
#[derive(Default)]
pub struct Vitals {
    /// The tick at which the guest last began to run, so that waiting is not counted as running.
    entered: AtomicU64,
    doomed: AtomicBool,
}

impl Vitals {
    /// To be called before each poll of the guest's future.
    pub fn enter(&self, tick: u64) {
        self.entered.store(tick, Ordering::Relaxed);
    }

    /// Ends the guest, as a trap would, at the next point where it waits.
    pub fn doom(&self) {
        self.doomed.store(true, Ordering::Relaxed);
    }

    /// Whether the guest is to be ended.
    pub fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::Relaxed)
    }
}

impl Guest {
    /// A store for a fresh instance of `component`.
    pub fn store(app: &Arc<App>, component: &Arc<Component>, vitals: Arc<Vitals>, chained: bool) -> Store<Self> {
        let mut wasi = WasiCtx::builder();
        wasi.allow_tcp(false).allow_udp(false);
        wasi.stdout(GuestOutput::new(&component.id, "stdout"));
        wasi.stderr(GuestOutput::new(&component.id, "stderr"));
        for (name, value) in &component.environment {
            wasi.env(name, value);
        }
        let guest = Self {
            app: Arc::clone(app),
            component: Arc::clone(component),
            table: ResourceTable::new(),
            connections: 0,
            chained,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks: Hooks::new(app, component, &vitals),
            vitals,
            ran: 0,
            born: app.ticker.now(),
        };
        let mut store = Store::new(&app.engine, guest);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| {
            context.data_mut().count_tick()?;
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }

    /// Counts the ticks since the guest was last entered; an error when it has used its time up. A guest that lives
    /// long, such as an event stream, earns a twentieth of its lifetime on top.
    fn count_tick(&mut self) -> wasmtime::Result<()> {
        let now = self.app.ticker.now();
        let since = self.vitals.entered.swap(now, Ordering::Relaxed);
        self.ran += now.saturating_sub(since);
        let allowed = self.app.limits.cpu_ticks + now.saturating_sub(self.born) / 20;
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
        Ok(match self.component.variables.get(&name) {
            Some(value) => Ok(value.clone()),
            None if is_variable_name(&name) => Err(variables::Error::Undefined(name)),
            None => Err(variables::Error::InvalidName(name)),
        })
    }
}
