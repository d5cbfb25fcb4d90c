//! Transfers.

use crate::common::{World, claim, place};
use crate::{actor, check, log, only};
use warmline_conversations::converse::{self, Target};
use warmline_kernel::StepError;
use warmline_store::{immediate, messages};
use warmline_transport::stream;

#[test]
fn a_failed_transfer_changes_nothing() {
    let w = World::new();
    let group = w.group("g", "{}");
    let (one, other) = (w.agent(&group, 1, false), w.agent(&group, 0, false));
    w.says("a", "1", "在吗");
    let id = only(&w).id;
    let before = log(&w).len();
    let to = |target| immediate(&w.db, || converse::transfer(&w.ctx(), &actor(one), id, &target, Some("看看")));
    assert!(matches!(to(Target::Agent(other)), Err(StepError::Conflict { code: "agent_full", .. })));
    assert!(matches!(to(Target::Agent(one)), Err(StepError::Conflict { code: "same_agent", .. })));
    assert_eq!((log(&w).len(), only(&w).agent, only(&w).messages), (before, Some(one), 1));
    check(&w);
}

#[test]
fn a_transfer_moves_the_unit_and_the_note_stays_in_the_house() {
    let w = World::new();
    let (group, second) = (w.group("g", "{}"), w.group("h", "{}"));
    let (one, two) = (w.agent(&group, 1, false), w.agent(&second, 1, false));
    w.says("a", "1", "在吗");
    let id = only(&w).id;
    immediate(&w.db, || converse::transfer(&w.ctx(), &actor(one), id, &Target::Group(second.clone()), Some("生气了")))
        .unwrap();
    assert_eq!((only(&w).agent, only(&w).group), (Some(two), Some(second)));
    assert_eq!(messages::list(&w.db, id, 0, 10).unwrap().len(), 2);
    let (channel, account) = place();
    assert!(stream::replies(&w.ctx(), &channel, &account, "a", None, 10).unwrap().items.is_empty());
    assert!(claim(&w, 10).is_empty());
    assert!(matches!(converse::find(&w.ctx(), &actor(one), id), Err(StepError::NotFound(_))));
    check(&w);
}
