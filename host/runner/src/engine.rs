//! The Wasm engine and the compiled components, kept on disk between starts.

use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::bindings::{key_value, sqlite, variables};
use crate::guest::Guest;
use crate::limits::Limits;

/// An engine with room for the instances that `limits` allows, requests from outside and chained calls.
pub fn engine(limits: &Limits) -> anyhow::Result<Engine> {
    let instances = u32::try_from(limits.instances)?.saturating_mul(2).saturating_add(8);
    let scan = PoolingAllocationConfig::is_pagemap_scan_available();
    let mut pool = PoolingAllocationConfig::new();
    // A component of wit-component is a main module and two small ones that connect it.
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(4))
        .total_stacks(instances)
        .max_memory_size(limits.memory)
        .table_elements(20_000)
        .max_core_instance_size(1 << 20)
        .max_component_instance_size(1 << 20)
        // Used memory is reset by copying the pages that were written, found by one system call (Linux 6.7),
        // instead of unmapping it, which costs page faults and interrupts every core. Elsewhere unmapping is cheaper.
        .linear_memory_keep_resident(if scan { 512 << 10 } else { 0 })
        .table_keep_resident(if scan { 16 << 10 } else { 0 })
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(32);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_simd(true)
        .epoch_interruption(true)
        .wasm_backtrace_max_frames(None)
        .concurrency_support(false)
        .async_stack_size(1 << 20)
        .max_wasm_stack(512 << 10);
    Engine::new(&config).map_err(anyhow::Error::from).context("cannot set up the Wasm engine (too little address space?)")
}

/// Everything a component may import.
pub fn linker(engine: &Engine) -> anyhow::Result<Linker<Guest>> {
    type Own = wasmtime::component::HasSelf<Guest>;
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    sqlite::add_to_linker::<_, Own>(&mut linker, |guest| guest)?;
    key_value::add_to_linker::<_, Own>(&mut linker, |guest| guest)?;
    variables::add_to_linker::<_, Own>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// Loads a component, from the cache if it was compiled before, and links it.
pub fn load(linker: &Linker<Guest>, id: &str, path: &Path, cache: &Path) -> anyhow::Result<ProxyPre<Guest>> {
    let engine = linker.engine();
    let wasm = std::fs::read(path).with_context(|| {
        format!("component {id:?}: cannot read {} (build the components with `cargo xtask build`)", path.display())
    })?;
    let cached = cache_file(engine, &wasm, cache);
    let component = match read_cached(engine, &cached) {
        Some(component) => component,
        None => {
            tracing::info!(component = id, "compiling");
            let component = Component::new(engine, &wasm)
                .map_err(anyhow::Error::from)
                .with_context(|| format!("component {id:?}: {} is not a valid component", path.display()))?;
            match write_cached(id, &component, &cached) {
                // Code in a file is memory that the system can take back, and that it fills only as the code runs. New code
                // is not.
                Ok(()) => read_cached(engine, &cached).unwrap_or(component),
                // Without the cache the next start is slow, and nothing else is affected.
                Err(error) => {
                    tracing::warn!(component = id, "cannot keep the compiled code in {}: {error:#}", cached.display());
                    component
                }
            }
        }
    };
    let linked = linker.instantiate_pre(&component).and_then(ProxyPre::new);
    linked
        .map_err(anyhow::Error::from)
        .with_context(|| format!("component {id:?} needs something that the embedded runner does not have"))
}

/// Returns the memory of compiling to the system. The C library would otherwise keep more than a hundred megabytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a function of the C library that takes no pointer")]
pub fn give_memory_back() {
    // SAFETY: it may be called at any time and by any thread (malloc_trim(3): MT-Safe).
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries have no such function.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_memory_back() {}

fn cache_file(engine: &Engine, wasm: &[u8], cache: &Path) -> PathBuf {
    let mut settings = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    let code: String = Sha256::digest(wasm).iter().map(|byte| format!("{byte:02x}")).collect();
    cache.join(format!("{code}-{:016x}.cwasm", settings.finish()))
}

#[expect(
    unsafe_code,
    reason = "the file is code to run: it lies in the state folder, which only the owner can write, and it was written by write_cached under a name that holds the hash of its source"
)]
fn read_cached(engine: &Engine, path: &Path) -> Option<Component> {
    if !path.exists() {
        return None;
    }
    // SAFETY: `path` was written by `write_cached` and is not changed afterwards: it is replaced by rename.
    match unsafe { Component::deserialize_file(engine, path) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!("cannot use {}, compiling again: {error:#}", path.display());
            None
        }
    }
}

fn write_cached(id: &str, component: &Component, path: &Path) -> anyhow::Result<()> {
    // Two components with the same code are loaded side by side, so each writes a file of its own.
    let partial = path.with_extension(format!("{id}.{}.partial", std::process::id()));
    std::fs::write(&partial, component.serialize()?)?;
    std::fs::rename(&partial, path)?;
    Ok(())
}
