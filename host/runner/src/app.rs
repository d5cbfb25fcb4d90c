//! The application that is served: its components and routes, what its guests share, and the bounds that hold before one is asked.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::answers::Answers;
use crate::bounds::Streams;
use crate::component::Component;
use crate::connections::Connections;
use crate::gateway::Gateway;
use crate::gather::Gatherer;
use crate::routes::Routes;
use crate::services::Services;
use crate::slots::Slots;
use crate::told::Told;

/// The application.
pub struct App {
    /// What its guests work with.
    pub services: Arc<Services>,
    /// The components that a trigger names, by id; what no trigger names cannot be called.
    pub components: HashMap<String, Arc<Component>>,
    /// The public routes.
    pub routes: Routes,
    /// Places for instances.
    pub slots: Slots,
    /// What gathers request bodies before a place is taken.
    pub bodies: Gatherer,
    /// How many long answers each caller has open.
    pub streams: Arc<Streams>,
    /// The room of large answers that are on their way.
    pub answers: Answers,
    /// The log lines of requests that no component saw.
    pub told: Told,
    /// The connections.
    pub connections: Arc<Connections>,
    /// What holds WebSockets, where the application has them.
    pub gateway: Option<Arc<Gateway>>,
    /// True once the runner is stopping.
    pub stopping: watch::Receiver<bool>,
}
