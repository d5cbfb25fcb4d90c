//! Promises: a table of sentences, when they were written, and the due instant.

use crate::{at, hours};
use proptest::prelude::*;
use warmline_deadlines::calendar::{Calendar, Zone, ZoneChange};
use warmline_deadlines::promise::{Promised, due, makes};
use warmline_model::Timestamp;

/// Sentence, written (a local time in China; 2026-11-25 is a Wednesday), due (local; `-`: none), kind. National Day and the working
/// Saturday 2026-10-10 are in the calendar.
const TABLE: &[&str] = &[
    "今天下午发货 | 2026-11-25T10:00 | 2026-11-25T18:00 | today",
    "今天下午发货 | 2026-11-25T18:30 | 2026-11-26T00:00 | today",
    "今天给您处理 | 2026-11-25T10:00 | 2026-11-26T00:00 | today",
    "今日内给您答复 | 2026-11-25T10:00 | 2026-11-26T00:00 | today",
    "當天給您發貨 | 2026-11-25T10:00 | 2026-11-26T00:00 | today",
    "今晚给您回复 | 2026-11-25T10:00 | 2026-11-26T00:00 | today",
    "今晚8点给您打电话 | 2026-11-25T10:00 | 2026-11-25T20:00 | today",
    "今天上午给您答复 | 2026-11-25T09:00 | 2026-11-25T12:00 | today",
    "今天上午给您答复 | 2026-11-25T13:00 | 2026-11-26T00:00 | today",
    "今天下午3点前给您答复 | 2026-11-25T09:00 | 2026-11-25T15:00 | today",
    "今天下午三点半前给您答复 | 2026-11-25T09:00 | 2026-11-25T15:30 | today",
    "今天18:00前发出 | 2026-11-25T09:00 | 2026-11-25T18:00 | today",
    "今天17点30分前发出 | 2026-11-25T09:00 | 2026-11-25T17:30 | today",
    "今天5点前发出 | 2026-11-25T14:00 | 2026-11-25T17:00 | today",
    "今天之前没有发货，明天发 | 2026-11-25T14:00 | 2026-11-27T00:00 | tomorrow",
    "今天发不了，明天发货 | 2026-11-25T14:00 | 2026-11-27T00:00 | tomorrow",
    "今天差不多能发 | 2026-11-25T14:00 | 2026-11-26T00:00 | today",
    "下午给您回电 | 2026-11-25T10:00 | 2026-11-25T18:00 | part",
    "下午两点前给您回电 | 2026-11-25T10:00 | 2026-11-25T14:00 | part",
    "上午给您回电 | 2026-11-25T15:00 | 2026-11-26T12:00 | part",
    "晚上9点给您回电 | 2026-11-25T15:00 | 2026-11-25T21:00 | part",
    "中午之前发 | 2026-11-25T09:00 | 2026-11-25T13:00 | part",
    "18:00前发货 | 2026-11-25T10:00 | 2026-11-25T18:00 | time",
    "１８：００之前发货 | 2026-11-25T19:00 | 2026-11-26T18:00 | time",
    "明天上午发货 | 2026-11-25T10:00 | 2026-11-26T12:00 | tomorrow",
    "明天发货 | 2026-11-25T10:00 | 2026-11-27T00:00 | tomorrow",
    "明早给您答复 | 2026-11-25T22:00 | 2026-11-26T10:00 | tomorrow",
    "明天晚上前 | 2026-11-25T22:00 | 2026-11-27T00:00 | tomorrow",
    "明日10點前給您答覆 | 2026-11-25T22:00 | 2026-11-26T10:00 | tomorrow",
    "次日达 | 2026-11-25T22:00 | 2026-11-27T00:00 | tomorrow",
    "后天送到 | 2026-11-25T22:00 | 2026-11-28T00:00 | day_after_tomorrow",
    "後天送到 | 2026-11-25T22:00 | 2026-11-28T00:00 | day_after_tomorrow",
    "大后天送到 | 2026-11-25T22:00 | 2026-11-29T00:00 | days",
    "周五发货 | 2026-11-25T10:00 | 2026-11-28T00:00 | weekday",
    "周三发货 | 2026-11-25T10:00 | 2026-11-26T00:00 | weekday",
    "周二发货 | 2026-11-25T10:00 | 2026-12-02T00:00 | weekday",
    "星期天送到 | 2026-11-25T10:00 | 2026-11-30T00:00 | weekday",
    "禮拜五下午送到 | 2026-11-25T10:00 | 2026-11-27T18:00 | weekday",
    "这周五送到 | 2026-11-25T10:00 | 2026-11-28T00:00 | weekday",
    "本周一送到 | 2026-11-25T10:00 | 2026-11-26T00:00 | weekday",
    "下周一给您 | 2026-11-25T10:00 | 2026-12-01T00:00 | weekday",
    "下个星期一上午给您 | 2026-11-25T10:00 | 2026-11-30T12:00 | weekday",
    "下下周三给您 | 2026-11-25T10:00 | 2026-12-10T00:00 | weekday",
    "下周给您 | 2026-11-25T10:00 | 2026-12-07T00:00 | week",
    "本周内给您 | 2026-11-25T10:00 | 2026-11-30T00:00 | week",
    "周末前给您 | 2026-11-25T10:00 | 2026-11-30T00:00 | week",
    "月底前退款 | 2026-11-25T10:00 | 2026-12-01T00:00 | month_end",
    "月底退款 | 2026-11-30T23:59 | 2026-12-01T00:00 | month_end",
    "月底退款 | 2028-02-03T10:00 | 2028-03-01T00:00 | month_end",
    "下个月底退款 | 2026-12-25T10:00 | 2027-02-01T00:00 | month_end",
    "12月5日到货 | 2026-11-25T10:00 | 2026-12-06T00:00 | date",
    "1月5号到货 | 2026-11-25T10:00 | 2027-01-06T00:00 | date",
    "2月29日到货 | 2026-11-25T10:00 | 2028-03-01T00:00 | date",
    "28号到货 | 2026-11-25T10:00 | 2026-11-29T00:00 | date",
    "5号上午到货 | 2026-11-25T10:00 | 2026-12-05T12:00 | date",
    "31号到货 | 2026-11-25T10:00 | 2027-01-01T00:00 | date",
    "3天内送达 | 2026-11-25T10:00 | 2026-11-28T10:00 | days",
    "三天之内送达 | 2026-11-25T10:00 | 2026-11-28T10:00 | days",
    "2-3天内送达 | 2026-11-25T10:00 | 2026-11-28T10:00 | days",
    "两三天内送达 | 2026-11-25T10:00 | 2026-11-28T10:00 | days",
    "七日内退款 | 2026-11-25T10:00 | 2026-12-02T10:00 | days",
    "两天后送达 | 2026-11-25T10:00 | 2026-11-28T00:00 | days",
    "48小时内发货 | 2026-11-25T10:00 | 2026-11-27T10:00 | hours",
    "４８小時以內發貨 | 2026-11-25T10:00 | 2026-11-27T10:00 | hours",
    "四十八小时内发货 | 2026-11-25T10:00 | 2026-11-27T10:00 | hours",
    "二十四个小时之内 | 2026-11-25T10:00 | 2026-11-26T10:00 | hours",
    "十二小时内 | 2026-11-25T10:00 | 2026-11-25T22:00 | hours",
    "半小时内回复您 | 2026-11-25T10:00 | 2026-11-25T10:30 | hours",
    "1.5小时内回复您 | 2026-11-25T10:00 | 2026-11-25T11:30 | hours",
    "两个钟头内 | 2026-11-25T10:00 | 2026-11-25T12:00 | hours",
    "一个小时后给您回电 | 2026-11-25T10:00 | 2026-11-25T11:00 | hours",
    "10分钟内回复 | 2026-11-25T10:00 | 2026-11-25T10:10 | minutes",
    "十五分钟左右 | 2026-11-25T10:00 | 2026-11-25T10:15 | minutes",
    "两个工作日内处理 | 2026-11-25T10:00 | 2026-11-27T18:00 | working_days",
    "1-2个工作日 | 2026-11-27T10:00 | 2026-12-01T18:00 | working_days",
    "3個工作日內到賬 | 2026-09-30T10:00 | 2026-10-10T18:00 | working_days",
    "一个工作日内 | 2026-10-09T20:00 | 2026-10-10T18:00 | working_days",
    "马上给您处理 | 2026-11-25T10:00 | 2026-11-25T10:30 | soon",
    "馬上給您處理 | 2026-11-25T10:00 | 2026-11-25T10:30 | soon",
    "立即为您安排 | 2026-11-25T10:00 | 2026-11-25T10:30 | soon",
    "稍后给您回复 | 2026-11-25T10:00 | 2026-11-25T12:00 | later",
    "马上安排，今天下午发货 | 2026-11-25T10:00 | 2026-11-25T10:30 | soon",
    "We will ship it by tomorrow | 2026-11-25T10:00 | 2026-11-27T00:00 | tomorrow",
    "We'll call you tomorrow morning. | 2026-11-25T10:00 | 2026-11-26T12:00 | tomorrow",
    "the day after tomorrow | 2026-11-25T10:00 | 2026-11-28T00:00 | day_after_tomorrow",
    "We will reply within 2 hours | 2026-11-25T10:00 | 2026-11-25T12:00 | hours",
    "within 24 hours | 2026-11-25T10:00 | 2026-11-26T10:00 | hours",
    "within twenty-four hours | 2026-11-25T10:00 | 2026-11-26T10:00 | hours",
    "within an hour | 2026-11-25T10:00 | 2026-11-25T11:00 | hours",
    "in 30 minutes | 2026-11-25T10:00 | 2026-11-25T10:30 | minutes",
    "within three days | 2026-11-25T10:00 | 2026-11-28T10:00 | days",
    "in 2 days | 2026-11-25T10:00 | 2026-11-28T00:00 | days",
    "within 2 business days | 2026-11-25T10:00 | 2026-11-27T18:00 | working_days",
    "You will have it on Friday | 2026-11-25T10:00 | 2026-11-28T00:00 | weekday",
    "by Friday afternoon | 2026-11-25T10:00 | 2026-11-27T18:00 | weekday",
    "next Monday | 2026-11-25T10:00 | 2026-12-01T00:00 | weekday",
    "by the end of the day | 2026-11-25T10:00 | 2026-11-26T00:00 | today",
    "by the end of the month | 2026-11-25T10:00 | 2026-12-01T00:00 | month_end",
    "today at 3pm | 2026-11-25T10:00 | 2026-11-25T15:00 | today",
    "ＴＯＤＡＹ | 2026-11-25T10:00 | 2026-11-26T00:00 | today",
    "this afternoon | 2026-11-25T10:00 | 2026-11-25T18:00 | today",
    "right away | 2026-11-25T10:00 | 2026-11-25T10:30 | soon",
    "我们会尽快处理 | 2026-11-25T10:00 | - | -",
    "会给您补发 | 2026-11-25T10:00 | - | -",
    "客服24小时在线 | 2026-11-25T10:00 | - | -",
    "We will call you | 2026-11-25T10:00 | - | -",
    "有两点要说明 | 2026-11-25T10:00 | - | -",
    "订单20241100天内 | 2026-11-25T10:00 | - | -",
    "今天发不了 | 2026-11-25T10:00 | - | -",
    "32号到货 | 2026-11-25T10:00 | - | -",
    " | 2026-11-25T10:00 | - | -",
];

