//! Promises (承诺): the due instant in a sentence of the brand, such as 今天下午发货 or "within 2 hours". The tables below are the
//! whole of what is understood. A sentence that names no time gives nothing: it is then a promise without a due instant.
//!
//! The first phrase in the sentence counts, and of two that begin together the longer one. A phrase that is denied soon after
//! (今天发不了) is passed over. No due instant is before the sentence was written.

use crate::calendar::{Calendar, Zone, date_of, number_of};
use chrono::{Datelike as _, Months, NaiveDate};
use warmline_language::{normalise, said};
use warmline_model::Timestamp;

const SECOND: i128 = 1_000;
const MINUTE: i128 = 60 * SECOND;
const HOUR: i128 = 60 * MINUTE;
const DAY: i128 = 24 * HOUR;

/// The hour of an evening: the end of the day, and a time that follows is one of the evening.
const EVENING: i128 = 25;

/// What a phrase says.
#[derive(Clone, Copy)]
enum Says {
    /// So many days ahead, by that hour. 24 is the end of the day.
    Day(i128, i128),
    /// By that hour of today; of tomorrow if it is over.
    Part(i128),
    /// By the time that the phrase names: of today, or of tomorrow if it is over.
    Time,
    /// The next day of that name, today included.
    Weekday,
    /// The day of that name in the week so many weeks ahead.
    InWeek(i128),
    /// The end of the week so many weeks ahead.
    Week(i128),
    /// The last day of the month so many months ahead.
    MonthEnd(u32),
    /// That month and day: of this year, or of the next if it is over.
    Date,
    /// That day of the month: of this month, or of the next if it is over.
    DayOfMonth,
    /// After the number of units of so many milliseconds.
    After(i128),
    /// The end of the day that is the number of days ahead.
    DaysAhead,
    /// The close of the number of working days from tomorrow on.
    WorkingDays,
    /// After so many milliseconds, where no number is named.
    Soon(i128),
}

use Says::{After, Date, Day, DayOfMonth, DaysAhead, InWeek, MonthEnd, Part, Soon, Time, Week, Weekday, WorkingDays};

