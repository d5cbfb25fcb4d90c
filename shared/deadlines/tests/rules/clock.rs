//! The fold: a table of logs with the deadlines that they make, and properties over drawn logs.

use crate::at;
use proptest::prelude::*;
use warmline_deadlines::clock::{
    Books, By, Deadline, Entry, Input, Metric, Source, State, Track, fold, merge, nearest, until,
};
use warmline_deadlines::look::{Look, head_start, looks};
use warmline_deadlines::policy::{Document, Facts, Ready};
use warmline_model::{Channel, ConversationId, MessageId, Timestamp};

/// The first version. The second is tighter, and never pauses.
const FIRST: &str = r#"{"calendars":[{"name":"office","hours":{"week":[
    {"days":["mon","tue","wed","thu","fri"],"from":"09:00","to":"12:00"},
    {"days":["mon","tue","wed","thu","fri"],"from":"13:00","to":"18:00"}]}}],
  "policies":[
    {"name":"mail","when":{"channels":["email"]},"calendar":"office","targets":{"first_reply":{"seconds":3600},
      "next_reply":{"seconds":1800},"resolution":{"seconds":28800}},"pause":{"waiting_on_customer_seconds":14400},
      "warn":[{"percent":50},{"minutes":5}],"escalate":[{"minutes":60,"role":"supervisor","duty_hours":true}]},
    {"name":"bots","when":{"channels":["app"]},"targets":{"first_reply":{"seconds":100,"human_only":false},
      "next_reply":{"seconds":50,"human_only":false},"speed_of_answer":{"seconds":20,"human_only":false}}},
    {"name":"vips","when":{"vip":true},"targets":{"first_reply":{"seconds":30}}},
    {"name":"all","targets":{"first_reply":{"seconds":100},"next_reply":{"seconds":50},"resolution":{"seconds":1000},
      "speed_of_answer":{"seconds":20,"consequence":"bonus"}},"pause":{"waiting_on_customer_seconds":300},
      "warn":[{"percent":80},{"minutes":1}],"escalate":[{"minutes":-1,"role":"agent"},{"minutes":2,"group":"leads"}],
      "head_start_minutes":15}]}"#;
const SECOND: &str = r#"{"policies":[{"name":"all","targets":{"first_reply":{"seconds":10},"next_reply":{"seconds":5},
    "resolution":{"seconds":100},"speed_of_answer":{"seconds":2}}}],"platform":[]}"#;

fn ready(text: &str, version: i64) -> Ready {
    let document: Document = serde_json::from_str(text).unwrap();
    document.check().unwrap();
    Ready::new(document, version)
}

fn both() -> (Books, Books) {
    let before = Books::of(ready(FIRST, 1));
    let mut after = before.clone();
    after.put(ready(SECOND, 2));
    (before, after)
}

fn subject(n: u8) -> ConversationId {
    ConversationId::from_bytes(&[n; 16]).unwrap()
}

/// A Monday, 09:00 in China.
fn base() -> Timestamp {
    at("2026-11-23T09:00:00+08:00")
}

fn secs(n: i64) -> Timestamp {
    base().plus_millis(n * 1000)
}

fn input(word: &str) -> Input {
    match word {
        "c" => Input::Customer(None),
        "h" => Input::Reply(By::Human),
        "b" => Input::Reply(By::Bot),
        "n" => Input::Reply(By::Notice),
        "q" => Input::Queued,
        "a" => Input::Assigned { ai: false },
        "ai" => Input::Assigned { ai: true },
        "ok" => Input::Accepted,
        "w" => Input::WaitingOnCustomer,
        "t" => Input::Transferred,
        "x" => Input::Closed,
        "r" => Input::Reopened,
        "m" => Input::Merged,
        "e" => Input::Erased,
        "p" => Input::Passed,
        _ => panic!("no input {word}"),
    }
}

fn facts(channel: &str) -> Facts {
    let (channel, vip) = match channel.strip_prefix("vip ") {
        Some(channel) => (channel, true),
        None => (channel, false),
    };
    Facts { channel: Channel::new(channel).ok(), vip, ..Facts::default() }
}

