//! From [`File`] and one choice of parameters to a [`Case`].

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use relaybed_abi::{RB_MAX_CPUS, RB_NONE32};

use super::diagnostic::{Problem, suggestion};
use super::form::{ChannelForm, File, Num, ParamValue, Sp, Span, Word};
use super::nest::NestWish;
use super::places::{ClaimPlaces, OpPlace, Places, Round};
use super::walk::inside;
use super::words::{FAILURES, FILES, MODES, OPEN};
use relaybed_case::pollbits;
use relaybed_case::{Case, Channel, ChannelIndex, Cpu, DEFAULT_VCPUS, Expect, Mode};

/// Seed of a case whose file names none.
const DEFAULT_SEED: u64 = 1;

/// CPUs from here on exist on no machine, whatever the kernel was configured for.
const NO_CPU: Cpu = 1 << 16;

/// Names an expression may use besides the parameters.
#[derive(Clone, Copy, Default)]
pub(super) struct Scope {
    /// CPU of the actor.
    pub(super) own: Option<Cpu>,
    /// Sub-buffer size and count of the channel concerned.
    pub(super) sizes: Option<(u64, u64)>,
}

/// Work in progress on one case.
pub(super) struct Resolver<'f> {
    pub(super) file: &'f File,
    params: &'f [(&'f str, &'f ParamValue)],
    used: &'f RefCell<BTreeSet<String>>,
    pub(super) case: Case,
    /// Place of every operation, actor by actor.
    pub(super) places: Vec<Vec<Span>>,
    /// Rounds of `repeat` that every operation is in.
    pub(super) rounds: Vec<Vec<Vec<Round>>>,
    /// Places of every claim.
    pub(super) claims: Vec<ClaimPlaces>,
    /// Name in the file of every actor, without `@cpu`.
    pub(super) families: Vec<&'f str>,
    /// What each descriptor is called, by slot.
    pub(super) file_names: Vec<String>,
    pub(super) nests: Vec<NestWish>,
    pub(super) problems: Vec<Problem>,
}

/// Makes the case `name` of `file` with `params` chosen; names of parameters used go to `used`.
pub(super) fn resolve<'f>(
    name: String,
    file: &'f File,
    params: &'f [(&'f str, &'f ParamValue)],
    used: &'f RefCell<BTreeSet<String>>,
) -> Result<(Case, Places), Vec<Problem>> {
    let mut resolver = Resolver {
        file,
        params,
        used,
        case: Case {
            name,
            summary: file.summary.clone(),
            vcpus: DEFAULT_VCPUS,
            seed: DEFAULT_SEED,
            needs: Vec::new(),
            channels: Vec::new(),
            actors: Vec::new(),
            gates: Vec::new(),
            expect: Vec::new(),
            may_fail: false,
            schedule: Vec::new(),
        },
        places: Vec::new(),
        rounds: Vec::new(),
        claims: Vec::new(),
        families: Vec::new(),
        file_names: Vec::new(),
        nests: Vec::new(),
        problems: Vec::new(),
    };
    resolver.machine();
    resolver.needs();
    for form in &file.channels {
        let channel = resolver.channel(form);
        resolver.case.channels.push(channel);
    }
    resolver.actors();
    resolver.seat_nested();
    resolver.expectations();
    resolver.schedule();
    if resolver.problems.is_empty() && !file.broken {
        resolver.check();
    }
    if resolver.problems.is_empty() {
        Ok(resolver.placed())
    } else {
        Err(resolver.problems)
    }
}