/// Phrases: the text, the kind that is stored, and what it says. `#` is a number, `%` a Chinese day of the week, `&` an English
/// one, `@` a time of day. The text is folded as sentences are: simplified, lower case, without blanks. Before that, [`EVEN`]
/// makes spellings alike.
const PHRASES: &[(&str, &str, Says)] = &[
    ("今天", "today", Day(0, 24)),
    ("今日", "today", Day(0, 24)),
    ("当天", "today", Day(0, 24)),
    ("当日", "today", Day(0, 24)),
    ("今早", "today", Day(0, 12)),
    ("今晚", "today", Day(0, EVENING)),
    ("明天", "tomorrow", Day(1, 24)),
    ("明日", "tomorrow", Day(1, 24)),
    ("明早", "tomorrow", Day(1, 10)),
    ("明晚", "tomorrow", Day(1, EVENING)),
    ("次日", "tomorrow", Day(1, 24)),
    ("后天", "day_after_tomorrow", Day(2, 24)),
    ("大后天", "days", Day(3, 24)),
    ("上午", "part", Part(12)),
    ("中午", "part", Part(13)),
    ("下午", "part", Part(18)),
    ("傍晚", "part", Part(19)),
    ("晚上", "part", Part(EVENING)),
    ("@前", "time", Time),
    ("@之前", "time", Time),
    ("周%", "weekday", Weekday),
    ("这周%", "weekday", InWeek(0)),
    ("本周%", "weekday", InWeek(0)),
    ("下周%", "weekday", InWeek(1)),
    ("下下周%", "weekday", InWeek(2)),
    ("周末", "week", Week(0)),
    ("这周", "week", Week(0)),
    ("本周", "week", Week(0)),
    ("下周", "week", Week(1)),
    ("月底", "month_end", MonthEnd(0)),
    ("月末", "month_end", MonthEnd(0)),
    ("月内", "month_end", MonthEnd(0)),
    ("下月底", "month_end", MonthEnd(1)),
    ("下月内", "month_end", MonthEnd(1)),
    ("#月#日", "date", Date),
    ("#月#号", "date", Date),
    ("#号", "date", DayOfMonth),
    ("#工作日", "working_days", WorkingDays),
    ("#周内", "days", After(7 * DAY)),
    ("#天内", "days", After(DAY)),
    ("#日内", "days", After(DAY)),
    ("#天左右", "days", After(DAY)),
    ("#天后", "days", DaysAhead),
    ("#小时内", "hours", After(HOUR)),
    ("#小时后", "hours", After(HOUR)),
    ("#小时左右", "hours", After(HOUR)),
    ("#分内", "minutes", After(MINUTE)),
    ("#分后", "minutes", After(MINUTE)),
    ("#分左右", "minutes", After(MINUTE)),
    ("马上", "soon", Soon(30 * MINUTE)),
    ("立即", "soon", Soon(30 * MINUTE)),
    ("立刻", "soon", Soon(30 * MINUTE)),
    ("稍后", "later", Soon(2 * HOUR)),
    ("一会", "later", Soon(2 * HOUR)),
    ("待会", "later", Soon(2 * HOUR)),
    ("today", "today", Day(0, 24)),
    ("tonight", "today", Day(0, EVENING)),
    ("endoftheday", "today", Day(0, 24)),
    ("endofday", "today", Day(0, 24)),
    ("thismorning", "today", Day(0, 12)),
    ("thisafternoon", "today", Day(0, 18)),
    ("thisevening", "today", Day(0, EVENING)),
    ("tomorrow", "tomorrow", Day(1, 24)),
    ("dayaftertomorrow", "day_after_tomorrow", Day(2, 24)),
    ("&", "weekday", Weekday),
    ("this&", "weekday", InWeek(0)),
    ("next&", "weekday", InWeek(1)),
    ("thisweek", "week", Week(0)),
    ("endoftheweek", "week", Week(0)),
    ("nextweek", "week", Week(1)),
    ("endofthemonth", "month_end", MonthEnd(0)),
    ("endofnextmonth", "month_end", MonthEnd(1)),
    ("#businessday", "working_days", WorkingDays),
    ("#workingday", "working_days", WorkingDays),
    ("within#week", "days", After(7 * DAY)),
    ("within#day", "days", After(DAY)),
    ("in#day", "days", DaysAhead),
    ("within#hour", "hours", After(HOUR)),
    ("in#hour", "hours", After(HOUR)),
    ("within#minute", "minutes", After(MINUTE)),
    ("in#minute", "minutes", After(MINUTE)),
    ("rightaway", "soon", Soon(30 * MINUTE)),
    ("immediately", "soon", Soon(30 * MINUTE)),
    ("shortly", "later", Soon(2 * HOUR)),
];

/// Spellings that are made alike before phrases are sought.
const EVEN: &[(&str, &str)] = &[
    ("星期", "周"),
    ("礼拜", "周"),
    ("以内", "内"),
    ("之内", "内"),
    ("之后", "后"),
    ("以后", "后"),
    ("钟头", "小时"),
    ("分钟", "分"),
    ("这个", "这"),
    ("下个", "下"),
    ("个", ""),
];

/// Parts of a day after a phrase that names the day: the hour by which it is.
const PARTS: &[(&str, i128)] = &[
    ("上午", 12),
    ("早上", 10),
    ("中午", 13),
    ("下午", 18),
    ("傍晚", 19),
    ("晚上", EVENING),
    ("morning", 12),
    ("atnoon", 12),
    ("noon", 12),
    ("afternoon", 18),
    ("evening", EVENING),
    ("night", EVENING),
];

const DAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const NUMBERS: &[(&str, i128)] = &[
    ("twentyfour", 24),
    ("fortyeight", 48),
    ("seventytwo", 72),
    ("afew", 3),
    ("an", 1),
    ("a", 1),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("twelve", 12),
];
/// Words that deny what stands soon before them, and words that contain one and deny nothing.
const DENIES: &[char] = &['不', '没', '无'];
const DENIES_NOT: &[&str] = &["差不多", "不好意思", "没问题", "不出意外"];
/// How far after a phrase a denial counts, in characters.
const NEAR: usize = 4;
/// The most working days that are counted, and the days that are looked at for them.
const MOST_WORKING_DAYS: i128 = 60;
const LOOK_AHEAD_DAYS: i128 = 400;