/// A deadline as the table writes it: the metric, the state (`~` runs, `=` paused, `+` met, `!` missed, `x` cancelled) with the
/// answer, and from when to when.
fn shown(d: &Deadline) -> String {
    let second = |at: Timestamp| {
        let ms = at.since(base());
        if ms % 1000 == 0 { (ms / 1000).to_string() } else { format!("{ms}ms") }
    };
    let metric = match d.metric {
        Metric::FirstReply => "F",
        Metric::NextReply => "N",
        Metric::Resolution => "R",
        Metric::SpeedOfAnswer => "S",
        Metric::MessageReply => "M",
        Metric::Promise => "P",
        Metric::Duty => "D",
    };
    let state = match d.state {
        State::Running => "~",
        State::Paused => "=",
        State::Met => "+",
        State::Missed => "!",
        State::Cancelled => "x",
    };
    let answered = d.answered_at.map(second).unwrap_or_default();
    format!("{metric}{state}{answered} {}-{}", second(d.starts_at), second(d.due_at.unwrap()))
}

fn entries(log: &str) -> Vec<(&str, i64)> {
    log.split_whitespace().map(|part| part.split_once('@').unwrap()).map(|(what, at)| (what, at.parse().unwrap())).collect()
}

fn run(channel: &str, log: &str) -> Track {
    let (before, after) = both();
    let (mut track, mut books) = (Track::new(subject(1)), &before);
    for (what, second) in entries(log) {
        if what == "v2" {
            books = &after;
            continue;
        }
        fold(&mut track, books, &Entry { at: secs(second), input: input(what), facts: facts(channel) });
    }
    track
}

