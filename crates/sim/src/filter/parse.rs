//! Tokens → [`Expr`], by recursive descent with a bounded depth.
//!
//! Invariant: never recurses deeper than [`MAX_DEPTH`], whatever the text.

use super::lex::{Token, tokens};
use super::{Expr, FilterError, Literal, Op, Operand, Test};
use crate::value::parse_time;

/// Parentheses and `not`s inside each other; more is refused.
const MAX_DEPTH: usize = 128;

/// Words that are never a field.
const RESERVED: [&str; 8] = ["and", "or", "not", "in", "like", "is", "between", "null"];

/// Parses a FilterString. Blank text is no condition (`None`).
pub fn parse(text: &str) -> Result<Option<Expr>, FilterError> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { tokens, next: 0, end: text.len() };
    let expr = parser.or(0)?;
    match parser.peek() {
        None => Ok(Some(expr)),
        Some(_) => Err(parser.error("text after the condition")),
    }
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn error(&self, what: &str) -> FilterError {
        let at = self.tokens.get(self.next).map_or(self.end, |(_, at)| *at);
        FilterError { what: what.to_owned(), at }
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.next += usize::from(token.is_some());
        token
    }

    fn word(&mut self, keyword: &str) -> bool {
        let hit = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(hit);
        hit
    }

    fn sign(&mut self, sign: &str) -> bool {
        let hit = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.next += usize::from(hit);
        hit
    }

    fn expect(&mut self, sign: &str) -> Result<(), FilterError> {
        if self.sign(sign) { Ok(()) } else { Err(self.error(&format!("expected {sign:?}"))) }
    }

    fn or(&mut self, depth: usize) -> Result<Expr, FilterError> {
        let first = self.and(depth)?;
        let mut parts = vec![first];
        while self.word("or") {
            parts.push(self.and(depth)?);
        }
        Ok(single(parts, Expr::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Expr, FilterError> {
        let first = self.unary(depth)?;
        let mut parts = vec![first];
        while self.word("and") {
            parts.push(self.unary(depth)?);
        }
        Ok(single(parts, Expr::And))
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, FilterError> {
        if depth >= MAX_DEPTH {
            return Err(self.error("nested too deep"));
        }
        if self.word("not") {
            return Ok(Expr::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.sign("(") {
            let inner = self.or(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.test().map(Expr::Test)
    }

    fn test(&mut self) -> Result<Test, FilterError> {
        let left = self.operand()?;
        if self.word("is") {
            let not = self.word("not");
            return if self.word("null") { Ok(Test::IsNull(left, not)) } else { Err(self.error("expected null")) };
        }
        let not = self.word("not");
        if self.word("in") {
            self.expect("(")?;
            let mut list = vec![self.literal()?];
            while self.sign(",") {
                list.push(self.literal()?);
            }
            self.expect(")")?;
            return Ok(Test::In(left, not, list));
        }
        if self.word("like") {
            return match self.take() {
                Some(Token::Text(pattern)) => Ok(Test::Like(left, not, pattern)),
                _ => Err(self.error("like needs a quoted pattern")),
            };
        }
        if self.word("between") {
            let low = self.literal()?;
            if !self.word("and") {
                return Err(self.error("expected and"));
            }
            return Ok(Test::Between(left, not, low, self.literal()?));
        }
        if not {
            return Err(self.error("expected in, like or between"));
        }
        let op = match self.take() {
            Some(Token::Sign("=")) => Op::Eq,
            Some(Token::Sign("<>" | "!=")) => Op::Ne,
            Some(Token::Sign("<")) => Op::Lt,
            Some(Token::Sign("<=")) => Op::Le,
            Some(Token::Sign(">")) => Op::Gt,
            Some(Token::Sign(">=")) => Op::Ge,
            _ => return Err(self.error("expected an operator")),
        };
        Ok(Test::Compare(left, op, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, FilterError> {
        match self.peek() {
            Some(Token::Word(word)) if !word.eq_ignore_ascii_case("to_date") => {
                if RESERVED.iter().any(|r| word.eq_ignore_ascii_case(r)) {
                    return Err(self.error("expected a field"));
                }
                let word = word.clone();
                self.next += 1;
                Ok(Operand::Field(word))
            }
            _ => self.literal().map(Operand::Literal),
        }
    }

    fn literal(&mut self) -> Result<Literal, FilterError> {
        if self.word("to_date") {
            return self.date_call();
        }
        match self.peek() {
            Some(Token::Text(_) | Token::Int(_) | Token::Num(_)) => {}
            _ => return Err(self.error("expected a value")),
        }
        match self.take() {
            Some(Token::Text(text)) => Ok(Literal::Text(text)),
            Some(Token::Int(n)) => Ok(Literal::Int(n)),
            Some(Token::Num(n)) => Ok(Literal::Num(n)),
            _ => Err(self.error("expected a value")),
        }
    }

    /// `TO_DATE('2026-11-01 00:00:00','YYYY/MM/DD HH24:MI:SS')`: a captured client writes `-` under a format with `/`, so the
    /// separators do not have to agree; only formats that begin with the year are known.
    fn date_call(&mut self) -> Result<Literal, FilterError> {
        self.expect("(")?;
        let Some(Token::Text(text)) = self.peek().cloned() else { return Err(self.error("expected a quoted date")) };
        let time = parse_time(&text).ok_or_else(|| self.error("not a date"))?;
        self.next += 1;
        if self.sign(",") {
            match self.peek() {
                Some(Token::Text(format)) if format.to_ascii_uppercase().starts_with("YYYY") => self.next += 1,
                _ => return Err(self.error("expected a date format that begins with YYYY")),
            }
        }
        self.expect(")")?;
        Ok(Literal::Time(time))
    }
}

/// A list of one is its only part.
fn single(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            join(parts)
        }
        (_, None) => join(parts),
    }
}
