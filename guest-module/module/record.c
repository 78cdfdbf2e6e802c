// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records: what their bytes are, and the three ways to hand them to relay.
 */
#include <linux/smp.h>
#include <linux/string.h>
#include "compat.h"

#include "relaybed.h"

/*
 * Bytes @from to @from + @len of the pattern of record (@actor, @seq); @from is
 * a multiple of 8. Whole words: this is most of what a producer does.
 */
void bed_pattern(void *dst, u32 actor, u32 seq, u32 from, u32 len)
{
	u64 word = rb_mix((u64)actor << 32 | seq) + (u64)(from / 8) * RB_STEP;
	u8 *out = dst;
	__le64 last;

	for (; len >= 8; len -= 8, out += 8, word += RB_STEP)
		put_unaligned_le64(word, out);
	last = cpu_to_le64(word);
	memcpy(out, &last, len);
}

/*
 * CRC-32 (IEEE), by half bytes. The kernel's own may use vector registers, which
 * an NMI cannot have.
 */
static u32 bed_crc32(const void *data, u32 len)
{
	static const u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const u8 *byte = data;
	u32 crc = ~0U;

	while (len--) {
		crc ^= *byte++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* The record, at the moment and on the CPU where it is put together. */
void bed_record_fill(void *dst, const struct bed_actor *a,
		     const struct bed_shot *shot)
{
	struct rb_record header = {
		.magic = RB_RECORD_MAGIC,
		.actor = a->index,
		.cpu = raw_smp_processor_id(),
		.seq = shot->seq,
		.len = shot->len,
		.time_ns = ktime_get_mono_fast_ns(),
		.context = bed_context_here(),
		.channel = shot->ch->index,
	};

	if (shot->literal) {
		memcpy(dst, shot->literal, shot->len);
		return;
	}
	if (shot->len < sizeof(header)) {
		bed_pattern(dst, a->index, shot->seq, 0, shot->len);
		return;
	}
	header.crc = bed_crc32(&header, offsetof(struct rb_record, crc));
	memcpy(dst, &header, sizeof(header));
	bed_pattern(dst + sizeof(header), a->index, shot->seq, sizeof(header),
		    shot->len - sizeof(header));
}

/*
 * What relay.h inlines, each in a function of its own: who watches accesses to
 * a channel buffer tells relay's from the module's by the function.
 */
noinline void bed_relay_write(struct rchan *chan, const void *data, size_t len)
{
	relay_write(chan, data, len);
}

noinline void bed_relay_raw_write(struct rchan *chan, const void *data,
				  size_t len)
{
	__relay_write(chan, data, len);
}

static noinline void *bed_relay_reserve(struct rchan *chan, size_t len)
{
	return relay_reserve(chan, len);
}

/*
 * All CPUs write to a global channel's one buffer and relay leaves the locking
 * to its client; a buffer of one CPU needs interrupts out and no more.
 */
void bed_exclude(struct bed_channel *ch, unsigned long *flags)
{
	if (ch->spec->flags & RB_CHAN_GLOBAL)
		raw_spin_lock_irqsave(&ch->global_lock, *flags);
	else
		local_irq_save(*flags);
}

void bed_admit(struct bed_channel *ch, unsigned long flags)
{
	if (ch->spec->flags & RB_CHAN_GLOBAL)
		raw_spin_unlock_irqrestore(&ch->global_lock, flags);
	else
		local_irq_restore(flags);
}

static void bed_event_reserve_null(struct bed_channel *ch)
{
	struct rchan_buf *buf = *this_cpu_ptr(ch->chan->buf);
	const struct bed_frame *frame;
	struct rb_event *event = bed_event_begin(&frame);

	if (!event)
		return;
	event->channel = ch->index;
	event->buf_cpu = buf->cpu;
	event->produced = buf->subbufs_produced;
	event->consumed = buf->subbufs_consumed;
	bed_event_end(event, RB_EVENT_RESERVE_NULL);
}

/*
 * relay_reserve() protects nothing: interrupts stay out from here until
 * bed_reserve_unlock(), which the caller owes in either case. NULL: dropped.
 */
void *bed_reserve_lock(struct bed_channel *ch, u32 len, unsigned long *flags)
{
	void *slot;

	bed_exclude(ch, flags);
	slot = bed_relay_reserve(ch->chan, len);
	if (!slot)
		bed_event_reserve_null(ch);
	return slot;
}

void bed_reserve_unlock(struct bed_channel *ch, unsigned long flags)
{
	bed_admit(ch, flags);
}

static void bed_fill_around_guest(void *slot, struct bed_actor *a,
				  const struct bed_shot *shot)
{
	u32 half = shot->len / 2;

	bed_record_fill(a->scratch, a, shot);
	memcpy(slot, a->scratch, half);
	bed_nest_reached(a, RB_OP_NEST_FILL);
	memcpy(slot + half, a->scratch + half, shot->len - half);
}

static void bed_put_reserve(struct bed_actor *a, const struct bed_shot *shot,
			    const void *ready)
{
	unsigned long flags;
	void *slot = bed_reserve_lock(shot->ch, shot->len, &flags);

	if (!slot) {
		a->frame.refused = true;
		/* Nothing to fill, and nobody shall wait for it. */
		if (shot->held)
			bed_gate_signal(shot->held_reached);
	} else if (ready) {
		memcpy(slot, ready, shot->len);
	} else if (a->guest && a->guest_at == RB_OP_NEST_FILL) {
		/* The slot is ours: whoever comes in between gets the next. */
		bed_reserve_unlock(shot->ch, flags);
		bed_fill_around_guest(slot, a, shot);
		return;
	} else {
		if (shot->held)
			bed_stall(shot->ch, (*this_cpu_ptr(shot->ch->chan->buf))->cpu,
				  shot->held_reached, shot->held_until);
		bed_record_fill(slot, a, shot);
	}
	bed_reserve_unlock(shot->ch, flags);
}

/* Writes the record the way the operation says; @ready: its bytes, if made before. */
void bed_record_put(struct bed_actor *a, const struct bed_shot *shot,
		    const void *ready)
{
	struct rchan *chan = shot->ch->chan;
	unsigned long flags;

	if (shot->code == RB_OP_RESERVE) {
		bed_put_reserve(a, shot, ready);
		return;
	}
	if (!ready) {
		bed_record_fill(a->scratch, a, shot);
		ready = a->scratch;
	}
	if (shot->irqs_on) {
		bed_relay_raw_write(chan, ready, shot->len);
		return;
	}
	if (shot->code == RB_OP_WRITE && !(shot->ch->spec->flags & RB_CHAN_GLOBAL)) {
		bed_relay_write(chan, ready, shot->len);
		return;
	}
	bed_exclude(shot->ch, &flags);
	if (shot->code == RB_OP_WRITE)
		bed_relay_write(chan, ready, shot->len);
	else
		bed_relay_raw_write(chan, ready, shot->len);
	bed_admit(shot->ch, flags);
}
