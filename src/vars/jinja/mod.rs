//! The template language: text to tokens, tokens to a tree, and the tree evaluated.
//!
//! Values are those of `minijinja`. The evaluator is our own, because Ansible's language is Jinja2 with Python's values
//! under it: an undefined name must be an error in every operator, yet forgiven by `default` at the end of a path;
//! `'10' > 5` must not be an answer; `%` formats text; a list in a template can be appended to; one expression alone
//! keeps its type.

pub(in crate::vars) mod ast;
mod call;
mod expr;
mod globals;
mod lexer;
mod loops;
mod operators;
mod parse_expr;
pub(in crate::vars) mod parser;
pub(in crate::vars) mod render;

pub(in crate::vars) use ast::{Cmp, Op};
pub(in crate::vars) use expr::{item, no_attribute, path};
pub(in crate::vars) use operators::{binary, check_length, compare, contains};
