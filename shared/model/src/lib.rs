//! The words of the domain, shared by every crate and component.
//!
//! * [`ids`]: prefixed UUIDv7 identifiers, one newtype each;
//! * [`time`]: instants (UTC, milliseconds) and the [`Clock`] that gives them;
//! * [`channel`]: the touchpoint, and the brand's account there;
//! * [`content`]: the content of a message, in either direction; [`page`]: lists that come in pages;
//! * [`inbound`]: the result of a channel's parser; [`identifier`]: the identifiers of a person;
//! * [`conversation`], [`agent`]: states and views;
//! * [`units`], [`seat`]: capacity, an agent's profile, the lanes of a queue;
//! * [`scope`]: the parts of the API that a token can be narrowed to;
//! * [`audit`]: an entry of the audit log;
//! * [`event`]: the append-only log that quality and metrics are folded from; [`figure`]: a capability's counts of its
//!   events.
//!
//! Pure data: no I/O, no clock and no randomness of its own.

pub mod agent;
pub mod audit;
pub mod case;
pub mod channel;
pub mod content;
pub mod conversation;
pub mod event;
pub mod figure;
pub mod identifier;
pub mod ids;
pub mod inbound;
pub mod page;
pub mod scope;
pub mod seat;
pub mod time;
pub mod units;

pub use agent::{AgentState, Role};
pub use audit::AuditEntry;
pub use channel::{AccountId, Channel, GroupId, SlugError, Window};
pub use content::{Content, Media, Origin};
pub use conversation::{ConversationState, DeliveryState};
pub use event::{Delivery, Event, EventBody};
pub use figure::Figure;
pub use identifier::{Identifier, IdentifierKind};
pub use ids::{
    AgentId, CaseId, ConversationId, CustomerId, ErasureId, HookDeliveryId, HookId, IdError, IdentityId, MergeId, MessageId,
    PromiseId, TokenId,
};
pub use inbound::{Inbound, Sender};
pub use page::Page;
pub use scope::Scope;
pub use seat::{Lane, Profile};
pub use time::{Clock, Rng, Timestamp};
pub use units::Units;
