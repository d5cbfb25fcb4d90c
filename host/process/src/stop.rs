//! The signals that end a program.

use tokio::sync::watch;

/// Waits until it is time to stop.
pub async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that nobody is left to give the signal, which has the same effect.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Gives the signal to stop at the first signal of the system. The second one ends the process at once.
pub fn stop_on_signal(stop: watch::Sender<bool>) {
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("stopping (again to stop at once)");
        let _ = stop.send(true);
        wait_for_signal().await;
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
