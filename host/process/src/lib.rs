//! The common ground of programs that run for long: the log on standard error, the end by a signal, and connections to
//! other hosts.

mod connector;
mod log;
mod stop;

pub use connector::{Connector, NotPublic, PublicConnector, PublicOnly, check_literal, connector, public_connector};
pub use log::{LogFormat, start_log};
pub use stop::{stop_on_signal, stopped};
