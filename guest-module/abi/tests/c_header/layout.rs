//! Every structure: its size, and the offset and size of every member.

use std::mem::offset_of;

use relaybed_abi::{
    Actor, BufMembers, ChanMembers, ChannelSpec, CheckpointArg, DirBuf, DirChannel, Event, FillArg,
    GateArg, Header, HoldArg, Member, Op, OpResult, RecordHeader, Request, RingHead, Stat, StepArg,
    SubbufsArg, TransportArg,
};

use crate::c_side::evaluate;

/// One member: name, offset, size.
type Place = (&'static str, usize, usize);

fn size_of_member<T, M>(_: fn(&T) -> &M) -> usize {
    size_of::<M>()
}

/// Name in C, size, members.
struct Layout(&'static str, usize, Vec<Place>);

macro_rules! layout {
    ($rust:ident = $c:literal { $($member:ident),+ $(,)? }) => {
        Layout($c, size_of::<$rust>(), vec![$((
            stringify!($member),
            offset_of!($rust, $member),
            size_of_member(|s: &$rust| &s.$member),
        )),+])
    };
}

fn layouts() -> Vec<Layout> {
    vec![
        layout!(Member = "rb_member" { offset, size }),
        layout!(BufMembers = "rb_buf_members" {
            start, data, offset, subbufs_produced, subbufs_consumed, page_count, finalized,
            padding, prev_padding, bytes_consumed, early_bytes, cpu, full_count, big_count, kref,
            size, reserved,
        }),
        layout!(ChanMembers = "rb_chan_members" {
            version, subbuf_size, n_subbufs, alloc_size, last_toobig, is_global,
            has_base_filename, size, reserved,
        }),
        layout!(Header = "rb_header" {
            magic, abi_version, mailbox_size, mailbox_pa, linux_version, page_size, cpus_possible,
            cpus_online, cpus_online_mask, release, buf, chan, request_seq, done_seq, phase,
            refusal, refusal_op, checkpoint_seq, checkpoint_ack, checkpoint_label, checkpoint_op,
            n_events, n_data, n_pfns, order, plant_done, taint_ready, taint_now, direct_map,
            nmi_seq, nmi_ack, stop,
        }),
        layout!(ChannelSpec = "rb_channel_spec" {
            base, subbuf_size, n_subbufs, mode, files, flags, header_bytes, refuse_from,
            refuse_count, stall_cpu, stall_at, stall_signal, stall_wait, create_answer, create_cpu,
            create_skip, create_times, no_memory, no_memory_cpu, no_memory_times,
            created_cpu, created_signal, created_wait,
        }),
        layout!(Actor = "rb_actor" { context, cpu, first_op, n_ops, source, reserved }),
        layout!(Op = "rb_op" {
            code, channel, file, flags, arg0, arg1, len_min, len_max, count, seq_first, blob,
            nest, len64,
        }),
        layout!(Request = "rb_request" {
            flags, n_channels, n_actors, n_ops, n_gates, n_blob, plant, plant_actor, plant_seq,
            reserved, seed, channels, actors,
        }),
        layout!(OpResult = "rb_result" {
            state, error, value, refused, start_ns, end_ns, order_start, order_end, data_offset,
            data_bytes, reserved,
        }),
        layout!(Stat = "rb_stat" { size, mode, nlink, uid, gid }),
        layout!(Event = "rb_event" {
            kind, cpu, actor, op, seq, context, channel, verdict, buf_cpu, order, time_ns,
            new_offset, old_offset, produced, consumed, prev_padding,
        }),
        layout!(DirBuf = "rb_dir_buf" { buf_pa, padding_pa, file_size_pa, first_pfn, page_count }),
        layout!(DirChannel = "rb_dir_channel" {
            state, is_global, chan_pa, subbuf_size, n_subbufs, held_known, held, held_bytes,
            held_at, bufs,
        }),
        layout!(RecordHeader = "rb_record" {
            magic, actor, cpu, seq, len, time_ns, context, channel, reserved, crc,
        }),
        layout!(GateArg = "rb_gate_arg" { gate, count }),
        layout!(StepArg = "rb_step_arg" { actor, op }),
        layout!(HoldArg = "rb_hold_arg" { cpu, reached, until, reserved }),
        layout!(CheckpointArg = "rb_checkpoint_arg" { label, op }),
        layout!(TransportArg = "rb_transport_arg" { transport, len }),
        layout!(FillArg = "rb_fill_arg" { seq, count, done, reserved, ns }),
        layout!(SubbufsArg = "rb_subbufs_arg" { produced, consumed, padding }),
        layout!(RingHead = "rb_ring" { head, tail }),
    ]
}

/// No padding anywhere, so a member that the lists above forget is noticed here.
#[test]
fn members_fill_their_structures() {
    for Layout(name, size, members) in layouts() {
        let sum: usize = members.iter().map(|(_, _, size)| size).sum();
        assert_eq!(sum, size, "struct {name}");
    }
}

#[test]
fn every_offset_is_the_same_in_c() {
    let mut expressions = Vec::new();
    let mut expected = Vec::new();
    for Layout(c, size, members) in layouts() {
        expressions.push((c.to_owned(), format!("sizeof(struct {c})")));
        expected.push((c.to_owned(), size));
        for (member, offset, size) in members {
            let at = format!("{c}.{member}");
            expressions.push((format!("{at}@"), format!("offsetof(struct {c}, {member})")));
            expressions.push((at.clone(), format!("sizeof(((struct {c} *)0)->{member})")));
            expected.push((format!("{at}@"), offset));
            expected.push((at, size));
        }
    }
    let seen = evaluate("layout", "", &expressions);
    for (name, value) in expected {
        assert_eq!(seen[&name], value as u64, "{name}");
    }
}
