//! A person's data, for the person (PIPL article 45): a ZIP of JSON files, written piece by piece, so that its size does not
//! matter. The last file, `manifest.json`, names the others with their hashes.

use crate::view::{self, MessageView};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use warmline_endpoint::Problem;
use warmline_endpoint::route::{Access, Answer, Call, PRIVACY, Piece, Pieces, Reply, Route, Verb};
use warmline_flow::timeline::{self, Place};
use warmline_flow::{people as flow, touch};
use warmline_kernel::sealed::Keys;
use warmline_kernel::{Ctx, StepError, consent};
use warmline_model::{AccountId, Channel, ConversationId, CustomerId, IdentifierKind, MessageId, Scope, Timestamp};
use warmline_store::customers;
use warmline_store::erasures::{self, Erasure};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

/// The most messages in one file.
const MESSAGES: usize = 500;

/// A file of the export.
#[derive(Serialize)]
struct File {
    name: String,
    /// How many things it contains.
    items: usize,
    /// The hash of its bytes, in hexadecimal.
    sha256: String,
}

#[derive(Serialize)]
struct Manifest<'a> {
    /// The format of the export.
    export: &'static str,
    customer: CustomerId,
    /// When the person was erased, if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<Timestamp>,
    made_at: Timestamp,
    files: &'a [File],
}

#[derive(Serialize)]
struct Identity {
    channel: Channel,
    account: AccountId,
    /// The person's id there, and what else the channel says about them.
    sender: Option<warmline_model::Sender>,
}

#[derive(Serialize)]
struct Identifier {
    kind: IdentifierKind,
    value: Option<String>,
    source: String,
    at: Timestamp,
}

#[derive(Serialize)]
struct Customer {
    customer: CustomerId,
    since: Timestamp,
    names: Vec<String>,
    tags: Vec<String>,
    identities: Vec<Identity>,
    identifiers: Vec<Identifier>,
    /// What the person agrees to now, and what they do not.
    consents: Vec<Consent>,
}

#[derive(Serialize)]
struct Consent {
    purpose: String,
    version: String,
    given: bool,
    source: String,
    /// The person's own words, if they chose in a message.
    wording: Option<String>,
    message: Option<MessageId>,
    at: Timestamp,
}

#[derive(Serialize)]
struct Said {
    conversation: ConversationId,
    channel: Channel,
    account: AccountId,
    #[serde(flatten)]
    message: MessageView,
}

#[derive(Serialize)]
struct Receipt<'a> {
    text: &'a str,
    signature: String,
    public_key: String,
}

/// Bytes that were written and not sent yet.
#[derive(Clone, Default)]
struct Pending(Rc<RefCell<Vec<u8>>>);

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Next {
    Customer,
    Messages(Option<Place>),
    Receipt(Box<Erasure>),
    Manifest,
}

/// An export under way.
struct Export {
    customer: CustomerId,
    pending: Pending,
    zip: ZipWriter<StreamWriter<Pending>>,
    keys: Keys,
    files: Vec<File>,
    erased_at: Option<Timestamp>,
    next: Option<Next>,
}

/// `GET /api/customers/{id}/export`
fn begin(call: &Call<'_>) -> Result<Reply, Problem> {
    let (customer, erasure) = touch::export(&call.ctx, &call.actor, call.id(0, "customer")?)?;
    let next = erasure.map_or(Next::Customer, |erasure| Next::Receipt(Box::new(erasure)));
    let pending = Pending::default();
    let zip = ZipWriter::new_stream(pending.clone());
    let (keys, files) = (Keys::default(), Vec::new());
    Ok(Reply::Pieces(Box::new(Export { customer, zip, pending, keys, files, erased_at: None, next: Some(next) })))
}

