//! The entries of a script.

use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::{Problem, suggestion};
use super::form::{Arg, Num, Step, Subject};
use super::ops::{OpForm, SubjectKind};
use super::table::{NESTING, RANGE, Takes, operation, operations};
use super::walk::{Fields, Walker};

type Value<'t> = Spanned<DeValue<'t>>;

impl<'t> Walker<'t> {
    pub(super) fn script(&mut self, value: &Value<'t>) -> Vec<Step> {
        let items = self
            .array(value, "a list of operations")
            .unwrap_or_default();
        items
            .into_iter()
            .filter_map(|item| self.step(item))
            .collect()
    }

    fn step(&mut self, value: &Value<'t>) -> Option<Step> {
        let table = self.table(value, "an operation such as { flush = \"cpu\" }")?;
        let all = self.entries(table, value.span(), "an operation");
        // The operation's own key comes first by habit; any place will do.
        let Some(form) = all.iter().find_map(|(key, _)| operation(key.value)) else {
            let names: Vec<&str> = operations().map(|form| form.name).collect();
            let (word, span) = all
                .iter()
                .next()
                .map_or(("", value.span()), |(key, _)| (key.value, key.span.clone()));
            self.report(
                Problem::new("this names no operation", span, "unknown operation")
                    .help(suggestion(word, &names)),
            );
            return None;
        };
        let what = format!("the operation `{}`", form.name);
        let fields = self.fields(table, value.span(), &what, &form.keys());
        let subject = fields
            .get(form.name)
            .and_then(|value| self.subject(form, value));
        let needed = || form.args().filter(|key| key.needed);
        for key in needed() {
            self.required(&fields, key.name);
        }
        let mut args = Vec::new();
        for (key, value) in fields.iter() {
            if let Some(known) = form.arg(key.value).filter(|_| key.value != form.name) {
                args.extend(self.arg(known.takes, value).map(|arg| (known.name, arg)));
            }
        }
        self.exclusions(form, &fields);
        let whole = needed().all(|key| args.iter().any(|(name, _)| *name == key.name));
        Some(Step {
            form,
            span: value.span(),
            subject: subject?,
            args,
        })
        .filter(|_| whole)
    }

    fn subject(&mut self, form: &OpForm, value: &Value<'t>) -> Option<Subject> {
        match form.subject {
            SubjectKind::Number => self.num(value).map(Subject::Num),
            _ => self.string(value).map(Subject::Name),
        }
    }

    fn arg(&mut self, takes: Takes, value: &Value<'t>) -> Option<Arg> {
        match takes {
            Takes::Number => self.num(value).map(Arg::Num),
            Takes::Length => self.len(value).map(|(min, max)| Arg::Len(min, max)),
            Takes::Table(_) => self.nest(value),
            Takes::Script => Some(Arg::Steps(self.script(value))),
            _ => self.string(value).map(Arg::Text),
        }
    }

    /// A length, or the two between which lengths are drawn.
    fn len(&mut self, value: &Value<'t>) -> Option<(Num, Num)> {
        let DeValue::Table(table) = value.get_ref() else {
            return self.num(value).map(|num| (num.clone(), num));
        };
        let fields = self.fields(table, value.span(), "a range of lengths", &RANGE.names());
        let min = self.required(&fields, "min").and_then(|v| self.num(v));
        let max = self.required(&fields, "max").and_then(|v| self.num(v));
        Some((min?, max?))
    }

    /// The actor that is nested on a write, and where.
    fn nest(&mut self, value: &Value<'t>) -> Option<Arg> {
        let table = self.table(
            value,
            "a nesting such as { actor = \"irq\", at = \"fill\" }",
        )?;
        let fields = self.fields(table, value.span(), "a nesting", &NESTING.names());
        let actor = self.required(&fields, "actor").and_then(|v| self.string(v));
        let at = self.required(&fields, "at").and_then(|v| self.string(v));
        Some(Arg::Nest(actor?, at?))
    }

    /// Keys of which exactly, or at most, one may stand.
    fn exclusions(&mut self, form: &OpForm, fields: &Fields<'_, 't>) {
        for (one, other, needed) in form.apart {
            let problem = match (fields.get(one), fields.get(other)) {
                (Some(_), Some(second)) => Problem::new(
                    format!("`{one}` and `{other}` exclude each other"),
                    second.span(),
                    "one too many",
                ),
                (None, None) if *needed => Problem::new(
                    format!("`{}` needs `{one}` or `{other}`", form.name),
                    fields.span.clone(),
                    "neither is here",
                ),
                _ => continue,
            };
            self.report(problem);
        }
        if form.has_result()
            && let (Some(_), Some(second)) = (fields.get("gives"), fields.get("fails"))
        {
            self.report(Problem::new(
                "`gives` and `fails` exclude each other",
                second.span(),
                "one too many",
            ));
        }
    }
}
