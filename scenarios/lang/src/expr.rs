//! Integer expressions: total, checked, and pointing at the byte that is wrong.
//!
//! Numbers, names, `+ - * / %`, unary minus and parentheses, with the usual precedence. Division
//! truncates towards zero. Nothing wraps: overflow and division by zero are errors.

use std::ops::Range;

/// Deepest nesting of parentheses and signs; keeps the recursion bounded on any text.
const MAX_DEPTH: usize = 64;

/// A parsed expression. Spans are byte ranges of its own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Int(i64),
    Name(String, Range<usize>),
    Neg(Box<Expr>, Range<usize>),
    Binary(Box<Expr>, Operator, Box<Expr>, Range<usize>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

/// What is wrong with an expression, and where in its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct ExprError {
    pub(super) message: String,
    pub(super) span: Range<usize>,
}

impl ExprError {
    fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self {
            message: message.into(),
            span,
        }
    }
}

impl Expr {
    /// Parses the whole of `text`.
    pub(super) fn parse(text: &str) -> Result<Self, ExprError> {
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
        };
        let expr = parser.sum()?;
        match parser.peek() {
            None => Ok(expr),
            Some(c) => Err(parser.error(format!("`{c}` is not expected here"))),
        }
    }

    /// Value, with names looked up by `lookup`; its error is the message to show.
    pub(super) fn eval(
        &self,
        lookup: &dyn Fn(&str) -> Result<i64, String>,
    ) -> Result<i64, ExprError> {
        match self {
            Self::Int(value) => Ok(*value),
            Self::Name(name, span) => {
                lookup(name).map_err(|message| ExprError::new(message, span.clone()))
            }
            Self::Neg(inner, span) => inner
                .eval(lookup)?
                .checked_neg()
                .ok_or_else(|| ExprError::new("the value is too large", span.clone())),
            Self::Binary(left, operator, right, span) => {
                let (left, right) = (left.eval(lookup)?, right.eval(lookup)?);
                let value = match operator {
                    Operator::Add => left.checked_add(right),
                    Operator::Sub => left.checked_sub(right),
                    Operator::Mul => left.checked_mul(right),
                    Operator::Div | Operator::Rem if right == 0 => {
                        return Err(ExprError::new("division by zero", span.clone()));
                    }
                    Operator::Div => left.checked_div(right),
                    // Wrapping concerns i64::MIN % -1 only, which is 0.
                    Operator::Rem => Some(left.wrapping_rem(right)),
                };
                value.ok_or_else(|| ExprError::new("the value is too large", span.clone()))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    /// Next character that is not a blank; `at` then stands on it.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed.chars().next()
    }

    fn error(&self, message: impl Into<String>) -> ExprError {
        let len = self.text[self.at..]
            .chars()
            .next()
            .map_or(0, char::len_utf8);
        ExprError::new(message, self.at..self.at + len)
    }

    fn sum(&mut self) -> Result<Expr, ExprError> {
        self.chain(Self::product, |c| match c {
            '+' => Some(Operator::Add),
            '-' => Some(Operator::Sub),
            _ => None,
        })
    }

    fn product(&mut self) -> Result<Expr, ExprError> {
        self.chain(Self::factor, |c| match c {
            '*' => Some(Operator::Mul),
            '/' => Some(Operator::Div),
            '%' => Some(Operator::Rem),
            _ => None,
        })
    }

    /// Operands joined by operators of one precedence, grouped to the left.
    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Result<Expr, ExprError>,
        operator: fn(char) -> Option<Operator>,
    ) -> Result<Expr, ExprError> {
        let outer = self.depth;
        self.peek();
        let start = self.at;
        let mut left = operand(self)?;
        while let Some(operator) = self.peek().and_then(operator) {
            // Each link nests the tree one deeper, and evaluation and drop recurse over it.
            self.deeper()?;
            self.at += 1;
            let right = operand(self)?;
            left = Expr::Binary(Box::new(left), operator, Box::new(right), start..self.at);
        }
        self.depth = outer;
        Ok(left)
    }

    fn deeper(&mut self) -> Result<(), ExprError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("the expression is too long or too deep"));
        }
        Ok(())
    }

    fn factor(&mut self) -> Result<Expr, ExprError> {
        let Some(c) = self.peek() else {
            return Err(self.error("a number or a name is missing here"));
        };
        let start = self.at;
        match c {
            '-' => {
                self.deeper()?;
                self.at += 1;
                let inner = self.factor()?;
                self.depth -= 1;
                Ok(Expr::Neg(Box::new(inner), start..self.at))
            }
            '(' => {
                self.deeper()?;
                self.at += 1;
                let inner = self.sum()?;
                if self.peek() != Some(')') {
                    return Err(self.error("`)` is missing here"));
                }
                self.at += 1;
                self.depth -= 1;
                Ok(inner)
            }
            '0'..='9' => self.number(start),
            'a'..='z' | 'A'..='Z' | '_' => {
                self.word(|c| c.is_ascii_alphanumeric() || c == '_');
                Ok(Expr::Name(
                    self.text[start..self.at].to_owned(),
                    start..self.at,
                ))
            }
            _ => Err(self.error(format!("`{c}` is not expected here"))),
        }
    }

    fn number(&mut self, start: usize) -> Result<Expr, ExprError> {
        self.word(|c| c.is_ascii_alphanumeric() || c == '_');
        let digits = self.text[start..self.at].replace('_', "");
        digits.parse().map(Expr::Int).map_err(|_| {
            ExprError::new(
                format!("`{digits}` is not a decimal number below 2^63"),
                start..self.at,
            )
        })
    }

    fn word(&mut self, belongs: fn(char) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eval(text: &str) -> Result<i64, ExprError> {
        Expr::parse(text)?.eval(&|name| match name {
            "S" => Ok(4096),
            _ => Err(format!("no {name}")),
        })
    }

    #[test]
    fn precedence_and_grouping_are_the_usual_ones() {
        assert_eq!(eval("S - 1"), Ok(4095));
        assert_eq!(eval("2 + 3 * 4 - 10 / 3 % 2"), Ok(13));
        assert_eq!(eval("(2 + 3) * -4"), Ok(-20));
        assert_eq!(eval(" 10 - 3 - 2 "), Ok(5));
        assert_eq!(eval("1_000"), Ok(1000));
    }

    #[test]
    fn errors_point_at_the_byte() {
        let span = |text| eval(text).unwrap_err().span;
        assert_eq!(span("S + T"), 4..5);
        assert_eq!(span("1 / (2 - 2)"), 0..11);
        assert_eq!(span("(1 + 2"), 6..6);
        assert_eq!(span("1 + ü"), 4..6);
        assert_eq!(span("12x"), 0..3);
        assert!(eval(&"(".repeat(100_000)).is_err());
        assert!(eval(&"-".repeat(100_000)).is_err());
        assert!(eval(&"1+".repeat(100_000)).is_err());
    }

    /// An expression as text, and its value if it exists and no step leaves 64 bits.
    fn expression() -> impl Strategy<Value = (String, Option<i128>)> {
        let fits = |value: Option<i128>| value.filter(|v| i64::try_from(*v).is_ok());
        let leaf = (0..=i64::MAX).prop_map(|n| (n.to_string(), Some(i128::from(n))));
        let small = (0..100_i64).prop_map(|n| (n.to_string(), Some(i128::from(n))));
        prop_oneof![1 => leaf, 8 => small].prop_recursive(5, 32, 2, move |inner| {
            prop_oneof![
                (inner.clone(), 0..5_usize, inner.clone()).prop_map(move |(left, which, right)| {
                    let text = format!(
                        "({} {} {})",
                        left.0,
                        ["+", "-", "*", "/", "%"][which],
                        right.0
                    );
                    let value = left.1.zip(right.1).and_then(|(left, right)| match which {
                        0 => left.checked_add(right),
                        1 => left.checked_sub(right),
                        2 => left.checked_mul(right),
                        3 => left.checked_div(right),
                        _ => left.checked_rem(right),
                    });
                    (text, fits(value))
                }),
                inner.prop_map(move |(text, value)| (format!("-{text}"), fits(value.map(|v| -v)))),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_wide_arithmetic((text, value) in expression()) {
            prop_assert_eq!(eval(&text).ok().map(i128::from), value);
        }

        #[test]
        fn never_panics_and_spans_stay_inside(text in "[ -~ü]{0,40}") {
            if let Err(error) = eval(&text) {
                prop_assert!(error.span.end <= text.len());
                prop_assert!(text.get(error.span).is_some());
            }
        }
    }
}
