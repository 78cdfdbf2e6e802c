// SPDX-License-Identifier: GPL-2.0-only
/*
 * Planted defects: the module spoils its own output on request, once, so that
 * a judge that calls everything good is found out. A defect that found no
 * place to strike is not counted in plant_done.
 */
#include <linux/cpumask.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "relaybed.h"

#define BED_MISPLACE_BYTES	8

bool bed_plant_here(const struct bed_actor *a, const struct bed_shot *shot)
{
	return shot->ch && bed.request->plant != RB_PLANT_NONE &&
	       bed.request->plant_actor == a->index &&
	       bed.request->plant_seq == shot->seq;
}

static void bed_plant_struck(void)
{
	atomic_inc((atomic_t *)&bed.header->plant_done);
}

/* The slot is taken; only the first half of the record gets there, or nothing. */
static void bed_plant_partly(struct bed_actor *a, const struct bed_shot *shot,
			     u32 bytes)
{
	unsigned long flags;
	void *slot = bed_reserve_lock(shot->ch, shot->len, &flags);

	if (slot) {
		bed_record_fill(a->scratch, a, shot);
		memcpy(slot, a->scratch, bytes);
		bed_plant_struck();
	} else {
		a->frame.refused = true;
	}
	bed_reserve_unlock(shot->ch, flags);
}

static void bed_plant_misplace(struct bed_actor *a, const struct bed_shot *shot)
{
	u32 len = shot->len + BED_MISPLACE_BYTES;
	unsigned long flags;
	void *slot;

	if (len + shot->ch->spec->header_bytes > shot->ch->spec->subbuf_size) {
		bed_record_put(a, shot, NULL);
		return;
	}
	slot = bed_reserve_lock(shot->ch, len, &flags);
	if (slot) {
		bed_record_fill(slot + BED_MISPLACE_BYTES, a, shot);
		bed_plant_struck();
	} else {
		a->frame.refused = true;
	}
	bed_reserve_unlock(shot->ch, flags);
}

/* One more byte of padding than there is in the last complete sub-buffer. */
static void bed_plant_padding(struct bed_actor *a, const struct bed_shot *shot)
{
	struct rchan *chan = shot->ch->chan;
	struct rchan_buf *buf;
	unsigned long flags;

	bed_record_put(a, shot, NULL);
	local_irq_save(flags);
	buf = *this_cpu_ptr(chan->buf);
	if (buf->subbufs_produced) {
		buf->padding[(buf->subbufs_produced - 1) % chan->n_subbufs]++;
		bed_plant_struck();
	}
	local_irq_restore(flags);
}

static void bed_plant_hold(struct bed_actor *a, const struct bed_shot *shot)
{
	bed_record_fill(a->held_data, a, shot);
	a->held = *shot;
	a->holding = true;
}

/* After the next record of the channel, or at the actor's end without exchange. */
void bed_plant_release_held(struct bed_actor *a, bool in_exchange)
{
	a->holding = false;
	a->frame.seq = a->held.seq;
	bed_record_put(a, &a->held, a->held_data);
	if (in_exchange)
		bed_plant_struck();
}

/* In the actor's context, in place of the plain write. */
void bed_plant_write(struct bed_actor *a, const struct bed_shot *shot)
{
	switch (bed.request->plant) {
	case RB_PLANT_TORN:
		bed_plant_partly(a, shot, shot->len / 2);
		break;
	case RB_PLANT_STALE:
		bed_plant_partly(a, shot, 0);
		break;
	case RB_PLANT_LOST:
		bed_plant_struck();
		break;
	case RB_PLANT_REPEAT:
		bed_record_put(a, shot, NULL);
		bed_record_put(a, shot, NULL);
		bed_plant_struck();
		break;
	case RB_PLANT_REORDER:
		bed_plant_hold(a, shot);
		break;
	case RB_PLANT_MISPLACE:
		bed_plant_misplace(a, shot);
		break;
	case RB_PLANT_PADDING:
		bed_plant_padding(a, shot);
		break;
	default:
		bed_record_put(a, shot, NULL);
	}
}

static void bed_plant_on_this_cpu(void *arg)
{
	struct bed_actor *a = arg;
	struct bed_frame *old = bed_frame_enter(&a->frame);

	bed_record_put(a, &a->held, a->held_data);
	bed_frame_leave(old);
}

/*
 * The record is put together here and written on another CPU, as that CPU's
 * own. From the actor's thread: no other CPU can be called with interrupts
 * off. False: there is no other buffer to go to.
 */
bool bed_plant_wrong_cpu(struct bed_actor *a, const struct bed_shot *shot)
{
	u32 cpu;

	if (bed.request->plant != RB_PLANT_WRONG_CPU || !bed_plant_here(a, shot))
		return false;
	for_each_online_cpu(cpu)
		if (cpu != a->spec->cpu)
			break;
	if (cpu >= nr_cpu_ids || shot->ch->chan->is_global ||
	    !*per_cpu_ptr(shot->ch->chan->buf, cpu))
		return false;

	a->held = *shot;
	bed_record_fill(a->held_data, a, shot);
	if (smp_call_function_single(cpu, bed_plant_on_this_cpu, a, 1))
		return false;
	bed_plant_struck();
	return true;
}
