//! The components' standard output in the runner's log: line by line, with the component's id.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{self, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A line longer than this is cut into several.
const LINE_BYTES: usize = 8 << 10;

/// The place for an instance's standard output or standard error.
#[derive(Clone)]
pub struct GuestOutput {
    component: Arc<str>,
    stream: &'static str,
    line: Arc<Mutex<Vec<u8>>>,
}

impl GuestOutput {
    /// The output `stream` of `component`.
    pub fn new(component: &Arc<str>, stream: &'static str) -> Self {
        Self { component: Arc::clone(component), stream, line: Arc::default() }
    }

    fn accept(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || line.len() >= LINE_BYTES {
                self.emit(&std::mem::take(&mut *line));
            }
        }
    }

    fn emit(&self, line: &[u8]) {
        // Control characters could forge lines or drive a terminal.
        let text: String = String::from_utf8_lossy(line)
            .trim_end()
            .chars()
            .map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c })
            .collect();
        if !text.is_empty() {
            tracing::info!(component = &*self.component, stream = self.stream, "{text}");
        }
    }
}

impl Drop for GuestOutput {
    fn drop(&mut self) {
        if Arc::strong_count(&self.line) == 1 {
            let rest = std::mem::take(&mut *self.line.lock().unwrap_or_else(PoisonError::into_inner));
            self.emit(&rest);
        }
    }
}

impl cli::IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.accept(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.accept(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
