//! The runner's own engine, for measurements from inside: the start of a component, and a program that runs like the
//! components' code.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use http::Request;
use http_body_util::BodyExt as _;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use warmline_runner::app::App;
use warmline_runner::engine;
use warmline_runner::handle::handle;
use warmline_runner::manifest::{self, Manifest};
use warmline_runner::problem::full;
use warmline_runner::up::Up;
use wasmtime::Store;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The most bytes that a program may write.
const OUTPUT: usize = 1 << 20;

/// Runs a program on an input, in a fresh instance, and returns its output.
pub(super) type Program = Box<dyn Fn(Vec<u8>) -> Result<Vec<u8>>>;

/// A component's start.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// Loading its compiled code.
    pub(super) load: Duration,
    /// From the first request to the end of its answer.
    pub(super) first: Duration,
    /// The same for the next request, which also has a fresh instance.
    pub(super) next: Duration,
    /// The first answer's body.
    pub(super) answer: String,
}

/// `warmline up` with its default settings.
#[derive(Parser)]
struct Ordinary {
    #[command(flatten)]
    up: Up,
}

fn ordinary(manifest: &Path, state: &Path) -> Result<Up> {
    let [manifest, state] = [manifest, state].map(Path::as_os_str);
    let line = [
        "up".as_ref(),
        "--durability".as_ref(),
        "normal".as_ref(),
        "--manifest".as_ref(),
        manifest,
        "--state".as_ref(),
        state,
    ];
    Ok(Ordinary::try_parse_from(line)?.up)
}

fn ordinary_engine() -> Result<wasmtime::Engine> {
    engine::engine(&ordinary(Path::new("spin.toml"), Path::new("state"))?.limits())
}

fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// The components of a manifest: id and file of each.
pub(super) fn components(manifest: &Path) -> Result<Vec<(String, PathBuf)>> {
    let manifest = Manifest::load(manifest)?;
    let file = |component: &manifest::Component| manifest.dir.join(component.source.path());
    Ok(manifest.component.iter().map(|(id, component)| (id.clone(), file(component))).collect())
}

/// The time of compiling a component.
pub(super) fn compile(wasm: &Path) -> Result<Duration> {
    let engine = ordinary_engine()?;
    let wasm = std::fs::read(wasm)?;
    let begun = Instant::now();
    Component::new(&engine, &wasm)?;
    Ok(begun.elapsed())
}

/// Starts one component of a manifest on a fresh engine, with its compiled code in the state's cache, and lets it answer a
/// path.
pub(super) fn start(manifest: &Path, state: &Path, component: &str, path: &str) -> Result<Start> {
    let up = ordinary(manifest, state)?;
    let mut manifest = Manifest::load(manifest)?;
    manifest.component.retain(|id, _| id == component);
    manifest.trigger.http.retain(|trigger| trigger.component == component);
    runtime()?.block_on(async {
        let (_running, stopping) = watch::channel(false);
        let (mut app, variables) = up.load(&manifest, stopping, None).await?;
        let written = manifest.component.get(component).with_context(|| format!("no component {component:?}"))?;
        let linker = engine::linker(&app.services.engine)?;
        let begun = Instant::now();
        let loaded = up.load_component(&manifest, &variables, &linker, &state.join("cache"), component, written)?;
        let load = begun.elapsed();
        let alone = Arc::get_mut(&mut app).context("the runner serves already")?;
        // It replaces the one that was loaded with the others, so that none of its code was ever touched.
        alone.components.insert(component.to_owned(), Arc::new(loaded));
        let (first, answer) = answer(&app, path).await?;
        let (next, _) = self::answer(&app, path).await?;
        Ok(Start { load, first, next, answer })
    })
}

/// Loads a program.
pub(super) fn program(wasm: &Path) -> Result<Program> {
    let engine = ordinary_engine()?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    let program = CommandPre::new(linker.instantiate_pre(&Component::from_file(&engine, wasm)?)?)?;
    let runtime = runtime()?;
    Ok(Box::new(move |input| runtime.block_on(run(&program, input))))
}

async fn answer(app: &Arc<App>, path: &str) -> Result<(Duration, String)> {
    let peer = SocketAddr::from(([127, 0, 0, 1], 9));
    let request = Request::post(format!("http://127.0.0.1{path}")).body(full(""))?;
    let begun = Instant::now();
    let response = handle(app, request, peer).await;
    let body = response.into_body().collect().await?.to_bytes();
    Ok((begun.elapsed(), String::from_utf8_lossy(&body).into_owned()))
}

/// The host's side of a program's instance.
struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

async fn run(program: &CommandPre<Host>, input: Vec<u8>) -> Result<Vec<u8>> {
    let (output, errors) = (MemoryOutputPipe::new(OUTPUT), MemoryOutputPipe::new(OUTPUT));
    let mut wasi = WasiCtx::builder();
    wasi.stdin(MemoryInputPipe::new(input)).stdout(output.clone()).stderr(errors.clone());
    let mut store = Store::new(program.engine(), Host { wasi: wasi.build(), table: ResourceTable::new() });
    // Its time is not limited, as nothing waits for it.
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = program.instantiate_async(&mut store).await?;
    let ended = instance.wasi_cli_run().call_run(&mut store).await?;
    ensure!(ended.is_ok(), "the program failed: {}", String::from_utf8_lossy(&errors.contents()));
    Ok(output.contents().to_vec())
}
