//! How channels and their files come, as kernels do it.

use std::collections::VecDeque;

use relaybed_abi::ChanState;
use relaybed_case::errno::{EINVAL, ENOMEM};
use relaybed_case::{Files, Wanted};
use relaybed_contract::Simulation;
use relaybed_contract::world::FileOf;

use crate::defects::{Defect, Defects};

/// `relay_open()`, wholly.
pub(crate) fn open(defects: Defects, run: &mut Simulation<'_>, channel: usize) -> bool {
    Opening::begin(run, channel).end(defects, run)
}

/// A `relay_open()` under way. Its files are there for everybody before it comes to its end: `relay_open_buf()` has
/// the client make a buffer's file, and begins with the buffer (`__relay_reset()`) behind that.
#[derive(Clone, Debug)]
pub struct Opening {
    channel: usize,
    /// CPUs whose buffers are to come.
    left: VecDeque<usize>,
    stopped: Option<Stopped>,
}

impl Opening {
    /// The channel without a buffer yet.
    pub fn begin(run: &mut Simulation<'_>, channel: usize) -> Self {
        let accepts = run
            .done
            .behaviour
            .accepts_channel(&run.case.channels[channel]);
        let online = run.online_buffers(channel);
        run.begin_opening(channel);
        let lack = run.lacks_memory(channel);
        let goes_on = accepts && lack.is_none_or(|lack| lack.wanted.is_of_buffer());
        Self {
            channel,
            left: online.into(),
            stopped: (!goes_on).then_some(Stopped::Buffer),
        }
    }

    /// Goes on until this CPU's file is made.
    pub fn make(&mut self, run: &mut Simulation<'_>, cpu: usize) {
        while self.stopped.is_none() && self.next(run) != Some(cpu) {}
    }

    /// Begins with the buffer whose file was made last.
    pub fn begin_buffer(&self, run: &mut Simulation<'_>) {
        if let Some(of) = run.live[self.channel].unready {
            let named = run.case.channels[self.channel].files != Files::None;
            run.begin_buffer(self.channel, of.cpu, named);
        }
    }

    /// Has the next file made; `None` where none is left to make, or one cannot be.
    fn next(&mut self, run: &mut Simulation<'_>) -> Option<usize> {
        self.begin_buffer(run);
        let Some(cpu) = self.left.pop_front() else {
            self.stopped.get_or_insert(Stopped::Complete);
            return None;
        };
        let channel = self.channel;
        let lack = run.lacks_memory(channel);
        let lack = lack.filter(|lack| lack.cpu as usize == cpu);
        // Without memory for the name, relay goes on as with a file that was refused.
        let named = run.case.channels[channel].files != Files::None;
        self.stopped = match lack.map(|lack| lack.wanted) {
            Some(Wanted::Name) => Some(Stopped::File),
            Some(_) => Some(Stopped::Buffer),
            None => (!run.make_file(channel, cpu, named)).then_some(Stopped::File),
        };
        if self.stopped.is_some() {
            return None;
        }
        let generation = run.live[channel].generation;
        run.live[channel].unready = Some(FileOf { cpu, generation });
        Some(cpu)
    }

    /// Its end, and whether there is a channel. K3: `relay_open_buf()` frees a buffer that got no file before its CPU
    /// is filled in, so that the channel's slot of CPU 0 is cleared; what was there is neither closed nor freed.
    pub fn end(mut self, defects: Defects, run: &mut Simulation<'_>) -> bool {
        while self.stopped.is_none() {
            self.next(run);
        }
        let channel = self.channel;
        if self.stopped == Some(Stopped::Complete) {
            run.end_opening(channel, ChanState::Open);
            return true;
        }
        if defects.has(Defect::K3) && self.stopped == Some(Stopped::File) {
            clear_first(run, channel);
        }
        run.remove_files(channel);
        run.end_opening(channel, ChanState::Refused);
        false
    }
}

/// Why an opening goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    /// Every buffer is there.
    Complete,
    /// No memory.
    Buffer,
    /// A buffer got no file.
    File,
}

/// What relay allocates for a channel: the structure and its per-CPU pointers.
const CHANNEL_PIECES: u32 = 2;
/// And for each buffer: structure, padding, page list, and what `vmap()` keeps of the mapping.
const BUFFER_PIECES: u32 = 4;

/// `relay_destroy_buf()` of a buffer that has no CPU yet. The first buffer loses its place in the channel,
/// and is never freed; nor is the channel, to which it refers.
fn clear_first(run: &mut Simulation<'_>, channel: usize) {
    let live = &mut run.live[channel];
    if let Some(first) = live.there.first_mut()
        && std::mem::take(first)
    {
        live.lost_pieces += CHANNEL_PIECES + BUFFER_PIECES;
    }
}

/// `relay_late_setup_files()` of a channel without files. K8: what was made stays when a later file is
/// refused, and the channel counts as having files. K35: only CPUs that are online are gone through.
pub(crate) fn late_setup(defects: Defects, run: &mut Simulation<'_>, channel: usize) -> u32 {
    let there = run.live[channel].there.clone();
    let cpus: Vec<usize> = if defects.has(Defect::K35) {
        run.online_buffers(channel)
    } else {
        (0..there.len()).filter(|cpu| there[*cpu]).collect()
    };
    run.live[channel].late = true;
    let mut made = Vec::new();
    for cpu in cpus {
        if !there[cpu] || !run.make_file(channel, cpu, true) {
            if !defects.has(Defect::K8) {
                run.remove_files(channel);
                run.live[channel].late = false;
                for cpu in made {
                    has_file(run, channel, cpu, false);
                }
            }
            return EINVAL;
        }
        has_file(run, channel, cpu, true);
        made.push(cpu);
    }
    0
}

fn has_file(run: &mut Simulation<'_>, channel: usize, cpu: usize, has: bool) {
    if let Some(buffer) = run.live[channel].buffers.get_mut(cpu) {
        buffer.geometry.has_file = has;
    }
}

/// `relay_prepare_cpu()`, which goes through the channels from the newest on and ends with the first
/// that fails. K34: as K3, and the channel is in use.
pub(crate) fn prepare_cpu(defects: Defects, run: &mut Simulation<'_>, cpu: usize) -> u32 {
    let mut channels = run.lacking(cpu);
    channels.sort_by_key(|channel| std::cmp::Reverse(run.live[*channel].opened));
    let mut errno = 0;
    for channel in channels {
        let named = run.is_named(channel);
        if run.make_buffer(channel, cpu, named) {
            continue;
        }
        if defects.has(Defect::K34) {
            clear_first(run, channel);
            return ENOMEM;
        }
        errno = ENOMEM;
    }
    errno
}