fn office() -> Calendar {
    let days = r#"["mon","tue","wed","thu","fri"]"#;
    let off = ["01", "02", "05", "06", "07"].map(|day| format!(r#"{{"date":"2026-10-{day}"}}"#)).join(",");
    let week = format!(r#"{{"days":{days},"from":"09:00","to":"12:00"}},{{"days":{days},"from":"13:00","to":"18:00"}}"#);
    let dates = format!(r#"{off},{{"date":"2026-10-10","open":[["09:00","18:00"]]}}"#);
    Calendar::new(&hours(&format!(r#"{{"week":[{week}],"dates":[{dates}]}}"#)), &Zone::default())
}

#[test]
fn a_table_of_promises() {
    assert!(TABLE.len() >= 100);
    let calendar = office();
    let mut wrong = Vec::new();
    for row in TABLE {
        let [sentence, written, expected, kind] = row.split(" | ").collect::<Vec<_>>()[..] else { panic!("{row}") };
        let local = |text: &str| at(&format!("{text}:00+08:00"));
        let expected = (expected != "-").then(|| (local(expected), kind.to_owned()));
        let found = due(sentence, local(written), &Zone::default(), &calendar).map(|p| (p.due_at, p.kind.to_owned()));
        if found != expected {
            wrong.push(format!("{row}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn working_days_without_a_calendar_are_monday_to_friday() {
    let found = due("两个工作日内", at("2026-11-27T10:00:00+08:00"), &Zone::default(), &Calendar::ALWAYS);
    assert_eq!(found, Some(Promised { kind: "working_days", due_at: at("2026-12-01T18:00:00+08:00") }));
}

#[test]
fn days_follow_the_zone_and_its_changes() {
    let berlin = Zone {
        minutes: 60,
        changes: vec![
            ZoneChange { from: at("2026-03-29T01:00:00Z"), minutes: 120 },
            ZoneChange { from: at("2026-10-25T01:00:00Z"), minutes: 60 },
        ],
    };
    for (sentence, written, expected) in [
        ("today", "2026-03-28T23:30:00Z", "2026-03-30T00:00:00+02:00"),
        ("tomorrow morning", "2026-03-28T20:00:00Z", "2026-03-29T12:00:00+02:00"),
        ("明天2:30前", "2026-03-28T12:00:00Z", "2026-03-29T03:30:00+02:00"),
        ("明天2:30前", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00"),
        ("within 24 hours", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
    ] {
        let found = due(sentence, at(written), &berlin, &Calendar::ALWAYS).map(|p| p.due_at);
        assert_eq!(found, Some(at(expected)), "{sentence} {written}");
    }
}

proptest! {
    #[test]
    fn no_sentence_and_no_instant_panics(
        text in "([一二三四五六日天周月底内小时分今明后下午上晚点半前号#0-9:.|-]|within|in|days| |hours|friday|by|.){0,24}",
        ms in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -2_000_000_000_000i64..5_000_000_000_000],
    ) {
        let written = Timestamp::from_millis(ms);
        for calendar in [office(), Calendar::ALWAYS] {
            if let Some(found) = due(&text, written, &Zone::default(), &calendar) {
                prop_assert!(found.due_at >= written);
            }
        }
    }
}

#[test]
fn a_time_and_something_to_be_done_are_a_promise() {
    let calendar = office();
    let written = at("2026-11-23T09:00:00+08:00");
    let promises = |sentence: &str| makes(sentence, due(sentence, written, &Zone::default(), &calendar).as_ref());
    for sentence in [
        "今天下午发货",
        "我们今天下午给您发货。",
        "明天送到您家",
        "款项24小时内退款",
        "三个工作日内开票",
        "周五前补发",
        "We ship this afternoon.",
        "会尽快处理",
        "给您补一袋",
    ] {
        assert!(promises(sentence), "{sentence}");
    }
    for sentence in [
        "今天下午我休息",
        "今天发不了货",
        "今天下午发货吗？",
        "今天下午发货吗",
        "昨天已经发货了",
        "您好",
        "发货要看仓库",
        "Do we ship this afternoon?",
    ] {
        assert!(!promises(sentence), "{sentence}");
    }
}