impl Pieces for Export {
    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            ("content-type", "application/zip"),
            ("content-disposition", "attachment; filename=export.zip"),
            ("cache-control", "no-store"),
        ]
    }

    /// If the person is erased meanwhile, the export breaks off and does not open.
    fn next(&mut self, ctx: &Ctx<'_>) -> Result<Piece, Problem> {
        let Some(next) = self.next.take() else { return Ok(Piece::End) };
        self.next = match next {
            Next::Customer => {
                let customer = customer(ctx, self.customer)?;
                self.file("customer.json", 1, &customer)?;
                Some(Next::Messages(None))
            }
            Next::Messages(before) => self.messages(ctx, before)?.or(Some(Next::Manifest)),
            Next::Receipt(erasure) => {
                self.erased_at = Some(erasure.asked_at);
                if let Some(text) = &erasure.receipt {
                    let signer = ctx.keys.receipts();
                    let (signature, public_key) = (signer.sign(text.as_bytes()), signer.public_key());
                    self.file("receipt.json", 1, &Receipt { text, signature, public_key })?;
                }
                Some(Next::Manifest)
            }
            Next::Manifest => {
                self.manifest(ctx)?;
                None
            }
        };
        Ok(Piece::Bytes(self.pending.0.take()))
    }
}

impl Export {
    /// Writes a file of messages, newest first; `None` if none are left.
    fn messages(&mut self, ctx: &Ctx<'_>, before: Option<Place>) -> Result<Option<Next>, Problem> {
        if erasures::of(ctx.db, self.customer)?.is_some() {
            return Err(warmline_privacy::SealError::Erased.into());
        }
        let entries = timeline::page(ctx, self.customer, Timestamp::default(), before, MESSAGES)?;
        let Some(last) = entries.last().map(|entry| entry.place) else { return Ok(None) };
        let said = entries.iter().map(|entry| Said {
            conversation: entry.conversation.id,
            channel: entry.conversation.channel.clone(),
            account: entry.conversation.account.clone(),
            message: view::message(self.keys.of(ctx, entry.conversation.customer), &entry.message),
        });
        let said: Vec<Said> = said.collect();
        self.file(&format!("messages-{:04}.json", self.files.len()), said.len(), &said)?;
        Ok(Some(Next::Messages(Some(last))))
    }

    fn file(&mut self, name: &str, items: usize, content: &impl Serialize) -> Result<(), Problem> {
        let text = serde_json::to_vec_pretty(content).map_err(|_| Problem::internal())?;
        self.write(name, &text)?;
        let sha256 = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        self.files.push(File { name: name.to_owned(), items, sha256 });
        Ok(())
    }

    fn write(&mut self, name: &str, text: &[u8]) -> Result<(), Problem> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        let failed = |_| Problem::internal();
        self.zip.start_file(name, options).map_err(failed)?;
        self.zip.write_all(text).map_err(|_| Problem::internal())
    }

    fn manifest(&mut self, ctx: &Ctx<'_>) -> Result<(), Problem> {
        let manifest = Manifest {
            export: "warmline export 1",
            customer: self.customer,
            erased_at: self.erased_at,
            made_at: ctx.now(),
            files: &self.files,
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(|_| Problem::internal())?;
        self.write("manifest.json", &text)?;
        let whole = std::mem::replace(&mut self.zip, ZipWriter::new_stream(Pending::default()));
        whole.finish().map(drop).map_err(|_| Problem::internal())
    }
}

fn customer(ctx: &Ctx<'_>, id: CustomerId) -> Result<Customer, StepError> {
    let stored = customers::get(ctx.db, id)?.ok_or(StepError::NotFound("customer"))?;
    let mut identities = Vec::new();
    for (identity, channel, account) in customers::identities(ctx.db, id)? {
        identities.push(Identity { channel, account, sender: flow::sender(ctx, identity).ok() });
    }
    let identifiers = flow::identifiers(ctx, id)?.into_iter().map(|i| Identifier {
        kind: i.stored.kind,
        value: i.value,
        source: i.stored.source,
        at: i.stored.at,
    });
    let consents = consent::standing(ctx, id)?.into_iter().map(|c| Consent {
        purpose: c.purpose,
        version: c.version,
        given: c.given,
        source: c.source,
        wording: c.wording,
        message: c.message,
        at: c.at,
    });
    Ok(Customer {
        customer: id,
        since: stored.created_at,
        names: flow::names(ctx, id)?,
        tags: stored.tags,
        identities,
        identifiers: identifiers.collect(),
        consents: consents.collect(),
    })
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::open(
    Verb::Get,
    "/api/customers/{id}/export",
    "Exports all that is known of a customer: a ZIP of JSON files. Of one who was erased, the \
         receipt.",
    Access::Token(PRIVACY, Scope::Privacy),
    Answer::Other("application/zip"),
    begin,
)];