/// What is done for a customer. A sentence that names a time and one of these promises it, also without any other word of a promise.
const ACTS: &[&str] = &[
    "发货",
    "发出",
    "寄出",
    "送达",
    "送到",
    "到货",
    "配送",
    "补发",
    "换货",
    "退款",
    "退货",
    "到账",
    "开票",
    "开发票",
    "回复",
    "答复",
    "回电",
    "联系您",
    "通知您",
    "处理",
    "安排",
    "上架",
    "ship",
    "deliver",
    "refund",
    "replace",
    "reply",
    "callyou",
    "getbacktoyou",
];

/// Whether the brand's sentence promises something, if this is the instant that it names.
pub fn makes(sentence: &str, due: Option<&Promised>) -> bool {
    if said::promises(sentence) {
        return true;
    }
    let asks = sentence.ends_with(['?', '？', '吗', '呢']);
    due.is_some() && !asks && !said::says_done(sentence) && {
        let text = normalise(sentence);
        ACTS.iter().any(|act| text.contains(act))
    }
}

/// A promise's due instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promised {
    /// The kind of phrase, as a stable code: `today`, `hours`, `working_days`, …
    pub kind: &'static str,
    /// The instant by which it is to be kept; never before it was written.
    pub due_at: Timestamp,
}

/// The due instant that a sentence names. `calendar` counts working days.
pub fn due(sentence: &str, written: Timestamp, zone: &Zone, calendar: &Calendar) -> Option<Promised> {
    let text = even(sentence);
    (0..text.len()).find_map(|at| {
        let rest = text.get(at..)?;
        let before = at.checked_sub(1).and_then(|before| text.get(before)).copied();
        let fits = |row: &'static (&str, &'static str, Says)| Some((row, fit(row.0, rest, before)?));
        let (row, found) = PHRASES.iter().filter_map(fits).max_by_key(|(_, found)| found.length)?;
        if is_denied(rest.get(found.length..).unwrap_or_default()) {
            return None;
        }
        let due_at = instant(row.2, &found, rest, written, zone, calendar)?;
        Some(Promised { kind: row.1, due_at: due_at.max(written) })
    })
}

/// A sentence as phrases are sought in it. Between digits, a decimal point and a colon stay, and other signs become `|`, so that
/// `2-3天` is not 23 days.
fn even(sentence: &str) -> Vec<char> {
    let (mut text, mut sign) = (String::with_capacity(sentence.len()), None);
    let mut piece = String::new();
    let mut flush = |piece: &mut String, sign: &mut Option<char>| {
        let folded = normalise(piece);
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        if let Some(sign) = sign.take().filter(|_| digit(text.chars().next_back()) && digit(folded.chars().next())) {
            text.push(match sign {
                '.' | '．' => '.',
                ':' | '：' => ':',
                _ => '|',
            });
        }
        text.push_str(&folded);
        piece.clear();
    };
    for c in sentence.chars() {
        if c.is_alphanumeric() {
            piece.push(c);
        } else {
            if !piece.is_empty() {
                flush(&mut piece, &mut sign);
            }
            sign = sign.or(Some(c));
        }
    }
    flush(&mut piece, &mut sign);
    EVEN.iter().fold(text, |text, (from, to)| text.replace(from, to)).chars().collect()
}

fn is_denied(rest: &[char]) -> bool {
    let near: String = rest.iter().take(NEAR).collect();
    near.contains(DENIES) && !DENIES_NOT.iter().any(|word| near.contains(word))
}

/// A phrase in a text.
#[derive(Clone, Default)]
struct Found {
    /// Characters.
    length: usize,
    /// The numbers, doubled, so that half an hour is one.
    numbers: Vec<i128>,
    /// The day of the week, from 0 for Monday.
    day: i128,
    /// The time of day.
    time: i128,
}

