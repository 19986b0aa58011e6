//! [`Expr`] → the text that parses back to it.
//!
//! Invariant: quotes in texts are doubled; nothing else needs care.

use std::fmt::{Display, Formatter, Result};

use super::{Expr, Literal, Op, Operand, Test};
use crate::value::time_text;

impl<F: Display> Display for Expr<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Or(parts) => join(parts, " or ", f),
            Self::And(parts) => join(parts, " and ", f),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Test(test) => test.fmt(f),
        }
    }
}

fn join<F: Display>(parts: &[Expr<F>], word: &str, f: &mut Formatter<'_>) -> Result {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(word)?;
        }
        match part {
            Expr::Or(_) | Expr::And(_) => write!(f, "({part})")?,
            _ => part.fmt(f)?,
        }
    }
    Ok(())
}

impl<F: Display> Display for Test<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let no = |not: &bool| if *not { "not " } else { "" };
        match self {
            Self::Compare(left, op, right) => write!(f, "{left}{op}{right}"),
            Self::In(left, not, list) => {
                write!(f, "{left} {}in (", no(not))?;
                for (i, literal) in list.iter().enumerate() {
                    write!(f, "{}{literal}", if i > 0 { "," } else { "" })?;
                }
                f.write_str(")")
            }
            Self::Like(left, not, pattern) => write!(f, "{left} {}like '{}'", no(not), pattern.replace('\'', "''")),
            Self::IsNull(left, not) => write!(f, "{left} is {}null", no(not)),
            Self::Between(left, not, low, high) => write!(f, "{left} {}between {low} and {high}", no(not)),
        }
    }
}

impl<F: Display> Display for Operand<F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Field(field) => field.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Int(n) => n.fmt(f),
            Self::Num(n) if n.fract() == 0.0 => write!(f, "{n:.1}"),
            Self::Num(n) => n.fmt(f),
            Self::Time(t) => {
                write!(f, "TO_DATE('{}','YYYY/MM/DD HH24:MI:SS')", time_text(*t).replace('T', " "))
            }
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        })
    }
}
