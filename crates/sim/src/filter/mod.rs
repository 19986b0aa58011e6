//! The FilterString language (docs/design/wire.md#filters): text or array of conditions → [`Expr`] → true, false or
//! unknown for a row.
//!
//! Invariant: `Expr`'s text form parses back to the same expression, and null follows SQL's three-valued logic.

mod array;
mod eval;
mod lex;
mod parse;
mod show;

pub use array::from_array;
pub use parse::parse;

use super::value::Value;

/// Why a filter was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at {at}")]
pub struct FilterError {
    /// What is wrong.
    pub what: String,
    /// Byte offset into the text; for the array style, the index of the condition.
    pub at: usize,
}

/// A condition over fields named by `F` (text after parsing, a column after binding).
#[derive(Clone, Debug, PartialEq)]
pub enum Expr<F = String> {
    /// At least one holds.
    Or(Vec<Expr<F>>),
    /// All hold.
    And(Vec<Expr<F>>),
    /// Negation; unknown stays unknown.
    Not(Box<Expr<F>>),
    /// One test.
    Test(Test<F>),
}

/// One test of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Test<F = String> {
    /// `left op right`.
    Compare(Operand<F>, Op, Operand<F>),
    /// `left [not] in (…)`.
    In(Operand<F>, bool, Vec<Literal>),
    /// `left [not] like 'pattern'`.
    Like(Operand<F>, bool, String),
    /// `left is [not] null`.
    IsNull(Operand<F>, bool),
    /// `left [not] between low and high`.
    Between(Operand<F>, bool, Literal, Literal),
}

/// A side of a comparison. The documented grammar has a field on the left and a literal on the right; the text goes to a
/// SQL server, so both may stand on both sides (`1=1`), and an unquoted value does the harm it would do there.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand<F = String> {
    /// A column.
    Field(F),
    /// A constant.
    Literal(Literal),
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `'text'`, with `''` for a quote. Becomes a date or a number when compared with one.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a point.
    Num(f64),
    /// `TO_DATE('…','YYYY/MM/DD HH24:MI:SS')`, server-local seconds since 1970.
    Time(i64),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Eq,
    /// `<>` or `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Literal {
    /// The constant as a value.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::text(text),
            Self::Int(n) => Value::Int(*n),
            Self::Num(n) => Value::Num(*n),
            Self::Time(t) => Value::Time(*t),
        }
    }
}

impl<F> Expr<F> {
    /// The same expression over other field names; the first error ends it.
    pub fn bind<G, E>(self, resolve: &mut impl FnMut(F) -> Result<G, E>) -> Result<Expr<G>, E> {
        Ok(match self {
            Self::Or(parts) => Expr::Or(parts.into_iter().map(|p| p.bind(resolve)).collect::<Result<_, _>>()?),
            Self::And(parts) => Expr::And(parts.into_iter().map(|p| p.bind(resolve)).collect::<Result<_, _>>()?),
            Self::Not(inner) => Expr::Not(Box::new(inner.bind(resolve)?)),
            Self::Test(test) => Expr::Test(match test {
                Test::Compare(a, op, b) => Test::Compare(a.bind(resolve)?, op, b.bind(resolve)?),
                Test::In(a, not, list) => Test::In(a.bind(resolve)?, not, list),
                Test::Like(a, not, pattern) => Test::Like(a.bind(resolve)?, not, pattern),
                Test::IsNull(a, not) => Test::IsNull(a.bind(resolve)?, not),
                Test::Between(a, not, low, high) => Test::Between(a.bind(resolve)?, not, low, high),
            }),
        })
    }
}

impl<F> Operand<F> {
    fn bind<G, E>(self, resolve: &mut impl FnMut(F) -> Result<G, E>) -> Result<Operand<G>, E> {
        Ok(match self {
            Self::Field(field) => Operand::Field(resolve(field)?),
            Self::Literal(literal) => Operand::Literal(literal),
        })
    }
}
