//! Walking a parsed TOML document: typed access that reports instead of failing.
//!
//! serde would stop at the first error; a hand walk reports all of them, each with its place.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Problem, suggestion};
use super::expr::Expr;
use super::form::{Num, Sp, Span};

/// Collects what is wrong while the document is walked.
pub(super) struct Walker<'t> {
    text: &'t str,
    pub(super) problems: Vec<Problem>,
}

/// A table whose keys are known to be ones that belong there.
pub(super) struct Fields<'v, 't> {
    pub(super) span: Span,
    what: String,
    items: Vec<(Sp<&'v str>, &'v Spanned<DeValue<'t>>)>,
}

impl<'v, 't> Fields<'v, 't> {
    pub(super) fn get(&self, key: &str) -> Option<&'v Spanned<DeValue<'t>>> {
        self.items
            .iter()
            .find(|(name, _)| name.value == key)
            .map(|(_, value)| *value)
    }

    /// Keys and values in the order of the file.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(Sp<&'v str>, &'v Spanned<DeValue<'t>>)> {
        self.items.iter()
    }
}

impl<'t> Walker<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            problems: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Keys and values of `table` in the order of the file; any key will do.
    pub(super) fn entries<'v>(
        &self,
        table: &'v DeTable<'t>,
        span: Span,
        what: &str,
    ) -> Fields<'v, 't> {
        let mut items: Vec<_> = table
            .iter()
            .map(|(key, value)| {
                let name = Sp {
                    value: key.get_ref().as_ref(),
                    span: key.span(),
                };
                (name, value)
            })
            .collect();
        items.sort_by_key(|(key, _)| key.span.start);
        Fields {
            span,
            what: what.to_owned(),
            items,
        }
    }

    /// The same, where only the keys of `known` may stand.
    pub(super) fn fields<'v>(
        &mut self,
        table: &'v DeTable<'t>,
        span: Span,
        what: &str,
        known: &[&str],
    ) -> Fields<'v, 't> {
        let fields = self.entries(table, span, what);
        for (key, _) in fields.iter() {
            if !known.contains(&key.value) {
                self.report(
                    Problem::new(
                        format!("{what} has no key `{}`", key.value),
                        key.span.clone(),
                        "unknown key",
                    )
                    .help(suggestion(key.value, known)),
                );
            }
        }
        fields
    }

    /// Value of a key that must be there.
    pub(super) fn required<'v>(
        &mut self,
        fields: &Fields<'v, 't>,
        key: &str,
    ) -> Option<&'v Spanned<DeValue<'t>>> {
        let value = fields.get(key);
        if value.is_none() {
            let message = format!("{} needs `{key}`", fields.what);
            let start = fields.span.start;
            let end = self.text[start..]
                .find('\n')
                .map_or(fields.span.end, |len| fields.span.end.min(start + len));
            self.report(Problem::new(
                message,
                start..end,
                format!("`{key}` is missing"),
            ));
        }
        value
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'t>>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.report(Problem::new(
            format!("this must be {wanted}, not {}", with_article(found)),
            value.span(),
            format!("expected {wanted}"),
        ));
    }

    pub(super) fn string(&mut self, value: &Spanned<DeValue<'t>>) -> Option<Sp<String>> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(value, "a string");
            return None;
        };
        Some(Sp {
            value: text.to_string(),
            span: value.span(),
        })
    }

    pub(super) fn array<'v>(
        &mut self,
        value: &'v Spanned<DeValue<'t>>,
        wanted: &str,
    ) -> Option<Vec<&'v Spanned<DeValue<'t>>>> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(value, wanted);
            return None;
        };
        Some(items.iter().collect())
    }

    pub(super) fn table<'v>(
        &mut self,
        value: &'v Spanned<DeValue<'t>>,
        wanted: &str,
    ) -> Option<&'v DeTable<'t>> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(value, wanted);
            return None;
        };
        Some(table)
    }

    /// A TOML integer, if it fits.
    pub(super) fn integer(&mut self, value: &Spanned<DeValue<'t>>) -> Option<i64> {
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(value, "an integer");
            return None;
        };
        let parsed = i64::from_str_radix(number.as_str(), number.radix());
        if parsed.is_err() {
            self.report(Problem::new(
                "this integer does not fit in 64 bits",
                value.span(),
                "too large",
            ));
        }
        parsed.ok()
    }

    /// An integer, or a string that holds an expression.
    pub(super) fn num(&mut self, value: &Spanned<DeValue<'t>>) -> Option<Num> {
        let span = value.span();
        match value.get_ref() {
            DeValue::Integer(_) => self.integer(value).map(|number| Num {
                expr: Expr::Int(number),
                span,
                text_at: None,
            }),
            DeValue::String(text) => {
                // Only a plain string shows its bytes as they are: one quote, no escapes.
                let shown = self.text.get(span.start + 1..span.end.saturating_sub(1));
                let text_at = (shown == Some(text.as_ref())).then_some(span.start + 1);
                match Expr::parse(text) {
                    Ok(expr) => Some(Num {
                        expr,
                        span,
                        text_at,
                    }),
                    Err(error) => {
                        let at = inside(&span, text_at, &error.span);
                        self.report(Problem::new(error.message, at, "here").help(EXPRESSION_HELP));
                        None
                    }
                }
            }
            _ => {
                self.wrong_type(value, "an integer or an expression in a string");
                None
            }
        }
    }
}

const EXPRESSION_HELP: &str =
    "an expression has numbers, names, + - * / % and parentheses, such as \"S * N - 1\"";

/// Place in the file of a span inside an expression's text, or the whole string.
pub(super) fn inside(whole: &Span, text_at: Option<usize>, part: &Span) -> Span {
    text_at.map_or_else(|| whole.clone(), |at| at + part.start..at + part.end)
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}
