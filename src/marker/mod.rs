//! Done is done: records on the host that a task ran, and the shell text around a command that writes them. Names,
//! digests, the words of the host's answers; when they are used is the engine's business.

mod answer;
mod digest;
mod envelope;
mod name;
mod record;

pub use answer::{Doubt, Said, Verdict};
pub use digest::TaskParts;
pub use envelope::{Act, Envelope, Judge, Marker, OnChange};
pub use name::{file_name, item_suffix};
pub use record::Record;
