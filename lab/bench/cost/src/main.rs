//! The loop as a program: tasks on standard input, costs on standard output, both JSON lists. `warmline-lab bench channels`
//! runs the Wasm build of it on the runner's engine.

use std::io::{stdin, stdout};
use warmline_cost::{Cost, Task, measure};

fn main() -> anyhow::Result<()> {
    let tasks: Vec<Task> = serde_json::from_reader(stdin())?;
    let costs: Vec<Cost> = tasks.iter().map(measure).collect::<anyhow::Result<_>>()?;
    Ok(serde_json::to_writer(stdout(), &costs)?)
}