fn fit(phrase: &str, text: &[char], before: Option<char>) -> Option<Found> {
    let mut found = Found::default();
    for (n, sign) in phrase.chars().enumerate() {
        let rest = text.get(found.length..)?;
        // A number begins at its first digit.
        let cut = n == 0 && before.is_some_and(|c| c.is_ascii_digit() || c == '.' || c == ':');
        found.length += match sign {
            '#' => {
                let (number, length) = number(rest).filter(|_| !cut)?;
                found.numbers.push(number);
                length
            }
            '@' => {
                let (time, length) = time(rest).filter(|_| !cut)?;
                found.time = time;
                length
            }
            '%' => {
                found.day = chinese_day(*rest.first()?)?;
                1
            }
            '&' => {
                let (day, word) = (0..).zip(DAYS).find(|(_, word)| begins(rest, word))?;
                found.day = day;
                word.len()
            }
            c => (*rest.first()? == c).then_some(1)?,
        };
    }
    Some(found)
}

fn begins(text: &[char], word: &str) -> bool {
    let mut rest = text.iter();
    word.chars().all(|c| rest.next() == Some(&c))
}

fn chinese_day(c: char) -> Option<i128> {
    let day = ['一', '二', '三', '四', '五', '六', '日'].iter().position(|name| *name == c || (c == '天' && *name == '日'));
    day.and_then(|day| i128::try_from(day).ok())
}

/// A number at the beginning of a text, doubled, and its length in characters.
fn number(text: &[char]) -> Option<(i128, usize)> {
    let digits = |from: usize| text.iter().skip(from).take_while(|c| c.is_ascii_digit()).count();
    let value = |from: usize, length: usize| -> Option<i128> {
        text.get(from..from + length)?.iter().collect::<String>().parse().ok()
    };
    match digits(0) {
        0 => {}
        whole @ 1..=4 => {
            let part = digits(whole + 1);
            let decimal = text.get(whole) == Some(&'.') && part > 0;
            if !decimal {
                return Some((value(0, whole)? * 2, whole));
            }
            // More than nothing counts as a half, more than a half as a whole: a promise is never read too short.
            let tenths = value(whole + 1, 1)?;
            return Some((value(0, whole)? * 2 + (tenths + 4) / 5, whole + 1 + part));
        }
        _ => return None,
    }
    if let Some((word, number)) = NUMBERS.iter().find(|(word, _)| begins(text, word)) {
        return Some((number * 2, word.len()));
    }
    chinese_number(text)
}

fn chinese_number(text: &[char]) -> Option<(i128, usize)> {
    const UNITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];
    let unit = |c: char| if c == '两' { Some(2) } else { UNITS.iter().position(|u| *u == c) };
    if text.first() == Some(&'半') {
        return Some((1, 1));
    }
    let (mut tens, mut ones, mut length) = (None, None, 0);
    for c in text.iter().take(4) {
        match unit(*c) {
            // Of 两三天 the later one counts.
            Some(n) => ones = i128::try_from(n).ok(),
            None if *c == '十' && tens.is_none() => tens = Some(ones.take().unwrap_or(1)),
            None => break,
        }
        length += 1;
    }
    if tens.is_none() && ones.is_none() {
        return None;
    }
    Some(((tens.unwrap_or(0) * 10 + ones.unwrap_or(0)) * 2, length))
}

/// A time of day at the beginning of a text, in milliseconds, and its length in characters.
fn time(text: &[char]) -> Option<(i128, usize)> {
    let (hour, mut length) = number(text).filter(|(doubled, _)| doubled % 2 == 0 && doubled / 2 <= 24)?;
    let hour = hour / 2;
    let rest = text.get(length..)?;
    let minutes = if begins(rest, "点半") {
        length += 2;
        30
    } else if begins(rest, "点") || begins(rest, ":") {
        length += 1;
        match text.get(length..).and_then(number).filter(|(doubled, _)| doubled % 2 == 0 && doubled / 2 < 60) {
            Some((minutes, digits)) => {
                length += digits + usize::from(text.get(length + digits) == Some(&'分'));
                minutes / 2
            }
            None if begins(rest, ":") => return None,
            None => 0,
        }
    } else if begins(rest, "pm") && hour <= 12 {
        return Some(((hour % 12 + 12) * HOUR, length + 2));
    } else if begins(rest, "am") && hour <= 12 {
        return Some((hour % 12 * HOUR, length + 2));
    } else {
        return None;
    };
    Some(((hour * HOUR + minutes * MINUTE).min(DAY), length))
}

