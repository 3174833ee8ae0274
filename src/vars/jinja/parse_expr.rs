//! Expressions, with Jinja2's precedence. Names of filters and tests are checked here, so that a plan with an unknown
//! one is refused before any host is contacted.

use crate::vars::Value;
use crate::vars::fault::Res;
use crate::vars::jinja::ast::{CallArgs, Cmp, Expr, Name, Op};
use crate::vars::jinja::lexer::Tok;
use crate::vars::jinja::parser::Parser;
use crate::vars::{filters, tests};

impl Parser {
    /// One expression, `a if b else c` included.
    pub(super) fn expr(&mut self) -> Res<Expr> {
        self.deeper(Self::conditional)
    }

    /// An expression, or several with commas between, which are a list.
    pub(super) fn tuple(&mut self, conditional: bool, ends: &[&str]) -> Res<Expr> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            let ended = match self.peek() {
                Tok::VarEnd | Tok::BlockEnd | Tok::End | Tok::Op(")") => true,
                Tok::Name(name) => ends.contains(&name.as_str()),
                _ => false,
            };
            if ended && is_tuple {
                break;
            }
            items.push(if conditional {
                self.expr()?
            } else {
                self.deeper(Self::or)?
            });
            if !self.skip_op(",") {
                break;
            }
            is_tuple = true;
        }
        match items.pop() {
            Some(only) if !is_tuple => Ok(only),
            last => {
                items.extend(last);
                Ok(Expr::Tuple(items))
            }
        }
    }

    fn conditional(&mut self) -> Res<Expr> {
        let mut expr = self.or()?;
        while self.skip_name("if") {
            let test = self.or()?;
            let otherwise = if self.skip_name("else") {
                Some(Box::new(self.expr()?))
            } else {
                None
            };
            expr = Expr::Cond(Box::new(test), Box::new(expr), otherwise);
        }
        Ok(expr)
    }

    fn or(&mut self) -> Res<Expr> {
        let mut left = self.and()?;
        let mut count = 0;
        while self.skip_name("or") {
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
            self.chain(&mut count)?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Res<Expr> {
        let mut left = self.not()?;
        let mut count = 0;
        while self.skip_name("and") {
            left = Expr::And(Box::new(left), Box::new(self.not()?));
            self.chain(&mut count)?;
        }
        Ok(left)
    }

    /// Trees that lean to the left are as deep as they are long; they are limited, too.
    fn chain(&self, count: &mut u32) -> Res<()> {
        *count += 1;
        if *count > 200 {
            return Err(self.fault("the expression has too many parts"));
        }
        Ok(())
    }

    fn not(&mut self) -> Res<Expr> {
        if self.skip_name("not") {
            return Ok(Expr::Not(Box::new(self.deeper(Self::not)?)));
        }
        self.compare()
    }

    fn compare(&mut self) -> Res<Expr> {
        let left = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let op = match self.peek() {
                Tok::Op("==") => Cmp::Eq,
                Tok::Op("!=") => Cmp::Ne,
                Tok::Op("<") => Cmp::Lt,
                Tok::Op("<=") => Cmp::Le,
                Tok::Op(">") => Cmp::Gt,
                Tok::Op(">=") => Cmp::Ge,
                Tok::Name(name) if name == "in" => Cmp::In,
                Tok::Name(name) if name == "not" && matches!(self.peek_after(), Tok::Name(n) if n == "in") => {
                    self.next();
                    Cmp::NotIn
                }
                _ => break,
            };
            self.next();
            rest.push((op, self.sum()?));
        }
        Ok(if rest.is_empty() {
            left
        } else {
            Expr::Compare(Box::new(left), rest)
        })
    }

    fn sum(&mut self) -> Res<Expr> {
        let mut left = self.concat()?;
        let mut count = 0;
        loop {
            let op = match self.peek() {
                Tok::Op("+") => Op::Add,
                Tok::Op("-") => Op::Sub,
                _ => return Ok(left),
            };
            self.next();
            left = Expr::Binary(op, Box::new(left), Box::new(self.concat()?));
            self.chain(&mut count)?;
        }
    }

    fn concat(&mut self) -> Res<Expr> {
        let first = self.product()?;
        if !matches!(self.peek(), Tok::Op("~")) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_op("~") {
            parts.push(self.product()?);
        }
        Ok(Expr::Concat(parts))
    }

    fn product(&mut self) -> Res<Expr> {
        let mut left = self.power()?;
        let mut count = 0;
        loop {
            let op = match self.peek() {
                Tok::Op("*") => Op::Mul,
                Tok::Op("/") => Op::Div,
                Tok::Op("//") => Op::FloorDiv,
                Tok::Op("%") => Op::Rem,
                _ => return Ok(left),
            };
            self.next();
            left = Expr::Binary(op, Box::new(left), Box::new(self.power()?));
            self.chain(&mut count)?;
        }
    }

    fn power(&mut self) -> Res<Expr> {
        let mut left = self.unary(true)?;
        let mut count = 0;
        while self.skip_op("**") {
            left = Expr::Binary(Op::Pow, Box::new(left), Box::new(self.unary(true)?));
            self.chain(&mut count)?;
        }
        Ok(left)
    }

    fn unary(&mut self, with_filters: bool) -> Res<Expr> {
        let expr = if self.skip_op("-") {
            Expr::Neg(Box::new(self.deeper(|parser| parser.unary(false))?))
        } else if self.skip_op("+") {
            Expr::Pos(Box::new(self.deeper(|parser| parser.unary(false))?))
        } else {
            self.primary()?
        };
        let expr = self.postfix(expr)?;
        if with_filters {
            self.filter_or_test(expr)
        } else {
            Ok(expr)
        }
    }

    fn primary(&mut self) -> Res<Expr> {
        let line_fault =
            |parser: &Self, tok: &Tok| parser.fault(format!("expected an expression, got {}", tok.shown()));
        let tok = self.peek().clone();
        let expr = match tok {
            Tok::Name(name) => match name.as_str() {
                "true" | "True" => Expr::Const(Value::from(true)),
                "false" | "False" => Expr::Const(Value::from(false)),
                "none" | "None" => Expr::Const(Value::from(())),
                "if" | "else" | "and" | "or" | "in" | "is" => return Err(line_fault(self, &Tok::Name(name))),
                _ => Expr::Var(name.into()),
            },
            Tok::Str(first) => {
                let mut text = first;
                while let Tok::Str(more) = self.peek_after() {
                    text.push_str(more);
                    self.next();
                }
                Expr::Const(Value::from(text))
            }
            Tok::Int(number) => Expr::Const(crate::vars::python::int(number)),
            Tok::Float(number) => Expr::Const(Value::from(number)),
            Tok::Op("(") => {
                self.next();
                if self.skip_op(")") {
                    return Ok(Expr::Tuple(Vec::new()));
                }
                let inner = self.tuple(true, &[])?;
                self.expect_op(")")?;
                return Ok(inner);
            }
            Tok::Op("[") => {
                self.next();
                let mut items = Vec::new();
                while !self.skip_op("]") {
                    if !items.is_empty() {
                        self.expect_op(",")?;
                        if self.skip_op("]") {
                            break;
                        }
                    }
                    items.push(self.expr()?);
                }
                return Ok(Expr::List(items));
            }
            Tok::Op("{") => {
                self.next();
                let mut pairs = Vec::new();
                while !self.skip_op("}") {
                    if !pairs.is_empty() {
                        self.expect_op(",")?;
                        if self.skip_op("}") {
                            break;
                        }
                    }
                    let key = self.expr()?;
                    self.expect_op(":")?;
                    pairs.push((key, self.expr()?));
                }
                return Ok(Expr::Dict(pairs));
            }
            other => return Err(line_fault(self, &other)),
        };
        self.next();
        Ok(expr)
    }

    fn postfix(&mut self, mut expr: Expr) -> Res<Expr> {
        let mut count = 0;
        loop {
            if self.skip_op(".") {
                expr = match self.next() {
                    Tok::Name(name) => Expr::Attr(Box::new(expr), name.into()),
                    Tok::Int(index) => {
                        Expr::Item(Box::new(expr), Box::new(Expr::Const(crate::vars::python::int(index))))
                    }
                    other => return Err(self.fault(format!("expected a name after `.`, got {}", other.shown()))),
                };
            } else if self.skip_op("[") {
                expr = self.subscript(expr)?;
            } else if matches!(self.peek(), Tok::Op("(")) {
                expr = Expr::Call(Box::new(expr), self.call_args()?);
            } else {
                return Ok(expr);
            }
            self.chain(&mut count)?;
        }
    }

    fn subscript(&mut self, expr: Expr) -> Res<Expr> {
        let mut parts = [None, None, None];
        let mut colons = 0;
        loop {
            if self.skip_op("]") {
                break;
            }
            if self.skip_op(":") {
                colons += 1;
                continue;
            }
            let part = self.expr()?;
            match parts.get_mut(colons) {
                Some(place @ None) => *place = Some(part),
                _ => return Err(self.fault("bad subscript")),
            }
        }
        if colons > 0 {
            return Ok(Expr::Slice(Box::new(expr), Box::new(parts)));
        }
        match parts {
            [Some(index), _, _] => Ok(Expr::Item(Box::new(expr), Box::new(index))),
            _ => Err(self.fault("expected a subscript between `[` and `]`")),
        }
    }

    fn call_args(&mut self) -> Res<CallArgs> {
        self.expect_op("(")?;
        let mut args = CallArgs::default();
        let mut first = true;
        while !self.skip_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.skip_op(")") {
                    break;
                }
            }
            first = false;
            if self.skip_op("**") {
                args.star_star = Some(Box::new(self.expr()?));
            } else if self.skip_op("*") {
                args.star = Some(Box::new(self.expr()?));
            } else if let (Tok::Name(name), Tok::Op("=")) = (self.peek(), self.peek_after()) {
                let name: Name = name.as_str().into();
                self.next();
                self.next();
                args.named.push((name, self.expr()?));
            } else if args.named.is_empty() {
                let arg = self.expr()?;
                args.pos.push(arg);
            } else {
                return Err(self.fault("a plain argument follows a named one"));
            }
        }
        Ok(args)
    }

    fn dotted(&mut self) -> Res<String> {
        let mut name = self.name()?.to_string();
        while self.skip_op(".") {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name)
    }

    fn filter_or_test(&mut self, mut expr: Expr) -> Res<Expr> {
        let mut count = 0;
        loop {
            if matches!(self.peek(), Tok::Op("|")) {
                expr = self.filters(expr, false)?;
            } else if self.skip_name("is") {
                expr = self.test(expr)?;
            } else if matches!(self.peek(), Tok::Op("(")) {
                expr = Expr::Call(Box::new(expr), self.call_args()?);
            } else {
                return Ok(expr);
            }
            self.chain(&mut count)?;
        }
    }

    /// `| name(args) | …`; `inline`: the first comes without its `|`.
    pub(super) fn filters(&mut self, mut expr: Expr, mut inline: bool) -> Res<Expr> {
        let mut count = 0;
        while inline || self.skip_op("|") {
            inline = false;
            let name = self.dotted()?;
            let name = filters::known(&name).map_err(|fault| fault.on_line(self.line()))?;
            let args = if matches!(self.peek(), Tok::Op("(")) {
                self.call_args()?
            } else {
                CallArgs::default()
            };
            expr = Expr::Filter(Box::new(expr), name.into(), args);
            self.chain(&mut count)?;
        }
        Ok(expr)
    }

    fn test(&mut self, expr: Expr) -> Res<Expr> {
        let negated = self.skip_name("not");
        let name = self.dotted()?;
        let name = tests::known(&name).map_err(|fault| fault.on_line(self.line()))?;
        let mut args = CallArgs::default();
        match self.peek() {
            Tok::Op("(") => args = self.call_args()?,
            Tok::Name(word) if matches!(word.as_str(), "else" | "or" | "and" | "if" | "in" | "not") => {}
            Tok::Name(word) if word == "is" => {
                return Err(self.fault("tests cannot be chained with `is`"));
            }
            Tok::Name(_) | Tok::Str(_) | Tok::Int(_) | Tok::Float(_) | Tok::Op("[" | "{") => {
                let arg = self.primary()?;
                args.pos.push(self.postfix(arg)?);
            }
            _ => {}
        }
        let test = Expr::Test(Box::new(expr), name.into(), args);
        Ok(if negated { Expr::Not(Box::new(test)) } else { test })
    }
}
