//! A message's way through the house, step by step. Each step is one short transaction over the store; none does network I/O,
//! asks for the time, or draws randomness by itself ([`Ctx`] carries all three), so that every step runs in native tests.
//!
//! In the order of the way:
//! * [`ingest`]: a verified webhook into the inbox;
//! * [`pull`]: the same for platforms that keep messages until they are asked;
//! * [`drain`]: from the inbox into its conversation (the router's work), with [`place`] finding the agent by the [`plan`] in force
//!   and the [`floor`] of seats and queues, also for [`calls`] that ring;
//! * [`people`]: one person across channels; [`touch`]: who may read, join and part them; [`cases`]: their conversations on one matter;
//! * [`ai`]: turns of AI seats, and handing over to people;
//! * [`converse`]: what agents and supervisors do with a conversation;
//! * [`deliver`]: out of the outbox to the platform; [`given_up`]: another try for what it did not take;
//! * [`stream`]: replies for customers whose own client fetches them;
//! * [`timeline`]: all that was said with a person, on every channel; [`summary`]: what of it a colleague must know, with
//!   the [`context`] that is kept of it;
//! * [`media`]: whose bytes stay with the platform;
//! * [`quality`], [`figures`]: followers of the event log;
//! * [`staffing`]: what will come, who is needed, and seats that move;
//! * [`tick`]: what happens because time passes; [`retention`]: how long what is stored is kept, with the [`archive`] of messages.
//!
//! Beside it: [`broken`] (what was altered), [`accounts`] with their [`tokens`], [`refused`] (webhooks) and [`strangers`] (bounds on
//! those who prove nothing), [`staff`], [`audit`] (who read what of whom), [`hold`] and [`consent`] (what the law asks),
//! [`sealed`] (what is sealed under which key, bound to what).

pub mod accounts;
pub mod ai;
pub mod archive;
pub mod audit;
pub mod broken;
pub mod calls;
pub mod cases;
pub mod consent;
pub mod context;
pub mod converse;
pub mod ctx;
pub mod deliver;
pub mod drain;
pub mod erase;
pub mod figures;
pub mod floor;
pub mod given_up;
pub mod hold;
pub mod ingest;
pub mod keys;
pub mod media;
pub mod odd;
mod orders;
pub mod passing;
pub mod people;
pub mod place;
pub mod plan;
pub mod pull;
pub mod quality;
pub mod refused;
pub mod retention;
pub mod sealed;
pub mod staff;
pub mod staffing;
pub mod strangers;
pub mod stream;
pub mod summary;
pub mod tick;
pub mod timeline;
pub mod tokens;
pub mod touch;

pub use ctx::{Ctx, FlowError};