/// Channel, log (what happened at which second), and the deadlines in the order in which they started.
const TABLE: &[&str] = &[
    // First and next replies.
    "web | c@0 | F~ 0-100; R~ 0-1000",
    "web | c@0 h@60 | F+60 0-100; R~ 0-1000",
    "web | c@0 h@100 | F+100 0-100; R~ 0-1000",
    "web | c@0 h@101 | F!101 0-100; R~ 0-1000",
    "web | c@0 p@100 | F~ 0-100; R~ 0-1000",
    "web | c@0 p@101 | F! 0-100; R~ 0-1000",
    "web | c@0 p@500 h@600 | F!600 0-100; R~ 0-1000",
    "web | c@0 c@50 c@90 | F~ 0-100; R~ 0-1000",
    "web | c@0 h@10 c@20 | F+10 0-100; R~ 0-1000; N~ 20-70",
    "web | c@0 h@10 c@20 c@40 h@60 | F+10 0-100; R~ 0-1000; N+60 20-70",
    "web | c@0 h@10 c@20 h@71 | F+10 0-100; R~ 0-1000; N!71 20-70",
    "web | c@0 h@10 c@20 c@80 h@90 | F+10 0-100; R~ 0-1000; N!90 20-70",
    "web | c@0 h@10 c@20 h@30 c@40 | F+10 0-100; R~ 0-1000; N+30 20-70; N~ 40-90",
    "web | c@0 h@200 c@210 | F!200 0-100; R~ 0-1000; N~ 210-260",
    "web | h@0 c@10 | N~ 10-60; R~ 10-1010",
    "web | c@0 h@0 | F+0 0-100; R~ 0-1000",
    "web | h@10 h@20 | ",
    "vip web | c@0 | F~ 0-30",
    "vip web | c@0 h@31 c@40 | F!31 0-30",
    // AI seats and automatic texts.
    "web | c@0 b@5 | F~ 0-100; R~ 0-1000",
    "web | c@0 n@5 | F~ 0-100; R~ 0-1000",
    "web | c@0 b@5 c@10 b@15 p@101 | F! 0-100; R~ 0-1000",
    "web | c@0 b@5 h@50 | F+50 0-100; R~ 0-1000",
    "web | c@0 h@10 c@20 b@30 n@31 p@71 | F+10 0-100; R~ 0-1000; N! 20-70",
    "app | c@0 b@5 | F+5 0-100",
    "app | c@0 n@5 | F~ 0-100",
    "app | c@0 b@5 c@10 | F+5 0-100; N~ 10-60",
    "app | c@0 b@5 c@10 b@20 | F+5 0-100; N+20 10-60",
    "app | c@0 b@5 c@10 h@20 | F+5 0-100; N+20 10-60",
    "app | c@0 h@5 c@10 n@20 | F+5 0-100; N~ 10-60",
    // Speed of answer.
    "web | q@0 | S~ 0-20",
    "web | q@0 ok@20 | S+20 0-20",
    "web | q@0 ok@21 | S!21 0-20",
    "web | q@0 a@5 ok@10 | S+10 0-20",
    "web | a@5 | S~ 5-25",
    "web | a@5 ok@6 | S+6 5-25",
    "web | q@0 a@5 q@15 a@18 ok@20 | S+20 0-20",
    "web | q@0 a@5 ok@6 t@30 a@30 | S+6 0-20; S~ 30-50",
    "web | q@0 a@5 ok@6 t@30 q@30 a@35 ok@40 | S+6 0-20; S+40 30-50",
    "web | q@0 ai@5 ok@6 | S~ 0-20",
    "web | q@0 ai@5 ok@6 a@10 ok@15 | S+15 0-20",
    "web | q@0 ai@5 ok@6 p@21 | S! 0-20",
    "app | q@0 ai@5 ok@6 | S+6 0-20",
    "web | q@0 x@10 | Sx 0-20",
    "web | q@0 x@30 | S! 0-20",
    "web | ok@5 | ",
    // Resolution, and its pauses.
    "web | c@0 h@10 x@500 | F+10 0-100; R+500 0-1000",
    "web | c@0 h@10 x@1000 | F+10 0-100; R+1000 0-1000",
    "web | c@0 h@10 x@1001 | F+10 0-100; R!1001 0-1000",
    "web | c@0 h@10 w@10 | F+10 0-100; R= 0-1300",
    "web | c@0 h@10 w@10 c@110 | F+10 0-100; R~ 0-1100; N~ 110-160",
    "web | c@0 h@10 w@10 c@10 | F+10 0-100; R~ 0-1000; N~ 10-60",
    "web | c@0 h@10 w@10 c@310 | F+10 0-100; R~ 0-1300; N~ 310-360",
    "web | c@0 h@10 w@10 c@311 | F+10 0-100; R~ 0-1300; N~ 311-361",
    "web | c@0 h@10 w@10 c@900 | F+10 0-100; R~ 0-1300; N~ 900-950",
    "web | c@0 h@10 w@10 p@1300 | F+10 0-100; R= 0-1300",
    "web | c@0 h@10 w@10 p@1301 | F+10 0-100; R! 0-1300",
    "web | c@0 h@10 w@10 c@1301 | F+10 0-100; R! 0-1300; N~ 1301-1351",
    "web | c@0 h@10 w@10 c@110 h@120 w@120 c@220 | F+10 0-100; R~ 0-1200; N+120 110-160; N~ 220-270",
    "web | c@0 h@10 w@10 c@210 h@220 w@220 c@420 | F+10 0-100; R~ 0-1300; N+220 210-260; N~ 420-470",
    "web | c@0 h@10 w@10 c@310 h@320 w@320 | F+10 0-100; R~ 0-1300; N+320 310-360",
    "web | c@0 h@10 w@10 w@50 c@110 | F+10 0-100; R~ 0-1100; N~ 110-160",
    "web | c@0 h@10 w@10 x@600 | F+10 0-100; R+600 0-1300",
    "web | c@0 h@10 w@10 x@1300 | F+10 0-100; R+1300 0-1300",
    "web | c@0 h@10 w@10 x@1301 | F+10 0-100; R!1301 0-1300",
    "web | c@0 h@10 w@10 t@50 a@50 | F+10 0-100; R= 0-1300; S~ 50-70",
    "web | c@0 h@10 w@1000 | F+10 0-100; R= 0-1300",
    "web | c@0 h@10 w@1000 c@1000 | F+10 0-100; R~ 0-1000; N~ 1000-1050",
    "web | c@0 h@10 w@1001 | F+10 0-100; R! 0-1000",
    // Closing and opening again.
    "web | c@0 x@50 | Fx 0-100; R+50 0-1000",
    "web | c@0 x@150 | F! 0-100; R+150 0-1000",
    "web | c@0 x@50 p@200 h@300 | Fx 0-100; R+50 0-1000",
    "web | c@0 x@150 h@300 | F! 0-100; R+150 0-1000",
    "web | c@0 h@10 x@50 r@60 | F+10 0-100; R+50 0-1000; R~ 60-1060",
    "web | c@0 h@10 x@50 r@60 c@70 | F+10 0-100; R+50 0-1000; R~ 60-1060; N~ 70-120",
    "web | c@0 h@10 x@50 c@70 | F+10 0-100; R+50 0-1000; N~ 70-120; R~ 70-1070",
    "web | c@0 h@10 x@1200 r@1300 x@1400 | F+10 0-100; R!1200 0-1000; R+1400 1300-2300",
    "web | c@0 h@10 x@50 x@60 | F+10 0-100; R+50 0-1000",
    "web | r@0 r@5 | R~ 0-1000",
    "web | x@0 | ",
    // Handing on changes nothing that is owed.
    "web | c@0 t@50 | F~ 0-100; R~ 0-1000",
    "web | c@0 t@50 t@60 h@100 | F+100 0-100; R~ 0-1000",
    "web | c@0 t@101 h@110 | F!110 0-100; R~ 0-1000",
    // Merged and erased.
    "web | c@0 m@50 p@200 | Fx 0-100; Rx 0-1000",
    "web | c@0 m@101 | F! 0-100; Rx 0-1000",
    "web | c@0 e@50 p@9999 | Fx 0-100; Rx 0-1000",
    "doudian | c@0 e@50 p@9999 | Fx 0-100; Rx 0-1000; Mx 0-180",
    // Another version counts for what starts afterwards.
    "web | c@0 v2@10 h@50 | F+50 0-100; R~ 0-1000",
    "web | c@0 v2@10 h@50 c@60 | F+50 0-100; R~ 0-1000; N~ 60-65",
    "web | v2@0 c@0 | F~ 0-10; R~ 0-100",
    "web | c@0 h@10 w@10 v2@20 c@110 | F+10 0-100; R~ 0-1100; N~ 110-115",
    "web | c@0 h@10 v2@20 w@20 | F+10 0-100; R= 0-1300",
    "web | v2@0 c@0 h@5 w@5 c@60 | F+5 0-10; R~ 0-100; N~ 60-65",
    "web | q@0 v2@1 a@5 ok@15 | S+15 0-20",
    "web | v2@0 q@0 ok@3 | S!3 0-2",
    "app | c@0 b@5 v2@6 c@10 | F+5 0-100; F~ 10-20; R~ 10-110",
    "doudian | c@0 v2@5 c@10 | F~ 0-100; R~ 0-1000; M~ 0-180",
    // A clock that steps back.
    "web | c@0 c@-60 | F~ 0-100; R~ 0-1000",
    "web | c@0 p@101 p@50 h@60 | F!60 0-100; R~ 0-1000",
    "web | c@0 h@-50 | F+-50 0-100; R~ 0-1000",
    "web | c@0 h@10 w@10 c@-90 | F+10 0-100; R~ 0-1000; N~ -90--40",
    "web | c@0 h@10 w@-500 c@-400 | F+10 0-100; R~ 0-1000; N~ -400--350",
    "web | c@0 h@10 w@-500 | F+10 0-100; R= 0-1300",
    "web | c@0 h@10 w@10 p@1301 c@100 | F+10 0-100; R! 0-1300; N~ 100-150",
    "web | c@0 h@10 x@1001 r@500 x@2000 | F+10 0-100; R!1001 0-1000; R!2000 500-1500",
    // Platforms' clocks, for each message. They outlast the brand's closing.
    "doudian | c@0 | F~ 0-100; R~ 0-1000; M~ 0-180",
    "doudian | c@0 c@30 h@60 | F+60 0-100; R~ 0-1000; M+60 0-180; M+60 30-210",
    "doudian | c@0 c@30 h@200 | F!200 0-100; R~ 0-1000; M!200 0-180; M+200 30-210",
    "doudian | c@0 b@10 n@20 p@181 | F! 0-100; R~ 0-1000; M! 0-180",
    "doudian | c@0 x@60 p@181 | Fx 0-100; R+60 0-1000; M! 0-180",
    "doudian | c@0 h@60 x@60 | F+60 0-100; R+60 0-1000; M+60 0-180",
    "taobao | c@0 h@180 | F!180 0-100; R~ 0-1000; M+180 0-180",
    "pinduoduo | c@0 h@181 | F!181 0-100; R~ 0-1000; M!181 0-180",
    "wechat | c@0 | F~ 0-100; R~ 0-1000",
    // The window is from 08:00 (-3600) to 23:00 (50400).
    "doudian | c@-3601 | F~ -3601--3501; R~ -3601--2601",
    "doudian | c@-3600 | F~ -3600--3500; R~ -3600--2600; M~ -3600--3420",
    "doudian | c@50399 | F~ 50399-50499; R~ 50399-51399; M~ 50399-50579",
    "doudian | c@50400 | F~ 50400-50500; R~ 50400-51400",
    // Business hours: 09:00 (0) to 12:00 (10800), 13:00 (14400) to 18:00 (32400); the next day from 86400.
    "email | c@0 | F~ 0-3600; R~ 0-32400",
    "email | c@9000 | F~ 9000-16200; R~ 9000-95400",
    "email | c@9000 h@12000 | F+12000 9000-16200; R~ 9000-95400",
    "email | c@30600 | F~ 30600-88200; R~ 30600-117000",
    "email | c@40000 h@86400 | F+86400 40000-90000; R~ 40000-118800",
    "email | c@0 h@3600 w@3600 c@7200 | F+3600 0-3600; R~ 0-90000; N~ 7200-9000",
    "email | c@0 h@3600 w@3600 c@18000 | F+3600 0-3600; R~ 0-97200; N~ 18000-19800",
    "email | c@0 h@3600 w@10800 c@14400 | F+3600 0-3600; R~ 0-32400; N~ 14400-16200",
    "email | c@0 h@3600 w@3600 c@40000 | F+3600 0-3600; R~ 0-97200; N~ 40000-88200",
    // From Friday evening (378000 is Friday, 18:00) to Monday (604800).
    "email | c@377000 h@604800 | F+604800 377000-607400; R~ 377000-636200",
    "email | c@377000 p@607401 | F! 377000-607400; R~ 377000-636200",
];

