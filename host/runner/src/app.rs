//! The served application: its components and routes, the services of its guests, and the bounds that apply before a
//! component is called.

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
    /// The services of its guests.
    pub services: Arc<Services>,
    /// The components that a trigger names, by id. Other components cannot be called.
    pub components: HashMap<String, Arc<Component>>,
    /// The public routes.
    pub routes: Routes,
    /// Places for instances.
    pub slots: Slots,
    /// Gathers request bodies before a place is taken.
    pub bodies: Gatherer,
    /// The number of long answers that each caller has open.
    pub streams: Arc<Streams>,
    /// The room of large answers that are on their way.
    pub answers: Answers,
    /// The log lines of requests that no component saw.
    pub told: Told,
    /// The connections.
    pub connections: Arc<Connections>,
    /// The gateway that holds WebSockets, if the application has them.
    pub gateway: Option<Arc<Gateway>>,
    /// True once the runner is stopping.
    pub stopping: watch::Receiver<bool>,
}
