//! Draws the queues over the day: a line for each policy, the mean over the seeds. Dashes make it readable without colour.

use super::outcome::Simulated;
use super::policy::Policy;
use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
/// The margins of the drawing: left, right, top, bottom.
const EDGE: (f64, f64, f64, f64) = (70.0, 24.0, 78.0, 50.0);

/// The hours from midnight that are shown.
const SHOWN: (usize, usize) = (7, 24);

/// Colours that people with any colour vision can tell apart (Okabe and Ito), with dashes for print.
fn look(policy: Policy) -> (&'static str, &'static str) {
    match policy {
        Policy::Warmline => ("#0072b2", ""),
        Policy::Static => ("#d55e00", "7 4"),
        Policy::RoundRobin => ("#009e73", "2 3"),
        Policy::LongestIdle => ("#7a5195", "10 3 2 3"),
    }
}

fn label(policy: Policy) -> &'static str {
    match policy {
        Policy::Warmline => "Warmline",
        Policy::Static => "static split 固定分席",
        Policy::RoundRobin => "round-robin 轮流",
        Policy::LongestIdle => "longest idle 最久空闲",
    }
}

/// Draws the picture.
#[expect(clippy::cast_precision_loss, reason = "contacts in a queue are far below 2^53")]
pub fn draw(done: &Simulated) -> String {
    let an_hour = usize::try_from(3_600_000 / super::EVERY_MS).unwrap_or(1);
    let (from, to) = (SHOWN.0 * an_hour, SHOWN.1 * an_hour);
    let lengths = |policy: Policy| {
        let days: Vec<&[usize]> =
            done.seeds.iter().flatten().filter(|d| d.policy == policy).map(|d| d.queues.as_slice()).collect();
        let sum = |at: usize| days.iter().filter_map(|q| q.get(at)).sum::<usize>();
        (from..=to).map(|at| sum(at) as f64 / days.len().max(1) as f64).collect::<Vec<f64>>()
    };
    let shown = Policy::ALL.map(|policy| (policy, lengths(policy)));
    let most = shown.iter().flat_map(|(_, lengths)| lengths).copied().fold(1.0, f64::max);
    let step = step(most);
    let top = (most / step).ceil() * step;
    let (left, right, above, below) = EDGE;
    let x = |n: f64| left + (WIDTH - left - right) * n / (to - from) as f64;
    let y = |n: f64| HEIGHT - below - (HEIGHT - above - below) * n / top;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, 'Noto Sans SC', sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    let of = match done.seeds.len() {
        1 => "1 day".to_owned(),
        n => format!("mean of {n} days"),
    };
    let title = escaped(&format!("{}, {}: contacts that wait 排队人数 ({of})", done.scenario, done.day));
    line(&mut svg, format_args!("<title>{title}</title>"));
    line(&mut svg, format_args!("<text x=\"{left}\" y=\"26\" font-size=\"16\" fill=\"#1a1a1a\">{title}</text>"));
    for n in (0..).map(|n| f64::from(n) * step).take_while(|n| *n <= top) {
        let (end, at) = (WIDTH - right, y(n));
        line(&mut svg, format_args!("<path d=\"M{left} {at:.1}H{end}\" stroke=\"#dddddd\"/>"));
        let (x, at) = (left - 8.0, at + 4.0);
        line(&mut svg, format_args!("<text x=\"{x}\" y=\"{at:.1}\" text-anchor=\"end\" fill=\"#444444\">{n}</text>"));
    }
    for hour in (SHOWN.0..=SHOWN.1).filter(|h| h % 2 == 0) {
        let (x, y) = (x(((hour - SHOWN.0) * an_hour) as f64), HEIGHT - below + 20.0);
        line(
            &mut svg,
            format_args!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#444444\">{hour:02}:00</text>"),
        );
    }
    // Our line comes last, on top.
    for (policy, lengths) in shown.iter().rev() {
        let (colour, dashes) = look(*policy);
        let points: Vec<String> =
            lengths.iter().enumerate().map(|(i, n)| format!("{:.1},{:.1}", x(i as f64), y(*n))).collect();
        let points = points.join(" ");
        line(
            &mut svg,
            format_args!(
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>"
            ),
        );
    }
    for (i, policy) in Policy::ALL.into_iter().enumerate() {
        let ((colour, dashes), x) = (look(policy), left + 200.0 * i as f64);
        let (end, text) = (x + 30.0, x + 38.0);
        line(
            &mut svg,
            format_args!(
                "<path d=\"M{x} 52H{end}\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>\
                 <text x=\"{text}\" y=\"56\" fill=\"#1a1a1a\">{}</text>",
                label(policy)
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = svg.write_fmt(text);
    svg.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A round distance between lines, so that there are at most six lines.
fn step(most: f64) -> f64 {
    let mut step = 1.0;
    // 1, 2, 5, 10, 20, 50, …
    for times in [2.0, 2.5, 2.0].into_iter().cycle() {
        if most <= step * 6.0 {
            break;
        }
        step *= times;
    }
    step
}
