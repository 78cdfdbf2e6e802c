//! A rough idea of every buffer while a case is drawn, so that boundaries are hit and not only passed.
//!
//! Nothing is judged by it: where it is wrong a case is merely less pointed. It is not the model, so that
//! a mended model leaves what a seed means as it is.

use relaybed_case::{Channel, Mode};

/// One channel buffer.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    /// Bytes in the current sub-buffer.
    pub(super) offset: u64,
    /// Complete sub-buffers that nobody has read.
    pub(super) ready: u64,
    /// Bytes that nobody has read.
    pub(super) unread: u64,
}

/// One channel with its buffers.
#[derive(Clone, Debug)]
pub(super) struct Shadow {
    pub(super) subbuf_size: u64,
    pub(super) n_subbufs: u64,
    pub(super) header: u64,
    pub(super) overwrite: bool,
    pub(super) open: bool,
    pub(super) has_files: bool,
    pub(super) accepted: bool,
    /// One buffer for all CPUs.
    pub(super) global: bool,
    /// A callback of it waits: nothing for an NMI.
    pub(super) stalls: bool,
    /// Its callback is relay's own.
    pub(super) plain: bool,
    pub(super) rings: Vec<Ring>,
}

impl Shadow {
    /// A channel before any actor starts.
    pub(super) fn new(channel: &Channel, cpus: u32) -> Self {
        let accepted = channel.subbuf_size != 0
            && channel.n_subbufs != 0
            && channel.subbuf_size.saturating_mul(channel.n_subbufs) <= 1 << 20;
        let mut shadow = Self {
            subbuf_size: channel.subbuf_size,
            n_subbufs: channel.n_subbufs,
            header: channel.header_bytes.into(),
            overwrite: channel.mode == Mode::Overwrite,
            open: false,
            has_files: channel.files != relaybed_case::Files::None,
            accepted,
            global: channel.client.global,
            stalls: channel.client.stall.is_some(),
            plain: channel.mode == Mode::Default,
            rings: vec![Ring::default(); cpus as usize],
        };
        if channel.open_at_start {
            shadow.start();
        }
        shadow
    }

    /// Opened.
    pub(super) fn start(&mut self) {
        self.open = self.accepted;
        self.reset();
    }

    /// Everything anew.
    pub(super) fn reset(&mut self) {
        let header = self.header;
        self.rings.fill(Ring {
            offset: header,
            ready: 0,
            unread: header,
        });
    }

    /// Room left in the current sub-buffer.
    pub(super) fn room(&self, cpu: u32) -> u64 {
        self.subbuf_size.saturating_sub(self.ring(cpu).offset)
    }

    /// What is thought of a CPU's buffer.
    pub(super) fn ring(&self, cpu: u32) -> &Ring {
        &self.rings[self.index(cpu)]
    }

    fn ring_mut(&mut self, cpu: u32) -> &mut Ring {
        let index = self.index(cpu);
        &mut self.rings[index]
    }

    fn index(&self, cpu: u32) -> usize {
        if self.global {
            0
        } else {
            cpu as usize % self.rings.len()
        }
    }

    /// `count` records of `len` bytes.
    pub(super) fn write(&mut self, cpu: u32, len: u64, count: u32) {
        for _ in 0..count {
            if len > self.subbuf_size {
                return;
            }
            if self.room(cpu) < len && !self.switch(cpu) {
                return;
            }
            let ring = self.ring_mut(cpu);
            ring.offset += len;
            ring.unread += len;
        }
    }

    /// `relay_switch_subbuf()`.
    pub(super) fn switched(&mut self, cpu: u32) {
        self.switch(cpu);
    }

    /// `relay_flush()`.
    pub(super) fn flush(&mut self) {
        for cpu in 0..u32::try_from(self.rings.len()).unwrap_or(0) {
            self.switch(cpu);
        }
    }

    /// A new sub-buffer; false when there is none.
    fn switch(&mut self, cpu: u32) -> bool {
        let (header, most, overwrite) = (self.header, self.n_subbufs, self.overwrite);
        let ring = self.ring_mut(cpu);
        ring.ready = (ring.ready + 1).min(most);
        if ring.ready >= most && !overwrite {
            return false;
        }
        ring.offset = header;
        ring.unread += header;
        true
    }

    /// Bytes read.
    pub(super) fn read(&mut self, cpu: u32, bytes: u64) {
        let size = self.subbuf_size.max(1);
        let ring = self.ring_mut(cpu);
        ring.unread = ring.unread.saturating_sub(bytes);
        ring.ready = ring.ready.min(ring.unread.div_ceil(size));
    }

    /// `relay_subbufs_consumed()`.
    pub(super) fn consumed(&mut self, cpu: u32, n: u32) {
        if u64::from(n) > self.n_subbufs {
            return;
        }
        let size = self.subbuf_size;
        let ring = self.ring_mut(cpu);
        let moved = u64::from(n).min(ring.ready);
        ring.ready -= moved;
        ring.unread = ring.unread.saturating_sub(moved * size);
    }
}
