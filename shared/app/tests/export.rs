//! An export under way breaks off when its person is erased, and does not open.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use warmline_app::routes::dispatch;
use warmline_compliance::erase;
use warmline_customers::store::erasures;
use warmline_endpoint::Request;
use warmline_endpoint::route::{Piece, Pieces, Reply};
use warmline_kernel::ctx::Actor;
use warmline_kernel::memo::Memo;
use warmline_kernel::{Ctx, sealing};
use warmline_model::{
    AccountId, Channel, Clock, Content, ConversationId, CustomerId, IdentityId, MessageId, Origin, Rng, Role, Sender,
    Timestamp,
};
use warmline_privacy::{Keyring, Masters};
use warmline_store::customers::{self, NewIdentity};
use warmline_store::messages::{self, Message};
use warmline_store::native::{NativeDb, NoKv};
use warmline_store::{immediate, migrate, vault};

const CONVERSATION: &str = "INSERT INTO conversations (id, identity_id, customer_id, channel, account, state, vip, opened_at, \
    last_message_at, closed_at, messages, case_id) VALUES (?1, ?2, ?3, 'app', 'a', 'closed', 0, 0, 0, 0, ?4, ?1)";
const MESSAGES: i64 = 1_200;

struct Fixed(std::cell::Cell<u8>);
impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}
impl Rng for Fixed {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            self.0.set(self.0.get().wrapping_mul(31).wrapping_add(7));
            *byte = self.0.get();
        }
    }
}

/// A customer with three files of messages.
fn customer(ctx: &Ctx<'_>) -> CustomerId {
    let now = ctx.now();
    let (id, identity, talk) =
        (CustomerId::new(now, ctx.rng), IdentityId::new(now, ctx.rng), ConversationId::new(now, ctx.rng));
    let (key, wrapped) = ctx.keys.new_customer_key(id, ctx.rng).unwrap();
    vault::insert(ctx.vault, id, &sealing::into_vault(wrapped)).unwrap();
    customers::insert(ctx.db, id, &[], now).unwrap();
    let sender = sealing::seal_sender(ctx, &key, identity, &Sender { open_id: "m1".into(), ..Sender::default() }).unwrap();
    let (channel, account) = (Channel::new("app").unwrap(), AccountId::new("a").unwrap());
    let new =
        NewIdentity { id: identity, lookup: &[1; 16], customer: id, channel: &channel, account: &account, sender: &sender };
    customers::insert_identity(ctx.db, &new, now).unwrap();
    let row = [talk.as_bytes().into(), identity.as_bytes().into(), id.as_bytes().into(), MESSAGES.into()];
    ctx.db.execute(CONVERSATION, &row).unwrap();
    for n in 1..=MESSAGES {
        let message = MessageId::new(now.plus_millis(n), ctx.rng);
        let content = sealing::seal_content(ctx, &key, talk, message, &Content::text(format!("第{n}句"))).unwrap();
        let row = Message {
            conversation: talk,
            n,
            id: message,
            origin: Origin::Customer,
            agent: None,
            content,
            at: now,
            delivery: None,
            reason: None,
        };
        messages::insert(ctx.db, &row).unwrap();
    }
    id
}

#[test]
fn an_export_breaks_off_where_its_person_is_erased_meanwhile() {
    let (db, keys_db, fixed) = (NativeDb::memory().unwrap(), NativeDb::memory().unwrap(), Fixed(std::cell::Cell::new(1)));
    migrate::migrate_all(&db, &warmline_app::MIGRATIONS).unwrap();
    vault::prepare(&keys_db).unwrap();
    let masters = Masters::from_base64("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "").unwrap();
    let keys = Keyring::create(masters, None, &fixed).unwrap();
    let ctx = Ctx {
        db: &db,
        vault: &keys_db,
        kv: &NoKv,
        contexts: 0,
        clock: &fixed,
        rng: &fixed,
        keys: &keys,
        installed: &warmline_app::WHOLE,
        memo: &Memo::default(),
    };
    let customer = customer(&ctx);
    let mut request = Request {
        method: http::Method::GET,
        path: format!("/api/customers/{customer}/export"),
        query: String::new(),
        headers: http::HeaderMap::new(),
        body: Vec::new(),
    };
    request.headers.insert("authorization", "Bearer t".parse().unwrap());
    let begin = || match dispatch(&ctx, "t", &request).0 {
        Ok(Reply::Pieces(pieces)) => pieces,
        _ => panic!("no export"),
    };
    let next = |export: &mut Box<dyn Pieces>| match export.next(&ctx)? {
        Piece::Bytes(bytes) => Ok(Some(bytes)),
        _ => Ok::<_, warmline_endpoint::Problem>(None),
    };

    let (mut whole, mut export) = (Vec::new(), begin());
    while let Some(piece) = next(&mut export).unwrap() {
        whole.extend(piece);
    }
    let files = zip::ZipArchive::new(std::io::Cursor::new(whole)).unwrap();
    // The files are the customer, three files of messages, and the manifest.
    assert_eq!(files.len(), 5);

    let (mut part, mut export) = (Vec::new(), begin());
    for _ in 0..2 {
        part.extend(next(&mut export).unwrap().unwrap());
    }
    let actor = Actor { agent: None, role: Role::Admin };
    immediate(&db, || erase::begin(&ctx, customer, &actor, "request", &[])).unwrap();
    let refused = next(&mut export).unwrap_err();
    assert_eq!((refused.status, refused.code), (410, "erased"));
    assert!(zip::ZipArchive::new(std::io::Cursor::new(part)).is_err());
    // All messages go, however many there are.
    assert_eq!(erase::go_on(&ctx).unwrap(), 1);
    assert!(ctx.db.execute("SELECT 1 FROM messages", &[]).unwrap().is_empty());
    let done = erasures::list(ctx.db, None, 9).unwrap();
    assert_eq!(done.iter().map(|erasure| erasure.messages).collect::<Vec<_>>(), [MESSAGES]);
}
