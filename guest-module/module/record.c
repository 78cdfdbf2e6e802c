// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records: what their bytes are, and the three ways to hand them to relay.
 */
#include <linux/crc32.h>
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
	header.crc = crc32_le(~0, (void *)&header,
			      offsetof(struct rb_record, crc)) ^ ~0;
	memcpy(dst, &header, sizeof(header));
	bed_pattern(dst + sizeof(header), a->index, shot->seq, sizeof(header),
		    shot->len - sizeof(header));
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
	slot = relay_reserve(ch->chan, len);
	if (!slot)
		bed_event_reserve_null(ch);
	return slot;
}

void bed_reserve_unlock(struct bed_channel *ch, unsigned long flags)
{
	bed_admit(ch, flags);
}

static void bed_put_reserve(struct bed_actor *a, const struct bed_shot *shot,
			    const void *ready)
{
	unsigned long flags;
	void *slot = bed_reserve_lock(shot->ch, shot->len, &flags);

	if (!slot)
		a->frame.refused = true;
	else if (ready)
		memcpy(slot, ready, shot->len);
	else
		bed_record_fill(slot, a, shot);
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
	if (shot->code == RB_OP_WRITE && !(shot->ch->spec->flags & RB_CHAN_GLOBAL)) {
		relay_write(chan, ready, shot->len);
		return;
	}
	bed_exclude(shot->ch, &flags);
	if (shot->code == RB_OP_WRITE)
		relay_write(chan, ready, shot->len);
	else
		__relay_write(chan, ready, shot->len);
	bed_admit(shot->ch, flags);
}
