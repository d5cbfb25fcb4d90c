//! A line of figures that is kept up to date, and the times of command lines.

use std::io::{IsTerminal, Write};
use std::time::Duration;

/// The place of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// On standard output.
    Output,
    /// On standard error, if standard output is for a result.
    Error,
}

impl To {
    fn is_terminal(self) -> bool {
        match self {
            Self::Output => std::io::stdout().is_terminal(),
            Self::Error => std::io::stderr().is_terminal(),
        }
    }

    fn write(self, text: &str) {
        // A reader who has gone is no reason to end.
        let _ = match self {
            Self::Output => std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()),
            Self::Error => std::io::stderr().write_all(text.as_bytes()),
        };
    }
}

/// Shows the line until dropped: in place on a terminal, as plain lines elsewhere.
pub async fn show(to: To, line: impl Fn() -> String) {
    let terminal = to.is_terminal();
    let pause = Duration::from_millis(if terminal { 500 } else { 5000 });
    loop {
        tokio::time::sleep(pause).await;
        to.write(&if terminal { format!("\r\x1b[2K{}", line()) } else { line() + "\n" });
    }
}

/// Ends the line and leaves it on the screen.
pub fn end(to: To) {
    if to.is_terminal() {
        to.write("\n");
    }
}

/// Reads a time: seconds, or a number with `s`, `m` or `h`.
///
/// # Errors
/// It is not a time, or not above zero.
pub fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * unit);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).filter(|time| !time.is_zero());
    time.ok_or_else(|| "a time is a number of seconds, or one with s, m or h behind it: 90, 90s, 1.5m, 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in [("60", 60.0), ("60s", 60.0), ("1.5m", 90.0), ("2h", 7200.0), ("0.2", 0.2)] {
            assert_eq!(time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "s", "0", "-1", "1d", "1 s", "NaN", "inf", "一分"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
