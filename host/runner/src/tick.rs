//! The clock of the application: once a second it asks one component to look for due work.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use http_body_util::BodyExt as _;
use tokio::time::MissedTickBehavior;
use warmline_process::stopped;

use crate::app::App;
use crate::chain::Chain as _;
use crate::problem::full;

/// The target of the tick: a component and a path of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// The component's id.
    pub component: String,
    /// The path, with its leading slash.
    pub path: String,
}

impl std::str::FromStr for Tick {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((component, path)) if !component.is_empty() && path.starts_with('/') => {
                Ok(Self { component: component.to_owned(), path: path.to_owned() })
            }
            _ => Err("expected COMPONENT:/PATH, such as ticker:/tick".to_owned()),
        }
    }
}

/// Calls once a second until the runner is stopping. A call that takes longer delays the next one.
pub async fn run(app: Arc<App>, tick: Tick) {
    if !app.knows(&tick.component) {
        tracing::debug!(component = tick.component, "no such component: no ticks");
        return;
    }
    let stop = stopped(app.stopping.clone());
    let mut stop = std::pin::pin!(stop);
    let mut interval = tokio::time::interval(Duration::from_secs(1));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = None;
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = &mut stop => return,
        }
        let failure = call(&app, &tick).await.err();
        // Logged once per change: a tick that fails fails every second.
        if failure != failing {
            match &failure {
                Some(failure) => tracing::warn!(component = tick.component, "the tick fails: {failure}"),
                None => tracing::info!(component = tick.component, "the tick works again"),
            }
        }
        failing = failure;
    }
}

async fn call(app: &Arc<App>, tick: &Tick) -> Result<(), String> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{}.spin.internal{}", tick.component, tick.path))
        .header(http::header::HOST, format!("{}.spin.internal", tick.component))
        .body(full(""))
        .map_err(|error| error.to_string())?;
    let response = Arc::clone(app).call(tick.component.clone(), request).await.ok_or("no place for an instance")?;
    let status = response.status();
    // The answer is read to its end, so that the next tick does not begin before this one is done.
    let _ = response.into_body().collect().await;
    if status.is_success() { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
}

#[cfg(test)]
mod tests {
    use super::Tick;

    #[test]
    fn ticks_are_named() {
        let tick: Tick = "ticker:/tick".parse().expect("a tick");
        assert_eq!((tick.component.as_str(), tick.path.as_str()), ("ticker", "/tick"));
        assert!("ticker".parse::<Tick>().is_err());
        assert!(":/tick".parse::<Tick>().is_err());
        assert!("ticker:tick".parse::<Tick>().is_err());
    }
}
