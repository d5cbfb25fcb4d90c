//! A made-up network for hooks: receivers that answer as a test says, on a clock that runs only while somebody waits.

use crate::world::World;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use warmline_channels::ApiRequest;
use warmline_endpoint::Problem;
use warmline_hooks::send::{self, Looked};
use warmline_kernel::Ctx;
use warmline_transport::host::{self, Body, Broken, Head, Host, NoAnswer, Opened, Writer};

/// What a receiver does with a request.
pub enum Receives {
    /// Answers with this status.
    Says(u16),
    /// Answers with this status and header.
    With(u16, &'static str, &'static str),
    /// Answers with this status and a body without an end.
    Endless(u16),
    /// Answers after this many milliseconds.
    Later(i64, u16),
    /// Cannot be reached.
    Away(&'static str),
    /// Takes the request and never answers.
    Hangs,
}

/// A request that was sent.
#[derive(Clone)]
pub struct Got {
    pub url: String,
    pub id: String,
    pub at: i64,
    pub signatures: String,
    pub body: String,
}

impl Got {
    fn of(request: &ApiRequest) -> Self {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        assert_eq!((&request.method, header("content-type").as_str()), (&http::Method::POST, "application/json"));
        Self {
            url: request.url.clone(),
            id: header("webhook-id"),
            at: header("webhook-timestamp").parse().unwrap(),
            signatures: header("webhook-signature"),
            body: String::from_utf8(request.body.clone()).unwrap(),
        }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn is_signed_by(&self, secret: &str) -> bool {
        warmline_hooks::signature::is_signed(secret, &self.id, self.at, &self.body, &self.signatures)
    }
}

type Receiver = Box<dyn FnMut(&Got) -> Receives>;

pub struct Net<'w> {
    pub w: &'w World,
    pub got: RefCell<Vec<Got>>,
    /// The addresses of every name; `None` if nobody may ask.
    pub names: RefCell<Option<Vec<IpAddr>>>,
    pub private_hosts: RefCell<String>,
    /// The chunks of bodies that were read.
    pub read: Rc<Cell<usize>>,
    receiver: RefCell<Receiver>,
    timers: RefCell<Vec<i64>>,
}

impl<'w> Net<'w> {
    pub fn new(w: &'w World, receiver: impl FnMut(&Got) -> Receives + 'static) -> Self {
        Self {
            w,
            got: RefCell::default(),
            names: RefCell::new(Some(vec!["1.1.1.1".parse().unwrap()])),
            private_hosts: RefCell::default(),
            read: Rc::default(),
            receiver: RefCell::new(Box::new(receiver)),
            timers: RefCell::default(),
        }
    }

    pub fn receives(&self, receiver: impl FnMut(&Got) -> Receives + 'static) {
        *self.receiver.borrow_mut() = Box::new(receiver);
    }

    pub fn count(&self) -> usize {
        self.got.borrow().len()
    }

    pub fn last(&self) -> Got {
        self.got.borrow().last().unwrap().clone()
    }

    fn now(&self) -> i64 {
        self.w.ctx().now().millis()
    }

    /// One run of the component with this context.
    pub async fn run_with(&self, ctx: &Ctx<'_>) -> Result<(), Problem> {
        let look = async |_: &str| match &*self.names.borrow() {
            Some(addresses) if addresses.is_empty() => Looked::Nothing,
            Some(addresses) => Looked::Found(addresses.clone()),
            None => Looked::NotAllowed,
        };
        send::run(self, ctx, look).await
    }

    /// One run of the component.
    pub fn run(&self) {
        self.wait(async { self.run_with(&self.w.ctx()).await.unwrap() });
    }

    /// Runs a future to its end. While everybody waits, the clock jumps to the next moment for which somebody waits.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.timers.borrow_mut().clear();
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            let next = self.timers.borrow().iter().copied().min().expect("nobody waits for a moment");
            self.w.pass((next - self.now()).max(0));
        }
    }
}

/// What a component without a store of its own would open.
pub struct Nothing;

impl host::Environment for Nothing {
    fn ctx(&self) -> Ctx<'_> {
        unreachable!("hooks are given their context")
    }
}

impl Writer for Nothing {
    async fn write(&mut self, _: Vec<u8>) -> bool {
        false
    }
}

/// The body of an answer: chunks of a hundred bytes. It counts those that are read.
pub struct Chunks(Rc<Cell<usize>>, usize);

impl Body for Chunks {
    async fn next(&mut self) -> Option<Result<Vec<u8>, Broken>> {
        self.1 = self.1.checked_sub(1)?;
        self.0.set(self.0.get() + 1);
        Some(Ok(vec![b'x'; 100]))
    }
}

impl Host for Net<'_> {
    type Environment = Nothing;
    type Out = ();
    type Writer = Nothing;
    type Body = Chunks;

    fn open(&self) -> Result<Nothing, Problem> {
        Err(Problem::internal())
    }

    fn damage_is_new(&self) -> bool {
        false
    }

    fn variable(&self, name: &str) -> String {
        assert_eq!(name, "hook_private_hosts");
        self.private_hosts.borrow().clone()
    }

    fn log(&self, line: &str) {
        panic!("{line}");
    }

    async fn sleep(&self, ms: u64) {
        let until = self.now() + i64::try_from(ms).unwrap();
        poll_fn(move |_| {
            if self.now() >= until {
                return Poll::Ready(());
            }
            self.timers.borrow_mut().push(until);
            Poll::Pending
        })
        .await;
    }

    async fn send(&self, request: &ApiRequest) -> Result<Opened<Chunks>, NoAnswer> {
        let got = Got::of(request);
        self.got.borrow_mut().push(got.clone());
        let does = (self.receiver.borrow_mut())(&got);
        let (status, header, chunks) = match does {
            Receives::Says(status) => (status, None, 1),
            Receives::With(status, name, value) => (status, Some((name, value)), 1),
            Receives::Endless(status) => (status, None, usize::MAX),
            Receives::Later(ms, status) => {
                self.sleep(u64::try_from(ms).unwrap()).await;
                (status, None, 1)
            }
            Receives::Away(reason) => return Err(NoAnswer::NotReached(reason)),
            Receives::Hangs => std::future::pending().await,
        };
        let headers = header.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Ok(Opened { status, headers, body: Chunks(Rc::clone(&self.read), chunks) })
    }

    async fn answer(&self, (): (), _: Head, _: Vec<u8>) {}

    fn begin(&self, (): (), _: Head) -> Nothing {
        Nothing
    }
}
