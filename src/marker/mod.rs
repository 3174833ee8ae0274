//! Done is done: records on the host that a task ran, and the shell text around a command that writes them. Names,
//! digests, the words of the host's answers; when they are used is the engine's business.

mod answer;
mod digest;
mod envelope;
mod file;
mod guard;
mod lease;
mod name;
mod record;
mod task;

pub use answer::{Doubt, Said, Verdict};
pub use digest::TaskParts;
pub use envelope::{Act, Envelope};
pub use guard::{Approved, Guard};
pub use lease::{Held, Lease, Owner};
pub use name::{file_name, item_suffix, run_prefix};
pub use record::Record;
pub use task::{Judge, Marker, OnChange, WhenInDoubt};
