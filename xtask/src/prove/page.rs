//! docs/PROOFS.md: the results, one table a run, the newest first.

use std::process::Command;

use anyhow::{Context as _, Result};

/// Where the results are.
pub const PATH: &str = "docs/PROOFS.md";
/// The line after which the newest run is put.
const BEGIN: &str = "<!-- runs: written by `cargo xtask prove`, the newest first -->\n";

/// The result of a part.
pub struct Row {
    pub part: &'static str,
    pub what: &'static str,
    pub figures: String,
    pub seconds: u64,
}

/// When, of which commit, on which machine.
pub fn heading(scale: f64) -> Result<String> {
    let said = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = said("git", &["rev-parse", "--short", "HEAD"])?;
    let changed = if said("git", &["status", "--porcelain", "--", ".", &format!(":!{PATH}")])?.is_empty() {
        ""
    } else {
        " with changes"
    };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    let scaled = if scale > 1.0 { format!(", {scale} times the usual length") } else { String::new() };
    Ok(format!(
        "## {}, commit {commit}{changed}\n\n{cpu}, {cores} cores, load average {load} at the start{scaled}.\n",
        said("date", &["-u", "+%F %H:%M UTC"])?
    ))
}

/// Writes a run into the page, in the place of the same run with fewer parts.
pub fn write(heading: &str, rows: &[Row]) -> Result<()> {
    let page = std::fs::read_to_string(PATH).with_context(|| format!("cannot read {PATH}"))?;
    std::fs::write(PATH, with(&page, heading, rows)?).with_context(|| format!("cannot write {PATH}"))
}

fn with(page: &str, heading: &str, rows: &[Row]) -> Result<String> {
    let (before, after) = page.split_once(BEGIN).with_context(|| format!("{PATH} has lost the mark of its runs"))?;
    let mut run = format!("\n{heading}\n| part | what | figures | seconds |\n|---|---|---|---|\n");
    for Row { part, what, figures, seconds } in rows {
        run += &format!("| {part} | {what} | {} | {seconds} |\n", figures.replace('|', "\\|").replace('\n', " "));
    }
    let earlier = format!("\n{heading}\n| part |");
    Ok(match after.split_once(&earlier) {
        // The run ends where the next one begins.
        Some((newer, rest)) => {
            let older = rest.find("\n## ").map_or("", |end| &rest[end..]);
            format!("{before}{BEGIN}{newer}{run}{older}")
        }
        None => format!("{before}{BEGIN}{run}{after}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_run_comes_first() {
        let row = |figures: &str| [Row { part: "kills", what: "kills", figures: figures.into(), seconds: 7 }];
        let first = with(&format!("# Proofs\n\n{BEGIN}"), "## one\n", &row("a | b\nc")).unwrap();
        let second = with(&first, "## two\n", &row("d")).unwrap();
        assert!(second.contains("| kills | kills | a \\| b c | 7 |\n"), "{second}");
        assert!(second.find("## two").unwrap() < second.find("## one").unwrap());
        assert!(with("# Proofs\n", "", &[]).is_err());
    }

    #[test]
    fn a_run_that_goes_on_stays_one_run() {
        let row = |figures: &str| Row { part: "kills", what: "kills", figures: figures.into(), seconds: 7 };
        let page = with(&format!("# Proofs\n\n{BEGIN}"), "## one\n", &[row("a")]).unwrap();
        let page = with(&page, "## two\n", &[row("b")]).unwrap();
        for heading in ["## one\n", "## two\n"] {
            let longer = with(&page, heading, &[row("c"), row("d")]).unwrap();
            assert_eq!(longer.matches("## ").count(), 2, "{longer}");
            assert_eq!(longer.matches("| kills |").count(), 3, "{longer}");
            assert!(longer.find("## two").unwrap() < longer.find("## one").unwrap());
        }
    }
}