#[test]
fn a_table_of_logs() {
    assert!(TABLE.len() >= 125, "{}", TABLE.len());
    let mut wrong = Vec::new();
    for row in TABLE {
        let [channel, log, expected] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else { panic!("{row}") };
        let found = run(channel, log).deadlines.iter().map(shown).collect::<Vec<_>>().join("; ");
        if found != expected {
            wrong.push(format!("{row}\n   is {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_deadline_is_stamped_with_its_rule_and_its_consequence() {
    let track = run("web", "q@0");
    let stamped = &track.deadlines[0];
    assert_eq!((stamped.rule.as_str(), stamped.version, stamped.consequence.as_deref()), ("all", 1, Some("bonus")));
    let of_platform = run("doudian", "c@0").deadlines.pop().unwrap();
    assert_eq!((of_platform.rule.as_str(), of_platform.source), ("doudian.3min.v1", Source::Platform));
    assert!(of_platform.human_only);
    let mut track = Track::new(subject(1));
    let message = MessageId::from_bytes(&[9; 16]).unwrap();
    let entry = Entry { at: secs(0), input: Input::Customer(Some(message)), facts: facts("doudian") };
    fold(&mut track, &both().0, &entry);
    assert_eq!(track.deadlines.last().unwrap().message, Some(message));
}

#[test]
fn a_merge_keeps_the_stricter_of_two_clocks() {
    for (one, other, of_one, of_other) in [
        ("c@0", "c@50", "F~ 0-100; R~ 0-1000", "Fx 50-150; Rx 50-1050"),
        ("c@50", "c@0", "Fx 50-150; Rx 50-1050; F~ 0-100; R~ 0-1000", "Fx 0-100; Rx 0-1000"),
        ("c@0 h@10", "c@50", "F+10 0-100; R~ 0-1000; F~ 50-150", "Fx 50-150; Rx 50-1050"),
        ("c@50", "q@55 c@55", "F~ 50-150; R~ 50-1050; S~ 55-75", "Sx 55-75; Fx 55-155; Rx 55-1055"),
        ("c@-200", "c@50", "F! -200--100; R~ -200-800; F~ 50-150", "Fx 50-150; Rx 50-1050"),
        ("c@50", "c@-200", "F~ 50-150; Rx 50-1050; R~ -200-800", "F! -200--100; Rx -200-800"),
    ] {
        let (mut into, mut from) = (run("web", one), run("web", other));
        from.subject = subject(2);
        merge(&mut into, &mut from, secs(60));
        let all = |track: &Track| track.deadlines.iter().map(shown).collect::<Vec<_>>().join("; ");
        assert_eq!((all(&into).as_str(), all(&from).as_str()), (of_one, of_other), "{one} with {other}");
        assert!(into.deadlines.iter().all(|d| d.subject == into.subject));
        // Nothing that was merged away is ever missed.
        let live = from.deadlines.iter().filter(|d| d.is_live()).count();
        assert_eq!(live, 0);
    }
    // A platform's clocks and promises all move.
    let (mut into, mut from) = (run("doudian", "c@0"), run("doudian", "c@1 c@2"));
    from.deadlines.push(until(subject(2), (Metric::Promise, Source::Promise), "today", secs(3), Some(secs(900))));
    merge(&mut into, &mut from, secs(60));
    let live: Vec<_> = into.deadlines.iter().filter(|d| d.is_live()).map(shown).collect();
    assert_eq!(live.join("; "), "F~ 0-100; R~ 0-1000; M~ 0-180; M~ 1-181; M~ 2-182; P~ 3-900");
}

#[test]
fn the_nearest_is_the_live_one_that_is_due_first() {
    let track = run("doudian", "q@0 c@0 h@10 ok@10 c@20");
    assert_eq!(nearest(&track.deadlines).map(shown).unwrap(), "N~ 20-70");
    assert_eq!(nearest(&run("web", "c@0 x@5").deadlines), None);
    let undated = until(subject(1), (Metric::Promise, Source::Promise), "undated", secs(0), None);
    assert_eq!(nearest(&[undated]), None);
    let early = until(subject(1), (Metric::Duty, Source::Law), "mps.48h", secs(10), Some(secs(0)));
    assert_eq!(early.due_at, Some(secs(10)), "never due before it starts");
}

#[test]
fn what_is_to_be_looked_at_and_when() {
    let (books, _) = both();
    let of = |channel: &str, log: &str, n: usize, done: i64| {
        let found = looks(&run(channel, log).deadlines[n], &books, done);
        found.into_iter().map(|(at, look)| (at.since(base()), look)).collect::<Vec<_>>()
    };
    let second = 1000;
    // 80 percent of 100 s, a minute before, an escalation a minute before; then it is due.
    let all = vec![
        (40 * second, Look::Warn(1)),
        (40 * second, Look::Escalate(0)),
        (80 * second, Look::Warn(0)),
        (100 * second + 1, Look::Due),
    ];
    assert_eq!(of("web", "c@0", 0, 0), all);
    assert_eq!(of("web", "c@0", 0, Look::Warn(1).bit() | Look::Escalate(0).bit()), all[2..]);
    // Missed, only what comes after is left. Answered, nothing is.
    assert_eq!(of("web", "c@0 p@101", 0, 0), [(220 * second, Look::Escalate(1))]);
    assert_eq!(of("web", "c@0 h@101", 0, 0), []);
    assert_eq!(of("web", "c@0 h@50", 0, 0), []);
    // A paused one has only its last instant. Afterwards, its warnings have moved with it.
    assert_eq!(of("web", "c@0 h@10 w@10", 1, 0), [(1300 * second + 1, Look::Due)]);
    let moved = of("web", "c@0 h@10 w@10 c@110", 1, 0);
    assert_eq!(moved[0], (900 * second, Look::Warn(0)), "80 percent of 1,000 s and a pause of 100 s");
    assert_eq!(moved[1], (1040 * second, Look::Warn(1)));
    assert_eq!(of("doudian", "c@0", 2, 0), [(150 * second, Look::Warn(0)), (180 * second + 1, Look::Due)]);
    // A minute before, of a deadline of 20 s, is its start.
    assert_eq!(of("web", "q@0", 0, 0)[0], (0, Look::Warn(1)));
    // Percent are of business time; the escalation an hour after waits for the next morning.
    let mail = of("email", "c@27000", 0, 0);
    assert_eq!(mail[0], (28800 * second, Look::Warn(0)));
    assert_eq!(of("email", "c@27000 p@30601", 0, 0), [(86400 * second, Look::Escalate(0))], "18:30 is closed");
    assert_eq!(of("email", "c@25000 p@28601", 0, 0), [(32200 * second, Look::Escalate(0))]);
}

#[test]
fn a_head_start_begins_with_the_first_warning() {
    let (books, _) = both();
    let first = &run("web", "c@0").deadlines[0];
    for (second, minutes) in [(0, 0), (39, 0), (40, 15), (99, 15)] {
        assert_eq!(head_start(first, &books, secs(second)), minutes, "{second}");
    }
    assert_eq!(head_start(&run("web", "c@0 p@101").deadlines[0], &books, secs(101)), 15);
    assert_eq!(head_start(&run("web", "c@0 h@50").deadlines[0], &books, secs(101)), 0);
    assert_eq!(head_start(&run("doudian", "c@0").deadlines[2], &books, secs(170)), 0);
}

#[test]
fn a_flood_of_messages_starts_a_limited_number_of_clocks() {
    let mut track = Track::new(subject(1));
    let (books, _) = both();
    for n in 0..1_000 {
        fold(&mut track, &books, &Entry { at: secs(n / 100), input: input("c"), facts: facts("doudian") });
    }
    assert_eq!(track.deadlines.len(), 202);
}

fn any_log() -> impl Strategy<Value = Vec<(Input, Timestamp)>> {
    let words =
        prop::sample::select(vec!["c", "h", "b", "n", "q", "a", "ai", "ok", "w", "t", "x", "r", "m", "e", "p", "c", "w"]);
    // Mostly the clock goes on. Sometimes it jumps, and sometimes it steps back.
    let step = prop_oneof![6 => 0i64..40_000, 2 => 0i64..2_000_000, 1 => -600_000i64..0, 1 => 0i64..90_000_000];
    proptest::collection::vec((words, step), 0..40).prop_map(|all| {
        let mut now = base();
        let log = all.into_iter().map(|(word, step)| {
            now = now.plus_millis(step);
            (input(word), now)
        });
        log.collect()
    })
}

fn any_channel() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["web", "app", "doudian", "email", "vip web"])
}

fn apply(track: &mut Track, channel: &str, log: &[(Input, Timestamp)]) {
    let (books, _) = both();
    for (input, at) in log {
        fold(track, &books, &Entry { at: *at, input: input.clone(), facts: facts(channel) });
    }
}

proptest! {
    #[test]
    fn a_deadline_is_never_due_before_it_starts(channel in any_channel(), log in any_log()) {
        let mut track = Track::new(subject(1));
        for entry in &log {
            apply(&mut track, channel, std::slice::from_ref(entry));
            for d in &track.deadlines {
                prop_assert!(d.due_at.unwrap() >= d.starts_at, "{d:?}");
                prop_assert!(d.used_ms <= d.target_ms && d.pause_left_ms >= 0 && d.paused_ms >= 0, "{d:?}");
                prop_assert_eq!(d.state == State::Paused, d.paused_at.is_some() && d.is_live());
            }
        }
    }

    #[test]
    fn the_fold_of_a_log_in_parts_is_the_fold_of_the_log(channel in any_channel(), log in any_log(), cut in 0usize..40) {
        let cut = cut.min(log.len());
        let (mut whole, mut parts) = (Track::new(subject(1)), Track::new(subject(1)));
        apply(&mut whole, channel, &log);
        apply(&mut parts, channel, &log[..cut]);
        // A store keeps the open ones at hand, and what ended apart.
        let (open, ended): (Vec<_>, Vec<_>) = std::mem::take(&mut parts.deadlines).into_iter().partition(Deadline::is_open);
        parts.deadlines = open;
        apply(&mut parts, channel, &log[cut..]);
        parts.deadlines.extend(ended);
        let sorted = |track: &Track| {
            let mut all: Vec<String> = track.deadlines.iter().map(|d| format!("{d:?}")).collect();
            all.sort();
            all
        };
        prop_assert_eq!(sorted(&whole), sorted(&parts));
    }

    #[test]
    fn a_miss_is_final_and_what_ended_stays_as_it_is(channel in any_channel(), log in any_log()) {
        let mut track = Track::new(subject(1));
        for entry in &log {
            let before = track.deadlines.clone();
            apply(&mut track, channel, std::slice::from_ref(entry));
            for (old, new) in before.iter().zip(&track.deadlines) {
                prop_assert!(old.state != State::Missed || new.state == State::Missed);
                prop_assert!(old.state != State::Missed || new.due_at == old.due_at);
                prop_assert!(old.is_open() || old == new);
                prop_assert_eq!((old.starts_at, old.target_ms, old.version), (new.starts_at, new.target_ms, new.version));
            }
        }
    }

    #[test]
    fn noticing_late_changes_no_instant(channel in any_channel(), log in any_log(), at in 0usize..40) {
        // Time that passes unseen, or is seen at any place of a log whose clock goes on, makes the same deadlines.
        let mut log = log;
        log.sort_by_key(|(_, at)| *at);
        let at = at.min(log.len());
        let (mut seen, mut unseen) = (Track::new(subject(1)), Track::new(subject(1)));
        apply(&mut unseen, channel, &log);
        apply(&mut seen, channel, &log[..at]);
        if let Some((_, next)) = log.get(at) {
            apply(&mut seen, channel, &[(Input::Passed, *next)]);
        }
        apply(&mut seen, channel, &log[at..]);
        prop_assert_eq!(seen, unseen);
    }

    #[test]
    fn a_pause_never_shortens(at_first in 0i64..900, length in -600i64..900, again in 0i64..900, more in 0i64..900, channel in prop::sample::select(vec!["web", "email"])) {
        let due = |track: &Track| track.deadlines.iter().find(|d| d.metric == Metric::Resolution).unwrap().due_at.unwrap();
        let mut track = run(channel, "c@0 h@0");
        let mut last = due(&track);
        for (word, second) in [("w", at_first), ("c", at_first + length), ("w", at_first + length + again), ("c", at_first + length + again + more)] {
            let running = track.deadlines.iter().any(|d| d.metric == Metric::Resolution && d.state == State::Running);
            apply(&mut track, channel, &[(input(word), secs(second))]);
            let now = due(&track);
            prop_assert!(now >= secs(if channel == "web" { 1000 } else { 32_400 }), "not shorter than without a pause");
            if running {
                prop_assert!(now >= last);
            }
            last = now;
        }
    }

    #[test]
    fn nothing_automatic_meets_what_only_people_meet(log in any_log()) {
        let machine: Vec<_> = log.into_iter().filter(|(input, _)| *input != Input::Reply(By::Human)).collect();
        let mut track = Track::new(subject(1));
        apply(&mut track, "doudian", &machine);
        let replies = [Metric::FirstReply, Metric::NextReply, Metric::MessageReply];
        for d in track.deadlines.iter().filter(|d| replies.contains(&d.metric)) {
            prop_assert!(d.state != State::Met && d.answered_at.is_none(), "{d:?}");
        }
    }

    #[test]
    fn no_instant_panics(words in proptest::collection::vec((prop::sample::select(vec!["c", "h", "q", "ok", "w", "x", "r", "p"]), prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)]), 0..12), channel in any_channel()) {
        let log: Vec<_> = words.into_iter().map(|(word, ms)| (input(word), Timestamp::from_millis(ms))).collect();
        let mut track = Track::new(subject(1));
        apply(&mut track, channel, &log);
        let (books, _) = both();
        for d in &track.deadlines {
            prop_assert!(d.due_at.unwrap() >= d.starts_at);
            let _ = (looks(d, &books, 0), head_start(d, &books, Timestamp::from_millis(i64::MAX)));
        }
    }
}
