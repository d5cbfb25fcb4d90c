//! What a message costs in round trips to the databases.

use crate::wechat::{connect, says};
use crate::world::Environment;
use warmline_conversations::drain::Distance;

/// A world with an agent at work whose first webhook has come, so that the keys of the day are there.
fn at_work(distance: Distance) -> Environment {
    let w = Environment::new();
    connect(&w, "api");
    w.agent("{}");
    says(&w, "oFirst", 1, "在吗");
    w.0.distance.set(Some(distance));
    w
}

/// The trips of a message from a new customer, and of their next one.
fn costs(distance: Distance) -> (usize, usize) {
    let w = at_work(distance);
    let (new, _) = w.trips(|| says(&w, "oUser", 2, "什么时候发货"));
    let (known, _) = w.trips(|| says(&w, "oUser", 3, "我很着急"));
    assert_eq!((w.events("message.received"), w.conversations().len()), (3, 2));
    (new, known)
}

/// libSQL over HTTP. The release before took 60 and 37.
#[test]
fn a_message_takes_few_trips_to_a_store_on_another_machine() {
    let (new, known) = costs(Distance::Far);
    assert!(new <= 39 && known <= 12, "{new} for a new customer, {known} for a known one");
}

/// SQLite in the same process: most of them look whether more has come.
#[test]
fn a_message_takes_few_statements_on_a_store_in_this_process() {
    let (new, known) = costs(Distance::Near);
    assert!(new <= 54 && known <= 30, "{new} for a new customer, {known} for a known one");
}

/// A message waits while another drainer holds its shard, and is stored once that one is gone.
#[test]
fn a_message_waits_for_the_drainer_that_holds_its_shard() {
    use warmline_store::leases;
    let w = at_work(Distance::Far);
    says(&w, "oUser", 2, "一");
    let ctx = w.ctx();
    for shard in 0..warmline_store::inbox::SHARDS {
        let until = ctx.now().plus_millis(5_000);
        assert!(leases::claim(&w.0.db, &format!("inbox/{shard}"), &[7; 16], ctx.now(), until).unwrap());
    }
    says(&w, "oUser", 3, "二");
    assert_eq!(w.events("message.received"), 2, "another drainer holds the shard");
    w.pass(5_001);
    says(&w, "oUser", 4, "三");
    assert_eq!(w.events("message.received"), 4);
}