/// The time of day after a phrase that names a day: a part of the day, a time, or both.
fn time_after(rest: &[char], hour: i128) -> (i128, bool) {
    let (hour, rest) = match PARTS.iter().find(|(word, _)| begins(rest, word)) {
        Some((word, by)) => (*by, rest.get(word.chars().count()..).unwrap_or_default()),
        None => (hour, rest),
    };
    let rest = if begins(rest, "at") || begins(rest, "by") { rest.get(2..).unwrap_or_default() } else { rest };
    match time(rest) {
        // Three o'clock in the afternoon is 15:00.
        Some((time, _)) if matches!(hour, 18 | 19 | EVENING) && time < 12 * HOUR => (time + 12 * HOUR, true),
        Some((time, _)) => (time, true),
        None => (hour.min(24) * HOUR, false),
    }
}

fn instant(
    says: Says,
    found: &Found,
    text: &[char],
    written: Timestamp,
    zone: &Zone,
    calendar: &Calendar,
) -> Option<Timestamp> {
    let (date, now) = zone.date(written)?;
    let (today, number) = (number_of(date), found.numbers.first().copied().unwrap_or(0));
    let rest = text.get(found.length..).unwrap_or_default();
    // A day with the time that follows it. What is over on the day itself means its end.
    let on = |day: i128, hour: i128| {
        let (time, exact) = time_after(rest, hour);
        let time = match day == today && time <= now {
            true if exact && time < 12 * HOUR && time + 12 * HOUR > now => time + 12 * HOUR,
            true => DAY,
            false => time,
        };
        zone.instant(day * DAY + time)
    };
    let next = |time: i128| zone.instant((if time > now { today } else { today + 1 }) * DAY + time);
    let monday = today - i128::from(date.weekday().num_days_from_monday());
    match says {
        Day(ahead, hour) => on(today + ahead, hour),
        Part(hour) => next(time_after(rest, hour).0),
        Time => next(found.time),
        Weekday => on(today + (found.day - (today - monday)).rem_euclid(7), 24),
        InWeek(weeks) => on((monday + weeks * 7 + found.day).max(today), 24),
        Week(weeks) => zone.instant((monday + weeks * 7 + 7) * DAY),
        MonthEnd(months) => {
            let next = date.with_day(1)?.checked_add_months(Months::new(months + 1))?;
            on(number_of(next) - 1, 24)
        }
        Date => {
            let (month, day) = (part(number)?, part(found.numbers.get(1).copied()?)?);
            let in_year = |year| NaiveDate::from_ymd_opt(year, month, day);
            // The 29th of February may be years away.
            let date = (0..8).filter_map(|n| in_year(date.year().checked_add(n)?)).find(|due| *due >= date)?;
            on(number_of(date), 24)
        }
        DayOfMonth => {
            let day = part(number)?;
            let first = date.with_day(1)?;
            let in_month = |n| first.checked_add_months(Months::new(n))?.with_day(day);
            on(number_of((0..3).filter_map(in_month).find(|due| *due >= date)?), 24)
        }
        After(unit) => i64::try_from(number * unit / 2).ok().map(|ms| written.plus_millis(ms)),
        DaysAhead => on(today + (number + 1) / 2, 24),
        WorkingDays => {
            let wanted = ((number + 1) / 2).clamp(1, MOST_WORKING_DAYS);
            let mut open = (today + 1..=today + LOOK_AHEAD_DAYS).filter_map(|day| Some((day, calendar.closes(day)?)));
            let (day, closes) = open.nth(usize::try_from(wanted - 1).ok()?)?;
            date_of(day)?;
            zone.instant(day * DAY + closes)
        }
        Soon(ms) => i64::try_from(ms).ok().map(|ms| written.plus_millis(ms)),
    }
}

/// A doubled whole number as a part of a date.
fn part(doubled: i128) -> Option<u32> {
    u32::try_from(doubled / 2).ok().filter(|_| doubled % 2 == 0)
}
