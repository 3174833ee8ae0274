//! A template after reading: what is printed, and what is decided.

use std::sync::Arc;

use crate::vars::Value;

/// Names and texts in the tree.
pub(in crate::vars) type Name = Arc<str>;

/// A whole template.
#[derive(Debug, Default)]
pub(in crate::vars) struct Template {
    /// What it consists of.
    pub(in crate::vars) body: Vec<Stmt>,
    /// Its blocks, also nested ones.
    pub(in crate::vars) blocks: Vec<Arc<Block>>,
    /// Line feeds at the end of the text.
    pub(in crate::vars) final_newlines: usize,
}

/// `{% block name %}`.
#[derive(Debug)]
pub(in crate::vars) struct Block {
    pub(in crate::vars) name: Name,
    pub(in crate::vars) body: Vec<Stmt>,
}

/// One piece of a template, with its line.
#[derive(Debug)]
pub(in crate::vars) struct Stmt {
    pub(in crate::vars) line: u32,
    pub(in crate::vars) kind: Kind,
}

/// What a piece is.
#[derive(Debug)]
pub(in crate::vars) enum Kind {
    Text(Name),
    Print(Expr),
    For(Arc<For>),
    If(Vec<(Expr, Vec<Stmt>)>, Vec<Stmt>),
    Set(Target, Expr),
    SetBlock(Target, Option<Expr>, Vec<Stmt>),
    With(Vec<(Target, Expr)>, Vec<Stmt>),
    FilterBlock(Expr, Vec<Stmt>),
    Macro(Arc<Macro>),
    CallBlock(Arc<Macro>, Expr),
    Block(Arc<Block>),
    Extends(Expr),
    Include {
        names: Expr,
        ignore_missing: bool,
        with_context: bool,
    },
    Import {
        file: Expr,
        name: Name,
        with_context: bool,
    },
    From {
        file: Expr,
        names: Vec<(Name, Name)>,
        with_context: bool,
    },
    Do(Expr),
    Scope(Vec<Stmt>),
    Break,
    Continue,
}

/// `{% for target in items if test %}`.
#[derive(Debug)]
pub(in crate::vars) struct For {
    pub(in crate::vars) target: Target,
    pub(in crate::vars) items: Expr,
    pub(in crate::vars) test: Option<Expr>,
    pub(in crate::vars) recursive: bool,
    pub(in crate::vars) body: Vec<Stmt>,
    pub(in crate::vars) otherwise: Vec<Stmt>,
}

/// A macro, or the body of a `{% call %}`.
#[derive(Debug)]
pub(in crate::vars) struct Macro {
    pub(in crate::vars) name: Name,
    pub(in crate::vars) params: Vec<(Name, Option<Expr>)>,
    pub(in crate::vars) body: Vec<Stmt>,
}

/// What is assigned to.
#[derive(Debug)]
pub(in crate::vars) enum Target {
    Name(Name),
    Attr(Name, Name),
    Tuple(Vec<Target>),
}

/// Arguments of a call, a filter or a test.
#[derive(Debug, Default)]
pub(in crate::vars) struct CallArgs {
    pub(in crate::vars) pos: Vec<Expr>,
    pub(in crate::vars) named: Vec<(Name, Expr)>,
    pub(in crate::vars) star: Option<Box<Expr>>,
    pub(in crate::vars) star_star: Option<Box<Expr>>,
}

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vars) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vars) enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

/// An expression.
#[derive(Debug)]
pub(in crate::vars) enum Expr {
    Const(Value),
    Var(Name),
    List(Vec<Expr>),
    /// `a, b`: a list, but several values after `%`.
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attr(Box<Expr>, Name),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Box<[Option<Expr>; 3]>),
    Neg(Box<Expr>),
    Pos(Box<Expr>),
    Not(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Cmp, Expr)>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Cond(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    Filter(Box<Expr>, Name, CallArgs),
    Test(Box<Expr>, Name, CallArgs),
    Call(Box<Expr>, CallArgs),
    /// The text of the block a filter stands around.
    Body,
}
