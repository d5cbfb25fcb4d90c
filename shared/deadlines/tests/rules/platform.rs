//! The platforms' rate, against a day that was worked out by hand.

use crate::at;
use warmline_deadlines::calendar::Zone;
use warmline_deadlines::platform::{Asked, PlatformClock, Rate, defaults, rate};

/// When the customer wrote, when a person answered (`-`: nobody), and whether the message counts and was answered in time. A bot's
/// answer is no answer.
const DAY: &[(&str, &str, bool, bool)] = &[
    ("07:59:59.999", "08:00:30", false, false),
    ("08:00:00", "08:03:00", true, true),
    ("08:00:10", "08:03:10.001", true, false),
    ("08:30:00", "08:30:05", true, true),
    ("09:00:00", "-", true, false),
    // Two messages that one answer answers.
    ("10:00:00", "10:03:30", true, false),
    ("10:01:00", "10:03:30", true, true),
    ("12:00:00", "12:03:01", true, false),
    ("15:00:00", "15:02:59.999", true, true),
    // The closing courtesy counts, too.
    ("15:10:00", "15:10:20", true, true),
    // Before the window's end, and answered after it.
    ("22:59:59.999", "23:02:59", true, true),
    ("23:00:00", "23:00:10", false, false),
    ("23:30:00", "-", false, false),
];

fn day() -> Vec<Asked> {
    let local = |time: &str| at(&format!("2026-11-25T{time}+08:00"));
    DAY.iter()
        .map(|(asked, answered, ..)| Asked { at: local(asked), answered_at: (*answered != "-").then(|| local(answered)) })
        .collect()
}

#[test]
fn the_rate_of_a_day_is_the_one_worked_out_by_hand() {
    let clock = &defaults()[0];
    // Ten messages count; six of them were answered in time: 60 percent.
    assert_eq!(rate(clock, &Zone::default(), &day()), Rate { messages: 10, in_time: 6 });
    assert_eq!(rate(clock, &Zone::default(), &day()).hundredths(), Some(6_000));
    for ((_, _, counts, in_time), asked) in DAY.iter().zip(day()) {
        let of_one = rate(clock, &Zone::default(), &[asked]);
        assert_eq!((of_one.messages, of_one.in_time), (u64::from(*counts), u64::from(*in_time)), "{asked:?}");
    }
    assert_eq!(rate(clock, &Zone::default(), &[]).hundredths(), None);
}

#[test]
fn another_formula_is_another_configuration() {
    let text = r#"{"formula":"doudian.1min.v2","channel":"doudian","seconds":60,"from":"09:00","to":"22:00"}"#;
    let clock: PlatformClock = serde_json::from_str(text).unwrap();
    clock.check("platform[0]").unwrap();
    assert!(clock.human_only);
    // 09:00, 10:00, 10:01, 12:00, 15:00 and 15:10 count; only the last was answered within a minute.
    assert_eq!(rate(&clock, &Zone::default(), &day()), Rate { messages: 6, in_time: 1 });
    // In another zone other messages are within the window.
    let utc = Zone { minutes: 0, changes: Vec::new() };
    assert_eq!(rate(&clock, &utc, &day()), Rate { messages: 3, in_time: 1 });
}
