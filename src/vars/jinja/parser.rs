//! Tokens become a tree: statements. Expressions are read in [`super::parse_expr`].

use std::sync::Arc;

use crate::vars::fault::{Fault, Res};
use crate::vars::jinja::ast::{Block, Expr, For, Kind, Macro, Name, Stmt, Target, Template};
use crate::vars::jinja::lexer::{self, Tok, Token};
use crate::vars::stack;
use crate::vars::templar::FileOptions;

/// Reads a template.
pub(in crate::vars) fn template(text: &str, options: &FileOptions, raw_strings: bool) -> Res<Template> {
    let tokens = lexer::template(text, options, raw_strings)?;
    let mut parser = Parser::new(tokens);
    let body = parser.body(&[])?;
    Ok(Template {
        body,
        blocks: parser.blocks,
        final_newlines: text.len() - text.trim_end_matches('\n').len(),
    })
}

/// Reads a bare expression.
pub(in crate::vars) fn expression(text: &str) -> Res<Expr> {
    let options = FileOptions::default();
    let mut parser = Parser::new(lexer::expression(text, &options)?);
    let expr = parser.tuple(true, &[])?;
    match parser.peek() {
        Tok::End => Ok(expr),
        other => Err(parser.fault(format!("unexpected {}", other.shown()))),
    }
}

/// How deep expressions and blocks may nest.
const DEEPEST: u32 = 100;

pub(in crate::vars) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
    blocks: Vec<Arc<Block>>,
}

impl Parser {
    fn new(tokens: Vec<Token>) -> Self {
        Self {
            tokens,
            at: 0,
            depth: 0,
            blocks: Vec::new(),
        }
    }

    pub(super) fn peek(&self) -> &Tok {
        self.tokens.get(self.at).map_or(&Tok::End, |token| &token.tok)
    }

    pub(super) fn peek_after(&self) -> &Tok {
        self.tokens.get(self.at + 1).map_or(&Tok::End, |token| &token.tok)
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map_or(1, |token| token.line)
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(format!("syntax error in template: {}", message.into())).on_line(self.line())
    }

    pub(super) fn next(&mut self) -> Tok {
        let tok = self.tokens.get_mut(self.at).map_or(Tok::End, |token| token.tok.clone());
        self.at += 1;
        tok
    }

