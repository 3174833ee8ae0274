//! What goes wrong while a template is read or rendered, before it has a place in the user's files.

use crate::source::{Diagnostic, Span};

/// The result of everything inside this room.
pub(in crate::vars) type Res<T = crate::vars::Value> = Result<T, Fault>;

/// A mistake in a template, or one that came up while it was rendered.
#[derive(Clone, Debug)]
pub(in crate::vars) struct Fault {
    /// What is wrong.
    pub(in crate::vars) message: String,
    /// What to do about it.
    pub(in crate::vars) help: Option<String>,
    /// It is about something that is not defined: `default` and `is defined` may forgive it.
    pub(in crate::vars) undefined: bool,
    /// The line inside the template, from 1; 0: not known.
    pub(in crate::vars) line: u32,
    /// The place, once known. The innermost place wins.
    pub(in crate::vars) at: Option<Span>,
}

impl Fault {
    /// A plain mistake.
    pub(in crate::vars) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            undefined: false,
            line: 0,
            at: None,
        }
    }

    /// Use of something that is not there.
    pub(in crate::vars) fn undefined(message: impl Into<String>) -> Self {
        Self {
            undefined: true,
            ..Self::new(message)
        }
    }

    /// Adds what to do.
    pub(in crate::vars) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the line inside the template, unless a deeper one is known.
    pub(in crate::vars) fn on_line(mut self, line: u32) -> Self {
        if self.line == 0 && self.at.is_none() {
            self.line = line;
        }
        self
    }

    /// Adds the place, unless a deeper one is known.
    pub(in crate::vars) fn at(mut self, span: impl FnOnce(u32) -> Span) -> Self {
        if self.at.is_none() {
            self.at = Some(span(self.line));
        }
        self
    }

    /// The message for the user.
    pub(in crate::vars) fn into_diagnostic(self) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.message);
        diagnostic.help = self.help;
        match self.at {
            Some(at) => diagnostic.at(at),
            None => diagnostic,
        }
    }
}
