//! WebSocket-over-HTTP and GRIP, the protocols of Pushpin and Fastly Fanout. A gateway holds the customers' sockets and
//! turns each frame into a request to the account's own address, so that a component that lives for one request can serve
//! them.
//!
//! * [`events`]: frames in bodies of `application/websocket-events`;
//! * [`control`]: a component's messages to the gateway about a connection;
//! * [`key`]: the signature by which either side knows the other;
//! * [`publish`]: messages to all connections that subscribed to a name.
//!
//! Sources: pushpin.org/docs/protocols/{websocket-over-http,grip}, and exchanges recorded with Pushpin 1.36.

pub mod control;
pub mod events;
pub mod key;
pub mod publish;

pub use control::Control;
pub use events::Event;
pub use key::Key;
pub use publish::{Formats, Item, Publish, Written};

/// The media type of a body of events.
pub const MEDIA_TYPE: &str = "application/websocket-events";
/// Before the text of a frame for the client.
pub const TO_CLIENT: &str = "m:";
/// Before the text of a frame for the gateway.
pub const TO_GATEWAY: &str = "c:";
/// A component's answer to say that it uses these prefixes.
pub const EXTENSION: &str = "grip; message-prefix=\"m:\"";

/// WebSocket close codes (RFC 6455 section 7.4; above 4000 our own).
pub mod close {
    /// The client's work is done.
    pub const NORMAL: u16 = 1000;
    /// The server goes away for a moment: connect again.
    pub const RESTART: u16 = 1012;
    /// Something failed behind the gateway: connect again.
    pub const FAILED: u16 = 1011;
    /// A frame of a kind that is not accepted here.
    pub const UNSUPPORTED: u16 = 1003;
    /// A frame that is too large.
    pub const TOO_LARGE: u16 = 1009;
    /// The client reads too slowly, or sends too much at once.
    pub const POLICY: u16 = 1008;
    /// The token is no longer valid: get another one and connect again.
    pub const UNAUTHORISED: u16 = 4401;
}
