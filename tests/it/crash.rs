//! Kills the server without warning under load, again and again. The audit afterwards is that of the crash test.

use crate::harness::{program, workspace};
use warmline_chaos::{ChaosArgs, kill9};

#[test]
fn after_kill_9_every_acknowledged_message_is_there_once_and_every_reply_was_delivered() {
    let report = kill9(&ChaosArgs {
        rounds: 3,
        customers: 8,
        shortest: 300,
        longest: 1_500,
        durability: "normal".into(),
        manifest: workspace().join("spin.toml"),
        program: Some(program()),
        scratch: concat!(env!("CARGO_TARGET_TMPDIR"), "/chaos").into(),
        quiet: true,
        ..ChaosArgs::default()
    })
    .unwrap();
    assert_eq!(report.violations, [] as [String; 0], "{report}");
    assert!(report.kills == 3 && report.acknowledged > 0 && report.delivered > 0, "{report}");
}
