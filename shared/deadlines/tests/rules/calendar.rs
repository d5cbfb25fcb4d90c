//! Business time: a table, and properties over drawn calendars.

use crate::{at, hours};
use proptest::prelude::*;
use warmline_deadlines::calendar::{Calendar, Zone, check};
use warmline_model::Timestamp;
use warmline_routing::hours::Hours;

const MON_TO_FRI: &str = r#"{"days":["mon","tue","wed","thu","fri"],"from":"09:00","to":"12:00"},
    {"days":["mon","tue","wed","thu","fri"],"from":"13:00","to":"18:00"}"#;
const ALL: &str = r#"["mon","tue","wed","thu","fri","sat","sun"]"#;

fn closed(dates: &[&str]) -> String {
    dates.iter().map(|date| format!(r#"{{"date":"{date}"}}"#)).collect::<Vec<_>>().join(",")
}

/// The calendars of the table: hours, and the zone with its changes.
fn calendar(name: &str) -> Calendar {
    let every = |from: &str, to: &str| format!(r#"{{"days":{ALL},"from":"{from}","to":"{to}"}}"#);
    let (week, dates) = match name {
        "day" => (every("00:00", "24:00"), String::new()),
        "office" | "newyork" => (MON_TO_FRI.to_owned(), String::new()),
        "lunch" => {
            let days = r#"["mon","tue","wed","thu","fri"]"#;
            let week = format!(
                r#"{{"days":{days},"from":"13:30","to":"18:00"}},{{"days":{days},"from":"09:00","to":"12:00"}},
                {{"days":["sat"],"from":"10:00","to":"15:00"}}"#
            );
            (week, String::new())
        }
        // National Day, and a Saturday that is worked for it.
        "golden" => {
            let off = closed(&["2026-10-01", "2026-10-02", "2026-10-05", "2026-10-06", "2026-10-07"]);
            let worked = r#"{"date":"2026-10-10","open":[["13:00","18:00"],["09:00","12:00"]]}"#;
            (MON_TO_FRI.to_owned(), format!("{worked},{off}"))
        }
        // Spring Festival, and two Saturdays that are worked for it, with hours of their own.
        "spring" => {
            let off = closed(&["2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20"]);
            let worked =
                r#"{"date":"2026-02-14","open":[["09:00","18:00"]]},{"date":"2026-02-28","open":[["10:00","16:00"]]}"#;
            (MON_TO_FRI.to_owned(), format!("{off},{worked}"))
        }
        "leap" => (every("09:00", "18:00"), r#"{"date":"2028-02-29","open":[["10:00","11:00"]]}"#.to_owned()),
        "night" => (format!("{},{}", every("00:00", "02:00"), every("22:00", "24:00")), String::new()),
        "berlin" => (every("01:00", "04:00"), String::new()),
        "lordhowe" => (every("01:30", "02:30"), String::new()),
        "brief" => (r#"{"days":["sun"],"from":"23:59","to":"24:00"}"#.to_owned(), String::new()),
        _ => panic!("no calendar {name}"),
    };
    let zone = match name {
        "berlin" => {
            r#"{"minutes":60,"changes":[{"from":"2026-03-29T01:00:00Z","minutes":120},{"from":"2026-10-25T01:00:00Z","minutes":60}]}"#
        }
        "newyork" => {
            r#"{"minutes":-300,"changes":[{"from":"2026-03-08T07:00:00Z","minutes":-240},{"from":"2026-11-01T06:00:00Z","minutes":-300}]}"#
        }
        // Half an hour of summer time.
        "lordhowe" => {
            r#"{"minutes":660,"changes":[{"from":"2026-04-04T15:00:00Z","minutes":630},{"from":"2026-10-03T15:30:00Z","minutes":660}]}"#
        }
        _ => r#"{"minutes":480}"#,
    };
    let hours = hours(&format!(r#"{{"week":[{week}],"dates":[{dates}]}}"#));
    check(&hours, "hours").unwrap();
    let zone: Zone = serde_json::from_str(zone).unwrap();
    zone.check("zone").unwrap();
    Calendar::new(&hours, &zone)
}

/// Calendar, start, milliseconds of business time, due instant, and what the row is about. Another program computed the rows,
/// minute by minute.
const TABLE: &[&str] = &[
    "office | 2026-11-23T09:00:00.000+08:00 | 3600000 | 2026-11-23T10:00:00.000+08:00 | in a span",
    "office | 2026-11-23T09:00:00.000+08:00 | 10800000 | 2026-11-23T12:00:00.000+08:00 | to its very end",
    "office | 2026-11-23T09:00:00.000+08:00 | 10800001 | 2026-11-23T13:00:00.001+08:00 | a millisecond more goes over lunch",
    "office | 2026-11-23T11:59:59.999+08:00 | 1 | 2026-11-23T12:00:00.000+08:00 | the last millisecond",
    "office | 2026-11-23T11:59:59.999+08:00 | 2 | 2026-11-23T13:00:00.001+08:00 | and the next",
    "office | 2026-11-23T12:00:00.000+08:00 | 1 | 2026-11-23T13:00:00.001+08:00 | closed for lunch",
    "office | 2026-11-23T12:30:00.000+08:00 | 3600000 | 2026-11-23T14:00:00.000+08:00 | begins at lunch",
    "office | 2026-11-23T17:59:00.000+08:00 | 60000 | 2026-11-23T18:00:00.000+08:00 | to the end of the day",
    "office | 2026-11-23T17:59:00.000+08:00 | 120000 | 2026-11-24T09:01:00.000+08:00 | over night",
    "office | 2026-11-23T18:00:00.000+08:00 | 1 | 2026-11-24T09:00:00.001+08:00 | after hours",
    "office | 2026-11-23T03:00:00.000+08:00 | 3600000 | 2026-11-23T10:00:00.000+08:00 | before hours",
    "office | 2026-11-27T17:00:00.000+08:00 | 7200000 | 2026-11-30T10:00:00.000+08:00 | over a weekend",
    "office | 2026-11-28T10:00:00.000+08:00 | 3600000 | 2026-11-30T10:00:00.000+08:00 | on a Saturday",
    "office | 2026-11-29T23:59:59.999+08:00 | 3600000 | 2026-11-30T10:00:00.000+08:00 | on a Sunday",
    "office | 2026-11-23T09:00:00.000+08:00 | 28800000 | 2026-11-23T18:00:00.000+08:00 | a working day",
    "office | 2026-11-23T09:00:00.000+08:00 | 144000000 | 2026-11-27T18:00:00.000+08:00 | a working week",
    "office | 2026-11-23T09:00:00.000+08:00 | 144000001 | 2026-11-30T09:00:00.001+08:00 | and a millisecond",
    "office | 2026-12-31T17:30:00.000+08:00 | 3600000 | 2027-01-01T09:30:00.000+08:00 | over a year",
    "office | 2026-11-24T00:00:00.000+08:00 | 3600000 | 2026-11-24T10:00:00.000+08:00 | midnight in China",
    "office | 2026-11-23T10:15:30.123+08:00 | 5400007 | 2026-11-23T11:45:30.130+08:00 | milliseconds count",
    "day | 2026-11-23T00:00:00.000+08:00 | 86400000 | 2026-11-24T00:00:00.000+08:00 | a day",
    "day | 2026-11-23T23:59:59.999+08:00 | 1 | 2026-11-24T00:00:00.000+08:00 | to midnight",
    "day | 2026-11-23T23:59:59.999+08:00 | 2 | 2026-11-24T00:00:00.001+08:00 | over midnight",
    "day | 2028-02-28T12:00:00.000+08:00 | 86400000 | 2028-02-29T12:00:00.000+08:00 | into a leap day",
    "day | 2028-02-29T12:00:00.000+08:00 | 86400000 | 2028-03-01T12:00:00.000+08:00 | out of a leap day",
    "day | 2027-02-28T12:00:00.000+08:00 | 86400000 | 2027-03-01T12:00:00.000+08:00 | no leap day",
    "lunch | 2026-11-23T11:30:00.000+08:00 | 3600000 | 2026-11-23T14:00:00.000+08:00 | a lunch of an hour and a half",
    "lunch | 2026-11-27T17:30:00.000+08:00 | 3600000 | 2026-11-28T10:30:00.000+08:00 | Friday evening into Saturday",
    "lunch | 2026-11-28T14:30:00.000+08:00 | 3600000 | 2026-11-30T09:30:00.000+08:00 | Saturday into Monday",
    "lunch | 2026-11-28T09:00:00.000+08:00 | 18000000 | 2026-11-28T15:00:00.000+08:00 | all of Saturday",
    "lunch | 2026-11-29T09:00:00.000+08:00 | 60000 | 2026-11-30T09:01:00.000+08:00 | Sunday",
    "lunch | 2026-11-24T13:29:59.999+08:00 | 1 | 2026-11-24T13:30:00.001+08:00 | before the afternoon",
    "golden | 2026-09-30T17:00:00.000+08:00 | 7200000 | 2026-10-08T10:00:00.000+08:00 | over National Day",
    "golden | 2026-10-01T10:00:00.000+08:00 | 60000 | 2026-10-08T09:01:00.000+08:00 | on the holiday",
    "golden | 2026-10-08T09:00:00.000+08:00 | 57600000 | 2026-10-09T18:00:00.000+08:00 | two days after it",
    "golden | 2026-10-09T17:30:00.000+08:00 | 3600000 | 2026-10-10T09:30:00.000+08:00 | Friday into the working Saturday",
    "golden | 2026-10-10T09:00:00.000+08:00 | 28800000 | 2026-10-10T18:00:00.000+08:00 | the working Saturday",
    "golden | 2026-10-10T17:00:00.000+08:00 | 7200000 | 2026-10-12T10:00:00.000+08:00 | the working Saturday into Monday",
    "golden | 2026-09-28T09:00:00.000+08:00 | 172800000 | 2026-10-10T18:00:00.000+08:00 | over all of it",
    "golden | 2026-10-07T23:59:59.999+08:00 | 1 | 2026-10-08T09:00:00.001+08:00 | the last holiday night",
    "spring | 2026-02-13T17:00:00.000+08:00 | 7200000 | 2026-02-14T10:00:00.000+08:00 | into the working Saturday",
    "spring | 2026-02-14T17:00:00.000+08:00 | 7200000 | 2026-02-23T10:00:00.000+08:00 | over Spring Festival",
    "spring | 2026-02-14T12:30:00.000+08:00 | 60000 | 2026-02-14T12:31:00.000+08:00 | no lunch on that Saturday",
    "spring | 2026-02-17T08:00:00.000+08:00 | 10800000 | 2026-02-23T12:00:00.000+08:00 | on New Year",
    "spring | 2026-02-27T17:00:00.000+08:00 | 14400000 | 2026-02-28T13:00:00.000+08:00 | into a shorter working Saturday",
    "spring | 2026-02-28T15:59:00.000+08:00 | 120000 | 2026-03-02T09:01:00.000+08:00 | out of it",
    "leap | 2028-02-28T17:30:00.000+08:00 | 3600000 | 2028-02-29T10:30:00.000+08:00 | into the hours of the leap day",
    "leap | 2028-02-29T10:30:00.000+08:00 | 3600000 | 2028-03-01T09:30:00.000+08:00 | out of them",
    "leap | 2028-02-28T09:00:00.000+08:00 | 36000000 | 2028-02-29T11:00:00.000+08:00 | all of them",
    "leap | 2028-02-29T11:00:00.000+08:00 | 1 | 2028-03-01T09:00:00.001+08:00 | after them",
    "leap | 2028-02-29T00:00:00.000+08:00 | 1800000 | 2028-02-29T10:30:00.000+08:00 | before them",
    "leap | 2027-02-28T17:30:00.000+08:00 | 3600000 | 2027-03-01T09:30:00.000+08:00 | a common year",
    "night | 2026-11-23T23:30:00.000+08:00 | 3600000 | 2026-11-24T00:30:00.000+08:00 | over midnight as two spans",
    "night | 2026-11-23T01:59:59.999+08:00 | 2 | 2026-11-23T22:00:00.001+08:00 | the end of the night",
    "night | 2026-11-23T12:00:00.000+08:00 | 14400000 | 2026-11-24T02:00:00.000+08:00 | a whole night",
    "night | 2026-11-23T22:00:00.000+08:00 | 14400000 | 2026-11-24T02:00:00.000+08:00 | to 02:00",
    "berlin | 2026-03-28T01:00:00.000+01:00 | 10800000 | 2026-03-28T04:00:00.000+01:00 | the day before",
    "berlin | 2026-03-29T01:00:00.000+01:00 | 7200000 | 2026-03-29T04:00:00.000+02:00 | the hour from 02:00 is left out",
    "berlin | 2026-03-29T01:59:59.999+01:00 | 2 | 2026-03-29T03:00:00.001+02:00 | over the gap",
    "berlin | 2026-03-29T01:30:00.000+01:00 | 7200000 | 2026-03-30T01:30:00.000+02:00 | the day has two hours",
    "berlin | 2026-03-29T00:00:00.000+01:00 | 18000000 | 2026-03-30T04:00:00.000+02:00 | three hours were there",
    "berlin | 2026-10-25T01:00:00.000+02:00 | 14400000 | 2026-10-25T04:00:00.000+01:00 | an hour comes twice",
    "berlin | 2026-10-25T02:30:00.000+02:00 | 3600000 | 2026-10-25T02:30:00.000+01:00 | from the first half past two",
    "berlin | 2026-10-25T02:30:00.000+01:00 | 3600000 | 2026-10-25T03:30:00.000+01:00 | from the second",
    "berlin | 2026-10-25T02:59:59.999+02:00 | 2 | 2026-10-25T02:00:00.001+01:00 | over the change",
    "berlin | 2026-10-24T12:00:00.000+02:00 | 14400001 | 2026-10-26T01:00:00.001+01:00 | the day has four hours",
    "berlin | 2026-03-28T12:00:00.000+01:00 | 7200001 | 2026-03-30T01:00:00.001+02:00 | one more than the short day",
    "berlin | 2026-10-26T01:00:00.000+01:00 | 10800000 | 2026-10-26T04:00:00.000+01:00 | the day after",
    "newyork | 2026-03-06T17:00:00.000-05:00 | 7200000 | 2026-03-09T10:00:00.000-04:00 | a weekend that loses an hour",
    "newyork | 2026-10-30T17:00:00.000-04:00 | 7200000 | 2026-11-02T10:00:00.000-05:00 | a weekend that gains one",
    "newyork | 2026-03-06T09:00:00.000-05:00 | 57600000 | 2026-03-09T18:00:00.000-04:00 | two days around it",
    "newyork | 2026-10-30T09:00:00.000-04:00 | 57600000 | 2026-11-02T18:00:00.000-05:00 | two days around it",
    "lordhowe | 2026-04-05T01:30:00.000+11:00 | 3600000 | 2026-04-05T02:00:00.000+10:30 | half an hour comes twice",
    "lordhowe | 2026-04-05T01:45:00.000+11:00 | 3600000 | 2026-04-05T02:15:00.000+10:30 | from within",
    "lordhowe | 2026-10-04T01:30:00.000+10:30 | 1800000 | 2026-10-04T02:30:00.000+11:00 | half an hour is left out",
    "lordhowe | 2026-10-04T01:30:00.000+10:30 | 1800001 | 2026-10-05T01:30:00.001+11:00 | and the next day",
    "brief | 2026-11-23T00:00:00.000+08:00 | 60000 | 2026-11-30T00:00:00.000+08:00 | a minute a week",
    "brief | 2026-11-23T00:00:00.000+08:00 | 180000 | 2026-12-14T00:00:00.000+08:00 | three weeks",
    "brief | 2026-11-29T23:59:30.000+08:00 | 60000 | 2026-12-06T23:59:30.000+08:00 | half of two",
    "office | 2026-12-04T16:49:25.000+08:00 | 831712973 | 2027-01-14T15:51:17.973+08:00 | drawn",
    "office | 2026-05-24T02:35:06.000+08:00 | 26333576 | 2026-05-25T17:18:53.576+08:00 | drawn",
    "night | 2026-02-19T17:41:41.000+08:00 | 20388337 | 2026-02-20T23:39:48.337+08:00 | drawn",
    "lordhowe | 2026-06-21T21:47:43.000+10:30 | 448273511 | 2026-10-25T01:31:13.511+11:00 | drawn",
    "office | 2026-04-27T10:26:31.000+08:00 | 781971067 | 2026-06-03T11:39:22.067+08:00 | drawn",
    "berlin | 2026-01-21T04:06:13.000+01:00 | 866447 | 2026-01-22T01:14:26.447+01:00 | drawn",
    "golden | 2026-01-06T00:46:21.000+08:00 | 37614510 | 2026-01-07T11:26:54.510+08:00 | drawn",
    "spring | 2026-05-15T01:35:34.000+08:00 | 686096 | 2026-05-15T09:11:26.096+08:00 | drawn",
    "spring | 2026-03-27T03:04:45.000+08:00 | 3528373 | 2026-03-27T09:58:48.373+08:00 | drawn",
    "day | 2026-10-27T05:45:52.000+08:00 | 86503457 | 2026-10-28T05:47:35.457+08:00 | drawn",
    "lunch | 2026-10-11T10:08:14.000+08:00 | 84095082 | 2026-10-15T09:51:35.082+08:00 | drawn",
    "lunch | 2026-10-22T17:44:04.000+08:00 | 78183519 | 2026-10-27T10:27:07.519+08:00 | drawn",
    "lunch | 2026-06-07T15:36:00.000+08:00 | 2965207 | 2026-06-08T09:49:25.207+08:00 | drawn",
    "lordhowe | 2026-05-02T03:52:21.000+10:30 | 940026 | 2026-05-03T01:45:40.026+10:30 | drawn",
    "newyork | 2026-06-08T13:52:13.000-04:00 | 723108 | 2026-06-08T14:04:16.108-04:00 | drawn",
    "office | 2026-01-15T22:08:02.000+08:00 | 91038765 | 2026-01-21T10:17:18.765+08:00 | drawn",
    "office | 2026-07-05T17:48:24.000+08:00 | 920292067 | 2026-08-18T17:38:12.067+08:00 | drawn",
    "day | 2026-10-18T10:24:29.000+08:00 | 596793427 | 2026-10-25T08:11:02.427+08:00 | drawn",
    "leap | 2026-01-01T23:07:09.000+08:00 | 2407233 | 2026-01-02T09:40:07.233+08:00 | drawn",
    "leap | 2026-09-19T16:13:00.000+08:00 | 92490485 | 2026-09-22T14:54:30.485+08:00 | drawn",
    "office | 2026-10-28T19:09:21.000+08:00 | 343832569 | 2026-11-13T17:30:32.569+08:00 | drawn",
    "newyork | 2026-02-04T15:03:43.000-05:00 | 823726948 | 2026-03-17T10:52:29.948-04:00 | drawn",
    "newyork | 2026-04-05T02:19:05.000-04:00 | 20516391 | 2026-04-06T15:41:56.391-04:00 | drawn",
    "office | 2026-01-20T14:56:56.000+08:00 | 914917 | 2026-01-20T15:12:10.917+08:00 | drawn",
    "office | 2026-03-07T00:39:10.000+08:00 | 2328121 | 2026-03-09T09:38:48.121+08:00 | drawn",
    "office | 2026-06-03T13:51:18.000+08:00 | 2044895 | 2026-06-03T14:25:22.895+08:00 | drawn",
    "office | 2026-06-14T22:31:21.000+08:00 | 16350932 | 2026-06-15T14:32:30.932+08:00 | drawn",
    "golden | 2026-08-06T07:02:28.000+08:00 | 834341195 | 2026-09-15T17:45:41.195+08:00 | drawn",
    "office | 2026-04-10T23:53:03.000+08:00 | 508758429 | 2026-05-06T15:19:18.429+08:00 | drawn",
    "spring | 2026-11-18T14:05:10.000+08:00 | 12540280 | 2026-11-18T17:34:10.280+08:00 | drawn",
    "golden | 2026-09-07T09:11:22.000+08:00 | 183149622 | 2026-09-15T13:03:51.622+08:00 | drawn",
    "lordhowe | 2026-05-28T21:54:39.000+10:30 | 5683488 | 2026-05-30T02:04:43.488+10:30 | drawn",
    "spring | 2026-11-25T21:04:13.000+08:00 | 419110 | 2026-11-26T09:06:59.110+08:00 | drawn",
    "golden | 2026-09-27T01:42:58.000+08:00 | 14097347 | 2026-09-28T13:54:57.347+08:00 | drawn",
    "spring | 2026-01-23T08:15:42.000+08:00 | 255851918 | 2026-02-04T17:04:11.918+08:00 | drawn",
    "night | 2026-12-10T07:17:36.000+08:00 | 56927693 | 2026-12-14T01:48:47.693+08:00 | drawn",
    "day | 2026-12-05T09:31:24.000+08:00 | 15909054 | 2026-12-05T13:56:33.054+08:00 | drawn",
    "leap | 2026-11-07T00:53:53.000+08:00 | 42917566 | 2026-11-08T11:55:17.566+08:00 | drawn",
    "night | 2026-07-29T10:37:41.000+08:00 | 219770 | 2026-07-29T22:03:39.770+08:00 | drawn",
    "leap | 2026-10-27T14:21:23.000+08:00 | 365228553 | 2026-11-07T16:48:31.553+08:00 | drawn",
];

#[test]
fn a_table_of_due_instants() {
    assert!(TABLE.len() >= 110);
    for row in TABLE {
        let [name, from, ms, due, _] = row.split(" | ").collect::<Vec<_>>()[..] else { panic!("{row}") };
        let (calendar, from, ms, due) = (calendar(name), at(from), ms.parse().unwrap(), at(due));
        assert_eq!(calendar.add(from, ms), Some(due), "{row}");
        assert_eq!(calendar.between(from, due), ms, "{row}");
        assert_eq!(calendar.between(from, due.plus_millis(-1)), ms - 1, "{row}");
        assert_eq!(calendar.between(due, from), 0, "{row}");
    }
}

#[test]
fn opening_and_closing_instants() {
    for (name, from, opens) in [
        ("office", "2026-11-23T08:59:59.999+08:00", "2026-11-23T09:00:00+08:00"),
        ("office", "2026-11-23T09:00:00+08:00", "2026-11-23T09:00:00+08:00"),
        ("office", "2026-11-23T11:59:59.999+08:00", "2026-11-23T11:59:59.999+08:00"),
        ("office", "2026-11-23T12:00:00+08:00", "2026-11-23T13:00:00+08:00"),
        ("office", "2026-11-27T18:00:00+08:00", "2026-11-30T09:00:00+08:00"),
        ("golden", "2026-09-30T18:00:00+08:00", "2026-10-08T09:00:00+08:00"),
        ("golden", "2026-10-09T18:00:00+08:00", "2026-10-10T09:00:00+08:00"),
        ("night", "2026-11-23T02:00:00+08:00", "2026-11-23T22:00:00+08:00"),
        ("day", "2026-11-23T02:00:00+08:00", "2026-11-23T02:00:00+08:00"),
    ] {
        let (from, opens) = (at(from), at(opens));
        assert_eq!(calendar(name).opens_at(from), Some(opens), "{name} {from}");
        assert_eq!(calendar(name).is_open(from), from == opens, "{name} {from}");
    }
    assert_eq!(Calendar::ALWAYS.opens_at(Timestamp::from_millis(i64::MAX)), Some(Timestamp::from_millis(i64::MAX)));
}

#[test]
fn a_calendar_without_an_open_hour_is_refused_and_does_no_harm() {
    let closed = hours(r#"{"week":[],"dates":[{"date":"2026-10-10","open":[["09:00","10:00"]]}]}"#);
    let fault = check(&closed, "calendars[0].hours").unwrap_err();
    assert_eq!((fault.code, fault.path.as_str()), ("calendar_never_open", "calendars[0].hours.week"));
    let calendar = Calendar::new(&closed, &Zone::default());
    let from = at("2026-10-10T09:30:00+08:00");
    assert_eq!(calendar.add(from, 1_800_000), Some(at("2026-10-10T10:00:00+08:00")));
    assert_eq!(calendar.add(from, 1_800_001), None);
    assert_eq!(Calendar::new(&Hours::default(), &Zone::default()).add(from, 1), None);
    for (text, code, path) in [
        (r#"{"week":[{"days":["mon"],"from":"10:00","to":"09:00"}]}"#, "bad_hours", "hours.week[0]"),
        (
            r#"{"week":[{"days":["mon"],"from":"09:00","to":"10:00"}],"dates":[{"date":"2026-02-30"}]}"#,
            "bad_hours",
            "hours.dates[0].date",
        ),
        (r#"{"week":[]}"#, "calendar_never_open", "hours.week"),
    ] {
        let fault = check(&hours(text), "hours").unwrap_err();
        assert_eq!((fault.code, fault.path.as_str()), (code, path));
    }
}

#[test]
fn a_zone_with_a_fault_is_refused() {
    for (text, path) in [
        (r#"{"minutes":841}"#, "zone.minutes"),
        (r#"{"minutes":0,"changes":[{"from":"2026-03-29T01:00:00Z","minutes":-841}]}"#, "zone.changes[0].minutes"),
        (
            r#"{"minutes":0,"changes":[{"from":"2026-03-29T01:00:00Z","minutes":60},{"from":"2026-03-29T01:00:00Z","minutes":0}]}"#,
            "zone.changes[1].from",
        ),
    ] {
        let zone: Zone = serde_json::from_str(text).unwrap();
        let fault = zone.check("zone").unwrap_err();
        assert_eq!((fault.code, fault.path.as_str()), ("bad_zone", path));
    }
}

/// Any document, good or not: spans that end before they begin, dates twice, changes in any order.
fn any_calendar() -> impl Strategy<Value = Calendar> {
    let minutes = 0u16..=1440;
    let span = (minutes.clone(), minutes, proptest::collection::vec(0usize..7, 0..5));
    let date = (-40i64..40, proptest::collection::vec((0u16..=1440, 0u16..=1440), 0..3));
    let change = (-60i64 * 86_400_000..60 * 86_400_000, -900i64..900);
    let parts = (
        proptest::collection::vec(span, 0..5),
        proptest::collection::vec(date, 0..6),
        -900i64..900,
        proptest::collection::vec(change, 0..4),
    );
    parts.prop_map(|(week, dates, minutes, changes)| {
        let time = |m: &u16| format!("{:02}:{:02}", m / 60, m % 60);
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let week: Vec<_> = week
            .iter()
            .map(|(from, to, on)| {
                let on: Vec<_> = on.iter().map(|n| days[*n]).collect();
                serde_json::json!({ "days": on, "from": time(from), "to": time(to) })
            })
            .collect();
        let dates: Vec<_> = dates
            .iter()
            .map(|(day, open)| {
                let date = at("2026-06-15T00:00:00Z").plus_millis(day * 86_400_000).to_string();
                let open: Vec<_> = open.iter().map(|(from, to)| (time(from), time(to))).collect();
                serde_json::json!({ "date": &date[..10], "open": open })
            })
            .collect();
        let hours: Hours = serde_json::from_value(serde_json::json!({ "week": week, "dates": dates })).unwrap();
        let changes = changes.iter().map(|(from, minutes)| warmline_deadlines::calendar::ZoneChange {
            from: at("2026-06-15T00:00:00Z").plus_millis(*from),
            minutes: *minutes,
        });
        Calendar::new(&hours, &Zone { minutes, changes: changes.collect() })
    })
}

fn near() -> impl Strategy<Value = Timestamp> {
    (-50i64 * 86_400_000..50 * 86_400_000).prop_map(|ms| at("2026-06-15T00:00:00Z").plus_millis(ms))
}

fn anywhere() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(-1), Just(0), any::<i64>()].prop_map(Timestamp::from_millis)
}

proptest! {
    #[test]
    fn business_time_is_additive(calendar in any_calendar(), from in near(), x in 0i64..40 * 86_400_000, y in 0i64..40 * 86_400_000) {
        let at_once = calendar.add(from, x + y);
        prop_assert_eq!(calendar.add(from, x).and_then(|middle| calendar.add(middle, y)), at_once);
        if let Some(due) = at_once {
            prop_assert!(due >= from);
            prop_assert_eq!(calendar.between(from, due), x + y);
        }
    }

    #[test]
    fn time_between_is_additive_and_no_longer_than_time(calendar in any_calendar(), from in near(), x in 0i64..40 * 86_400_000, y in 0i64..40 * 86_400_000) {
        let (middle, to) = (from.plus_millis(x), from.plus_millis(x + y));
        let (one, other) = (calendar.between(from, middle), calendar.between(middle, to));
        prop_assert_eq!(one + other, calendar.between(from, to));
        prop_assert!(0 <= one && one <= x);
    }

    #[test]
    fn an_instant_is_open_if_its_millisecond_counts(calendar in any_calendar(), at in near()) {
        prop_assert_eq!(calendar.is_open(at), calendar.between(at, at.plus_millis(1)) == 1);
    }

    #[test]
    fn no_instant_and_no_length_panics(calendar in any_calendar(), from in anywhere(), to in anywhere(), ms in any::<i64>()) {
        if let Some(due) = calendar.add(from, ms) {
            prop_assert!(due >= from);
            prop_assert_eq!(calendar.between(from, due), ms.max(0));
        }
        prop_assert!(calendar.between(from, to) >= 0);
        let _ = calendar.opens_at(from);
        prop_assert!(Calendar::ALWAYS.between(from, to) >= 0);
        let _ = Calendar::ALWAYS.add(from, ms);
    }

    #[test]
    fn business_hours_agree_with_the_hours_of_routing(at in near()) {
        let hours = hours(r#"{"week":[{"days":["mon","wed","sun"],"from":"09:00","to":"12:00"},
            {"days":["mon","fri"],"from":"13:00","to":"24:00"}],"dates":[{"date":"2026-06-15"},{"date":"2026-06-16","open":[["10:00","11:00"]]}]}"#);
        prop_assert_eq!(Calendar::new(&hours, &Zone::default()).is_open(at), hours.open(at, 480));
    }
}
