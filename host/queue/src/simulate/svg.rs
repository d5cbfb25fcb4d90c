//! The queues over the day as a picture: a line for each policy, readable without colour by its dashes.

use super::outcome::{PolicyDay, Simulated};
use super::policy::Policy;
use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
/// The margins of the drawing: left, right, top, bottom.
const EDGE: (f64, f64, f64, f64) = (70.0, 24.0, 78.0, 50.0);

/// Hours from midnight that are shown.
const SHOWN: (usize, usize) = (7, 24);

/// Colours that people with any colour vision tell apart (Okabe and Ito), with dashes for print.
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

/// Draws the first seed's day.
#[expect(clippy::cast_precision_loss, reason = "contacts in a queue are far below 2^53")]
pub fn draw(done: &Simulated) -> String {
    let days = done.seeds.first().map_or(&[][..], Vec::as_slice);
    let an_hour = usize::try_from(3_600_000 / super::EVERY_MS).unwrap_or(1);
    let (from, to) = (SHOWN.0 * an_hour, SHOWN.1 * an_hour);
    let shown = |d: &PolicyDay| d.queues.iter().skip(from).take(to - from + 1).copied().collect::<Vec<_>>();
    let most = days.iter().flat_map(shown).max().unwrap_or(0);
    let step = step(most);
    let top = most.div_ceil(step).max(1) * step;
    let (left, right, above, below) = EDGE;
    let x = |n: f64| left + (WIDTH - left - right) * n / (to - from) as f64;
    let y = |n: usize| HEIGHT - below - (HEIGHT - above - below) * n as f64 / top as f64;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"system-ui, 'Noto Sans SC', sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    let seed = days.first().map_or(0, |d| d.seed);
    let title = escaped(&format!("{}, {}: contacts that wait 排队人数 (seed {seed})", done.scenario, done.day));
    line(&mut svg, format_args!("<title>{title}</title>"));
    line(&mut svg, format_args!("<text x=\"{left}\" y=\"26\" font-size=\"16\" fill=\"#1a1a1a\">{title}</text>"));
    for n in (0..=top).step_by(step) {
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
    // Ours last, on top.
    for day in days.iter().rev() {
        let (colour, dashes) = look(day.policy);
        let points: Vec<String> =
            shown(day).iter().enumerate().map(|(i, n)| format!("{:.1},{:.1}", x(i as f64), y(*n))).collect();
        line(
            &mut svg,
            format_args!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
                points.join(" ")
            ),
        );
    }
    for (i, day) in days.iter().enumerate() {
        let ((colour, dashes), x) = (look(day.policy), left + 200.0 * i as f64);
        let (end, text) = (x + 30.0, x + 38.0);
        line(
            &mut svg,
            format_args!(
                "<path d=\"M{x} 52H{end}\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>\
                 <text x=\"{text}\" y=\"56\" fill=\"#1a1a1a\">{}</text>",
                label(day.policy)
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = svg.write_fmt(text);
    svg.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A round distance between lines, so that there are at most six.
fn step(most: usize) -> usize {
    let mut step = 1;
    for factor in [2, 5, 10].into_iter().cycle() {
        if most <= step * 6 {
            break;
        }
        // 1, 2, 5, 10, 20, 50, …
        step = match factor {
            2 => step * 2,
            5 => step / 2 * 5,
            _ => step * 2,
        };
    }
    step
}