    pub(super) fn skip_op(&mut self, op: &str) -> bool {
        let is = matches!(self.peek(), Tok::Op(found) if *found == op);
        self.at += usize::from(is);
        is
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Tok::Name(found) if found == name)
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let is = self.is_name(name);
        self.at += usize::from(is);
        is
    }

    pub(super) fn expect_op(&mut self, op: &str) -> Res<()> {
        if self.skip_op(op) {
            return Ok(());
        }
        Err(self.fault(format!("expected `{op}`, got {}", self.peek().shown())))
    }

    pub(super) fn name(&mut self) -> Res<Name> {
        match self.peek() {
            Tok::Name(name) => {
                let name: Name = name.as_str().into();
                self.at += 1;
                Ok(name)
            }
            other => Err(self.fault(format!("expected a name, got {}", other.shown()))),
        }
    }

    fn expect_name(&mut self, name: &str) -> Res<()> {
        if self.skip_name(name) {
            return Ok(());
        }
        Err(self.fault(format!("expected `{name}`, got {}", self.peek().shown())))
    }

    /// One level deeper; refuses before the stack could end.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        if self.depth >= DEEPEST || stack::is_low() {
            return Err(self.fault("the template is nested too deeply"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn block_end(&mut self) -> Res<()> {
        match self.peek() {
            Tok::BlockEnd => {
                self.at += 1;
                Ok(())
            }
            other => Err(self.fault(format!(
                "expected the end of the statement block, got {}",
                other.shown()
            ))),
        }
    }

    /// Statements up to one of the tags in `ends`, whose name is left to be read. Empty: up to the end.
    fn body(&mut self, ends: &[&str]) -> Res<Vec<Stmt>> {
        let mut body = Vec::new();
        loop {
            let line = self.line();
            match self.next() {
                Tok::Data(text) => body.push(Stmt {
                    line,
                    kind: Kind::Text(text.into()),
                }),
                Tok::VarStart => {
                    let expr = self.tuple(true, &[])?;
                    match self.next() {
                        Tok::VarEnd => body.push(Stmt {
                            line,
                            kind: Kind::Print(expr),
                        }),
                        other => {
                            self.at -= 1;
                            return Err(self.fault(format!(
                                "expected the end of the print statement, got {}",
                                other.shown()
                            )));
                        }
                    }
                }
                Tok::BlockStart => {
                    let word = match self.peek() {
                        Tok::Name(name) => name.clone(),
                        other => return Err(self.fault(format!("tag name expected, got {}", other.shown()))),
                    };
                    if ends.contains(&word.as_str()) {
                        return Ok(body);
                    }
                    let kind = self.deeper(|parser| parser.statement(&word, ends))?;
                    body.push(Stmt { line, kind });
                }
                Tok::End if ends.is_empty() => return Ok(body),
                Tok::End => {
                    let wanted = ends.last().copied().unwrap_or_default();
                    return Err(self.fault(format!("unexpected end of template, `{wanted}` is missing")));
                }
                other => return Err(self.fault(format!("unexpected {}", other.shown()))),
            }
        }
    }

    /// A body and its end tag, which is read.
    fn body_until(&mut self, end: &str) -> Res<Vec<Stmt>> {
        self.block_end()?;
        let body = self.body(&[end])?;
        self.next();
        Ok(body)
    }

    fn statement(&mut self, word: &str, ends: &[&str]) -> Res<Kind> {
        self.next();
        let kind = match word {
            "for" => self.for_loop()?,
            "if" => self.if_block()?,
            "set" => self.set()?,
            "with" => {
                let mut sets = Vec::new();
                while *self.peek() != Tok::BlockEnd {
                    if !sets.is_empty() {
                        self.expect_op(",")?;
                    }
                    let target = self.target()?;
                    self.expect_op("=")?;
                    sets.push((target, self.expr()?));
                }
                Kind::With(sets, self.body_until("endwith")?)
            }
            "filter" => {
                let filter = self.filters(Expr::Body, true)?;
                Kind::FilterBlock(filter, self.body_until("endfilter")?)
            }
            "macro" => {
                let name = self.name()?;
                let params = self.params()?;
                let body = self.body_until("endmacro")?;
                Kind::Macro(Arc::new(Macro { name, params, body }))
            }
            "call" => {
                let params = if matches!(self.peek(), Tok::Op("(")) {
                    self.params()?
                } else {
                    Vec::new()
                };
                let call = self.expr()?;
                if !matches!(call, Expr::Call(..)) {
                    return Err(self.fault("expected a call"));
                }
                let body = self.body_until("endcall")?;
                let name = "caller".into();
                Kind::CallBlock(Arc::new(Macro { name, params, body }), call)
            }
            "block" => {
                let name = self.name()?;
                while self.skip_name("scoped") || self.skip_name("required") {}
                self.block_end()?;
                let body = self.body(&["endblock"])?;
                self.next();
                self.skip_name(&name);
                let block = Arc::new(Block { name, body });
                self.blocks.push(block.clone());
                Kind::Block(block)
            }
            "extends" => Kind::Extends(self.expr()?),
            "include" => {
                let names = self.expr()?;
                let ignore_missing =
                    self.is_name("ignore") && matches!(self.peek_after(), Tok::Name(n) if n == "missing");
                self.at += 2 * usize::from(ignore_missing);
                let with_context = self.context(true);
                Kind::Include {
                    names,
                    ignore_missing,
                    with_context,
                }
            }
            "import" => {
                let file = self.expr()?;
                self.expect_name("as")?;
                let name = self.name()?;
                let with_context = self.context(false);
                Kind::Import {
                    file,
                    name,
                    with_context,
                }
            }
            "from" => self.from()?,
            "do" => Kind::Do(self.tuple(true, &[])?),
            "autoescape" => {
                self.expr()?;
                Kind::Scope(self.body_until("endautoescape")?)
            }
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            _ => {
                self.at -= 1;
                let fault = self.fault(format!("unknown tag `{word}`"));
                return Err(match ends.last() {
                    Some(end) => fault.help(format!("the innermost open block ends with `{end}`")),
                    None => fault,
                });
            }
        };
        self.block_end()?;
        Ok(kind)
    }

    fn for_loop(&mut self) -> Res<Kind> {
        let target = self.target()?;
        self.expect_name("in")?;
        let items = self.tuple(false, &["recursive"])?;
        let test = if self.skip_name("if") { Some(self.expr()?) } else { None };
        let recursive = self.skip_name("recursive");
        self.block_end()?;
        let body = self.body(&["else", "endfor"])?;
        let otherwise = if self.skip_name("else") {
            self.body_until("endfor")?
        } else {
            self.next();
            Vec::new()
        };
        Ok(Kind::For(Arc::new(For {
            target,
            items,
            test,
            recursive,
            body,
            otherwise,
        })))
    }

    fn if_block(&mut self) -> Res<Kind> {
        let mut branches = Vec::new();
        loop {
            let test = self.tuple(false, &[])?;
            self.block_end()?;
            let body = self.body(&["elif", "else", "endif"])?;
            branches.push((test, body));
            if self.skip_name("elif") {
                continue;
            }
            let otherwise = if self.skip_name("else") {
                self.body_until("endif")?
            } else {
                self.next();
                Vec::new()
            };
            return Ok(Kind::If(branches, otherwise));
        }
    }

    fn set(&mut self) -> Res<Kind> {
        let target = self.target()?;
        if self.skip_op("=") {
            return Ok(Kind::Set(target, self.tuple(true, &[])?));
        }
        let filter = if matches!(self.peek(), Tok::Op("|")) {
            Some(self.filters(Expr::Body, false)?)
        } else {
            None
        };
        Ok(Kind::SetBlock(target, filter, self.body_until("endset")?))
    }

    fn from(&mut self) -> Res<Kind> {
        let file = self.expr()?;
        self.expect_name("import")?;
        let mut names = Vec::new();
        let mut with_context = false;
        loop {
            if matches!(self.peek_after(), Tok::Name(n) if n == "context")
                && (self.is_name("with") || self.is_name("without"))
            {
                with_context = self.context(false);
                break;
            }
            let name = self.name()?;
            let alias = if self.skip_name("as") {
                self.name()?
            } else {
                name.clone()
            };
            names.push((name, alias));
            if !self.skip_op(",") && !matches!(self.peek(), Tok::Name(_)) {
                break;
            }
            if *self.peek() == Tok::BlockEnd {
                break;
            }
        }
        Ok(Kind::From {
            file,
            names,
            with_context,
        })
    }

    /// `with context`, `without context`, or nothing.
    fn context(&mut self, default: bool) -> bool {
        let said = self.is_name("with") || self.is_name("without");
        if said && matches!(self.peek_after(), Tok::Name(n) if n == "context") {
            let with = self.is_name("with");
            self.at += 2;
            return with;
        }
        default
    }

    fn params(&mut self) -> Res<Vec<(Name, Option<Expr>)>> {
        self.expect_op("(")?;
        let mut params = Vec::new();
        while !self.skip_op(")") {
            if !params.is_empty() {
                self.expect_op(",")?;
            }
            let name = self.name()?;
            let default = if self.skip_op("=") { Some(self.expr()?) } else { None };
            params.push((name, default));
        }
        Ok(params)
    }

    fn target(&mut self) -> Res<Target> {
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            if self.skip_op("(") {
                let inner = self.deeper(Self::target)?;
                self.expect_op(")")?;
                targets.push(inner);
            } else {
                let name = self.name()?;
                if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None") {
                    return Err(self.fault(format!("cannot assign to `{name}`")));
                }
                targets.push(if self.skip_op(".") {
                    Target::Attr(name, self.name()?)
                } else {
                    Target::Name(name)
                });
            }
            if !self.skip_op(",") {
                break;
            }
            is_tuple = true;
            if !matches!(self.peek(), Tok::Name(_) | Tok::Op("(")) || self.is_name("in") {
                break;
            }
        }
        match targets.pop() {
            Some(only) if targets.is_empty() && !is_tuple => Ok(only),
            Some(last) => {
                targets.push(last);
                Ok(Target::Tuple(targets))
            }
            None => Err(self.fault("expected a name")),
        }
    }
}
