//! Metrics: folding in any steps gives the figures of the whole log, also where the log is packed.

use crate::common::{World, reply};
use crate::{actor, all, close, count, log};
use std::collections::BTreeMap;
use warmline_compliance::retention;
use warmline_metrics::steps as figures;
use warmline_model::{Content, ConversationState};
use warmline_quality::steps as quality;
use warmline_store::{Db as _, events, immediate};

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
        immediate(&w.db, || reply(&w.ctx(), &actor(agent), c.id, &[Content::text("马上")])).unwrap();
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

/// A text of all cells, and of the groups' work.
fn folded(w: &World) -> String {
    const CELLS: &str = "SELECT group_concat(json_array(figure, hour, channel, bucket, n, total)) FROM rollups";
    const WORK: &str = "SELECT group_concat(json_array(group_id, quarter, came, handled, unit_ms)) FROM work";
    [CELLS, WORK].map(|sql| w.db.0.execute(sql, &[]).unwrap()[0].text(0).unwrap().to_owned()).concat()
}

#[test]
fn a_packed_log_gives_the_same_figures_alerts_and_decisions() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 50, false);
    for i in 0..1_100 {
        w.arrives(
            &format!("u{}", i % 40),
            &format!("m{i}"),
            Content::text(if i % 9 == 0 { "我要投诉" } else { "在吗" }),
            &[],
        );
        w.pass(50);
    }
    w.drain();
    for c in all(&w) {
        close(&w, agent, c.id);
    }
    let follow = || {
        while quality::inspect(&w.ctx()).unwrap() {}
        while figures::advance(&w.ctx()).unwrap() {}
    };
    follow();
    let seen =
        || (folded(&w), log(&w), all(&w).iter().map(|c| events::decisions(&w.db, c.id, 9).unwrap()).collect::<Vec<_>>());
    let before = seen();
    w.pass(7 * 86_400_000);
    let packed = || w.db.0.execute("SELECT count(*) FROM event_packs", &[]).unwrap()[0].int(0).unwrap();
    retention::step(&w.ctx()).unwrap();
    assert_eq!(packed(), 1);
    assert_eq!(seen(), before);
    for forget in ["DELETE FROM rollups", "DELETE FROM work", "DELETE FROM followers WHERE name IN ('metrics', 'quality')"] {
        w.db.0.execute(forget, &[]).unwrap();
    }
    while figures::advance(&w.ctx()).unwrap() {}
    assert_eq!(seen(), before, "folded once more from the packs");
    while quality::inspect(&w.ctx()).unwrap() {}
    let alerts = |log: &[warmline_model::Event]| {
        let alerts = log.iter().filter(|e| matches!(e.body, warmline_model::EventBody::QualityAlert { .. }));
        alerts.map(|e| e.body.clone()).collect::<Vec<_>>()
    };
    let (again, first) = (alerts(&log(&w)[before.1.len()..]), alerts(&before.1));
    assert_eq!((again.len(), again), (123, first), "inspected once more from the packs");
}
