//! What can be typed after `batchssh doubt`.

use clap::{ArgGroup, Args, Subcommand};
use serde::{Deserialize, Serialize};

/// `batchssh doubt`.
#[derive(Clone, Debug, Args)]
pub struct DoubtArgs {
    /// What to do
    #[command(subcommand)]
    pub what: What,
}

/// What can be done about doubts.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// List tasks in doubt: run, task, hosts, command; with --look, what the hosts know about them
    List(ListArgs),
    /// Say what became of a task, after you looked; `retry` and `resume` go on from that
    Resolve(ResolveArgs),
}

/// `batchssh doubt list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Which run; its id or the begin of it [default: the latest runs]
    pub run: Option<String>,
    /// Ask the hosts: what their markers say, and whether a process of the task still runs there
    #[arg(long)]
    pub look: bool,
    /// Show them as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `batchssh doubt resolve`.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("decision").args(["done", "not_done"]).required(true))]
pub struct ResolveArgs {
    /// Which run; its id or the begin of it
    pub run: String,
    /// On which host; several with commas, `*` and `?` stand for other characters
    pub host: String,
    /// Which task, by its name or its place `FILE:LINE` [default: the one that is in doubt]
    pub task: Option<String>,
    /// It was done: it is not run again
    #[arg(long)]
    pub done: bool,
    /// It was not done: the next `retry` or `resume` runs it
    #[arg(long)]
    pub not_done: bool,
}

/// What the command of a run, given once more, is to ask the hosts instead of running.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Asked {
    /// The newest run of the chain.
    pub run: String,
    /// `None`: only looks. It was done, or it was not.
    pub say: Option<bool>,
    /// On which hosts; `None`: all.
    pub hosts: Option<String>,
    /// Which task; `None`: all.
    pub task: Option<String>,
    /// What was found is shown as JSON.
    pub json: bool,
}
