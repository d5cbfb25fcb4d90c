//! Metrics: folding in any steps gives the figures of the whole log.

use crate::common::World;
use crate::{actor, all, close, count, log};
use std::collections::BTreeMap;
use warmline_conversations::converse;
use warmline_metrics::steps as figures;
use warmline_model::{Content, ConversationState};
use warmline_quality::steps as quality;
use warmline_store::immediate;

#[test]
fn figures_folded_in_any_steps_are_those_of_the_whole_log() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 3, false);
    for i in 0..5 {
        w.says(&format!("u{i}"), &format!("m{i}"), "我要投诉");
        w.pass(700);
        figures::advance(&w.ctx()).unwrap();
    }
    while let Some(c) = all(&w).into_iter().find(|c| c.state == ConversationState::Assigned) {
        immediate(&w.db, || converse::reply(&w.ctx(), &actor(agent), c.id, &[Content::text("马上")], None)).unwrap();
        w.pass(3_000);
        close(&w, agent, c.id);
    }
    while quality::inspect(&w.ctx()).unwrap() {}
    assert_eq!(count(&w, "quality.alert"), 5);
    while figures::advance(&w.ctx()).unwrap() {}
    let whole = warmline_metrics::cell::roll_up(&log(&w), warmline_app::FIGURES.iter().copied().flatten());
    let mut summed: BTreeMap<_, (i64, i64)> = BTreeMap::new();
    for c in &whole {
        let cell = summed.entry((c.figure.clone(), c.channel.clone(), c.bucket)).or_default();
        *cell = (cell.0 + c.n, cell.1 + c.total);
    }
    let stored: BTreeMap<_, _> = warmline_metrics::store::since(&w.db, 0)
        .unwrap()
        .into_iter()
        .map(|c| ((c.figure, c.channel, c.bucket), (c.n, c.total)))
        .collect();
    assert_eq!(stored, summed);
    let text = figures::read(&w.ctx(), None).unwrap().open_metrics();
    assert!(text.contains("warmline_frt_human_v1_milliseconds_count{channel=\"wechat\"} 5\n"), "{text}");
}
