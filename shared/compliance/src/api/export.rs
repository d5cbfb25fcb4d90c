//! A person's data, for the person (PIPL article 45): a ZIP of JSON files, written piece by piece, so that its size does not
//! matter. Each capability gives its own files. The last file, `manifest.json`, names the others with their hashes.

use crate::erase;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use warmline_customers::store::erasures::Erasure;
use warmline_endpoint::Problem;
use warmline_endpoint::route::{Access, Answer, Call, PRIVACY, Piece, Pieces, Reply, Route, Verb};
use warmline_kernel::Ctx;
use warmline_kernel::installed::hooks;
use warmline_model::{CustomerId, Scope, Timestamp};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

/// A file of the export.
#[derive(Serialize)]
struct File {
    name: String,
    /// The number of things in it.
    items: usize,
    /// The hash of its bytes, in hexadecimal.
    sha256: String,
}

#[derive(Serialize)]
struct Manifest<'a> {
    /// The format of the export.
    export: &'static str,
    customer: CustomerId,
    /// The time at which the person was erased, if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<Timestamp>,
    made_at: Timestamp,
    files: &'a [File],
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

/// The next part: the file of a capability after a cursor, the receipt of an erasure, or the manifest.
enum Next {
    File { capability: usize, after: Option<String> },
    Receipt(Box<Erasure>),
    Manifest,
}

/// An export under way.
struct Export {
    customer: CustomerId,
    pending: Pending,
    zip: ZipWriter<StreamWriter<Pending>>,
    files: Vec<File>,
    erased_at: Option<Timestamp>,
    next: Option<Next>,
}

/// `GET /api/customers/{id}/export`
fn begin(call: &Call<'_>) -> Result<Reply, Problem> {
    let (customer, erasure) = erase::exported(&call.ctx, &call.actor, call.id(0, "customer")?)?;
    let first = Next::File { capability: 0, after: None };
    let next = Some(erasure.map_or(first, |erasure| Next::Receipt(Box::new(erasure))));
    let pending = Pending::default();
    let zip = ZipWriter::new_stream(pending.clone());
    Ok(Reply::Pieces(Box::new(Export { customer, zip, pending, files: Vec::new(), erased_at: None, next })))
}

impl Pieces for Export {
    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        vec![("content-type", "application/zip"), ("content-disposition", "attachment; filename=export.zip")]
    }

    /// If the person is erased meanwhile, the export breaks off and does not open.
    fn next(&mut self, ctx: &Ctx<'_>) -> Result<Piece, Problem> {
        let Some(next) = self.next.take() else { return Ok(Piece::End) };
        self.next = match next {
            Next::File { capability, after } => Some(self.of(ctx, capability, after.as_deref())?),
            Next::Receipt(erasure) => {
                self.erased_at = Some(erasure.asked_at);
                if let Some(text) = &erasure.receipt {
                    let signer = ctx.keys.receipts();
                    let (signature, public_key) = (signer.sign(text.as_bytes()), signer.public_key());
                    let receipt = serde_json::to_vec_pretty(&Receipt { text, signature, public_key });
                    self.file("receipt.json".to_owned(), 1, &receipt.map_err(|_| Problem::internal())?)?;
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
    /// Writes the next file of a capability, or of the next one that has any, and returns the part after it.
    fn of(&mut self, ctx: &Ctx<'_>, capability: usize, after: Option<&str>) -> Result<Next, Problem> {
        let Some(hooks) = hooks(ctx)?.nth(capability) else { return Ok(Next::Manifest) };
        let Some(found) = (hooks.export)(ctx, self.customer, after)? else {
            return self.of(ctx, capability + 1, None);
        };
        let name = match found.numbered {
            true => {
                let before = self.files.iter().filter(|file| file.name.starts_with(&format!("{}-", found.name))).count();
                format!("{}-{:04}.json", found.name, before + 1)
            }
            false => format!("{}.json", found.name),
        };
        self.file(name, found.items, &found.content)?;
        Ok(Next::File { capability, after: Some(found.cursor) })
    }

    fn file(&mut self, name: String, items: usize, text: &[u8]) -> Result<(), Problem> {
        self.write(&name, text)?;
        let sha256 = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        self.files.push(File { name, items, sha256 });
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