impl Resolver<'_> {
    fn machine(&mut self) {
        let scope = Scope::default();
        if let Some(num) = &self.file.vcpus {
            let most = RB_MAX_CPUS as u64;
            if let Some(vcpus) = self.number(num, scope, "the number of CPUs", 1..=most) {
                self.case.vcpus = narrow(vcpus);
            }
        }
        if let Some(num) = &self.file.seed
            && let Some(seed) = self.number(num, scope, "the seed", 0..=u64::MAX)
        {
            self.case.seed = seed;
        }
        let failures = self.file.failures.as_ref();
        self.case.may_fail = self.word(failures, &FAILURES);
    }

    /// A channel; errors in it are reported and replaced by harmless values.
    fn channel(&mut self, form: &ChannelForm) -> Channel {
        let mut scope = Scope::default();
        let most = 0..=u64::MAX;
        let subbuf_size = self.number(&form.subbuf_size, scope, "the size", most.clone());
        scope.sizes = Some((subbuf_size.unwrap_or(1), 1));
        let n_subbufs = self.number(&form.n_subbufs, scope, "the number", most);
        let (size, count) = (subbuf_size.unwrap_or(1), n_subbufs.unwrap_or(1));
        scope.sizes = Some((size, count));
        let mode = self.word(form.mode.as_ref(), &MODES);
        let header_bytes = form.header_bytes.as_ref().map_or(0, |num| {
            let most = u64::from(u32::MAX);
            let bytes = self.number(num, scope, "the header", 0..=most);
            let bytes = narrow(bytes.unwrap_or(0));
            self.check_header(num, bytes, size, count, mode);
            bytes
        });
        let files = self.word(form.files.as_ref(), &FILES);
        let client = self.client(form, scope, mode);
        let open_at_start = self.word(form.open.as_ref(), &OPEN);
        Channel {
            name: form.name.value.clone(),
            subbuf_size: size,
            n_subbufs: count,
            mode,
            header_bytes,
            files,
            open_at_start,
            client,
        }
    }

    /// relay's helper for headers stops the kernel where nothing would be left of the sub-buffer.
    fn check_header(&mut self, num: &Num, bytes: u32, size: u64, count: u64, mode: Mode) {
        if bytes == 0 || refused_by_relay(size, count) {
            return;
        }
        if u64::from(bytes) + 1 >= size {
            let problem = Problem::new(
                format!("a header of {bytes} bytes leaves no room in {size}"),
                num.span.clone(),
                "too long",
            );
            self.problems.push(problem.help(
                "a header must be at least two bytes shorter than the sub-buffer; otherwise relay stops the kernel",
            ));
        }
        if mode == Mode::Default {
            self.problems.push(Problem::new(
                "a channel of mode `default` has no callback that could reserve a header",
                num.span.clone(),
                "needs mode `no-overwrite` or `overwrite`",
            ));
        }
    }

    /// The value of a number, whatever it is.
    pub(super) fn value(&mut self, num: &Num, scope: Scope) -> Option<i64> {
        let lookup = |name: &str| self.lookup(name, scope);
        match num.expr.eval(&lookup) {
            Ok(value) => Some(value),
            Err(error) => {
                let place = inside(&num.span, num.text_at, &error.span);
                let problem = Problem::new(error.message, place, "here");
                self.problems.push(problem);
                None
            }
        }
    }

    fn lookup(&self, name: &str, scope: Scope) -> Result<i64, String> {
        if let Some((_, value)) = self.params.iter().find(|(param, _)| *param == name) {
            self.used.borrow_mut().insert(name.to_owned());
            return match value {
                ParamValue::Int(value) => Ok(*value),
                ParamValue::Word(word) => {
                    Err(format!("`{name}` is `{word}`, which is not a number"))
                }
            };
        }
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let no_channel = || format!("`{name}` has no meaning here: this is not about a channel");
        match name {
            "S" => scope
                .sizes
                .map(|(size, _)| signed(size))
                .ok_or_else(no_channel),
            "N" => scope
                .sizes
                .map(|(_, count)| signed(count))
                .ok_or_else(no_channel),
            "cpus" => Ok(i64::from(self.case.vcpus)),
            "own" => scope.own.map(i64::from).ok_or_else(|| {
                "`own` has no meaning here: the actor has no CPU of its own".to_owned()
            }),
            _ => {
                if let Some(event) = pollbits::named(name) {
                    return Ok(signed(event));
                }
                let mut known: Vec<&str> = self.params.iter().map(|(name, _)| *name).collect();
                known.extend(["S", "N", "cpus", "own"]);
                Err(format!(
                    "`{name}` is not a parameter; {}",
                    suggestion(name, &known)
                ))
            }
        }
    }

    /// The value of a number that must be in `range`.
    pub(super) fn number(
        &mut self,
        num: &Num,
        scope: Scope,
        what: &str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = self.value(num, scope)?;
        let fits = u64::try_from(value)
            .ok()
            .filter(|value| range.contains(value));
        if fits.is_none() {
            let bound = if value < 0 || value.unsigned_abs() < *range.start() {
                format!("at least {}", range.start())
            } else {
                format!("at most {}", range.end())
            };
            let problem = Problem::new(
                format!("{what} must be {bound}, not {value}"),
                num.span.clone(),
                if num.text_at.is_some() {
                    format!("is {value}")
                } else {
                    bound
                },
            );
            self.problems.push(problem);
        }
        fits
    }

    /// A CPU that the machine has, or one that no machine has: relay looks at the numbers between without
    /// knowing them.
    pub(super) fn cpu_or_none(&mut self, num: &Num, scope: Scope) -> Option<Cpu> {
        match self.value(num, scope).map(u32::try_from) {
            Some(Ok(cpu)) if cpu >= NO_CPU => Some(cpu),
            _ => self.cpu(num, scope),
        }
    }

    /// A CPU that the machine has.
    pub(super) fn cpu(&mut self, num: &Num, scope: Scope) -> Option<Cpu> {
        let value = self.value(num, scope)?;
        let cpu = u32::try_from(value)
            .ok()
            .filter(|cpu| *cpu < self.case.vcpus);
        if cpu.is_none() {
            let vcpus = self.case.vcpus;
            let problem = Problem::new(
                format!("CPU {value} does not exist: the scenario asks for {vcpus}"),
                num.span.clone(),
                format!("CPUs are 0 to {}", vcpus - 1),
            );
            self.problems
                .push(problem.help("raise `vcpus` at the top of the file"));
        }
        cpu
    }

    /// One of a fixed set of words; absent or wrong, the first of them.
    pub(super) fn word<T: Copy>(&mut self, word: Option<&Word>, known: &[(&str, T)]) -> T {
        let fallback = known[0].1;
        let Some(word) = word else {
            return fallback;
        };
        let Some(text) = self.text(word) else {
            return fallback;
        };
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let problem = Problem::new(
            format!("`{text}` is not one of {}", names.join(", ")),
            word.span.clone(),
            "unknown word",
        );
        self.problems.push(problem.help(suggestion(&text, &names)));
        fallback
    }

    /// The word itself, or the value of the parameter it names with `$`.
    fn text(&mut self, word: &Word) -> Option<String> {
        let Some(name) = word.value.strip_prefix('$') else {
            return Some(word.value.clone());
        };
        if let Some((_, value)) = self.params.iter().find(|(param, _)| *param == name) {
            self.used.borrow_mut().insert(name.to_owned());
            return Some(value.to_string());
        }
        let known: Vec<&str> = self.params.iter().map(|(name, _)| *name).collect();
        let problem = Problem::new(
            format!("there is no parameter `{name}`"),
            word.span.clone(),
            "unknown parameter",
        );
        self.problems.push(problem.help(suggestion(name, &known)));
        None
    }

    /// Index of the channel of that name.
    pub(super) fn channel_index(&mut self, name: &Sp<String>) -> Option<ChannelIndex> {
        let known: Vec<&str> = self
            .file
            .channels
            .iter()
            .map(|channel| channel.name.value.as_str())
            .collect();
        let index = known.iter().position(|known| *known == name.value);
        if index.is_none() && !self.file.broken_channels.contains(&name.value) {
            let problem = Problem::new(
                format!("there is no channel `{}`", name.value),
                name.span.clone(),
                "unknown channel",
            );
            self.problems
                .push(problem.help(suggestion(&name.value, &known)));
        }
        index
    }

    /// Scope of expressions about a channel.
    pub(super) fn scope(&self, channel: ChannelIndex, own: Option<Cpu>) -> Scope {
        Scope {
            own,
            sizes: self
                .case
                .channels
                .get(channel)
                .map(|channel| (channel.subbuf_size, channel.n_subbufs)),
        }
    }

    pub(super) fn claim(&mut self, expect: Expect, places: ClaimPlaces) {
        self.case.expect.push(expect);
        self.claims.push(places);
    }

    /// The case, and where it stands.
    fn placed(self) -> (Case, Places) {
        let of_actor = |(spans, rounds): (Vec<Span>, Vec<Vec<Round>>)| {
            let placed = spans.into_iter().zip(rounds);
            placed
                .map(|(span, rounds)| OpPlace { span, rounds })
                .collect()
        };
        let actors = self.places.into_iter().zip(self.rounds);
        let channels = self.file.channels.iter();
        let places = Places {
            ops: actors.map(of_actor).collect(),
            claims: self.claims,
            channels: channels.map(|form| form.name.span.clone()).collect(),
            files: self.file_names,
        };
        (self.case, places)
    }
}

/// Sizes for which `relay_open()` gives up before it allocates anything.
pub(super) fn refused_by_relay(subbuf_size: u64, n_subbufs: u64) -> bool {
    subbuf_size == 0
        || n_subbufs == 0
        || subbuf_size
            .checked_mul(n_subbufs)
            .is_none_or(|size| size > u64::from(u32::MAX))
}

/// To 32 bits, where the range was checked before.
pub(super) fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(RB_NONE32)
}
