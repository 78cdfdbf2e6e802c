// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a request: begin, run, done, release.
 */
#include <linux/errno.h>
#include <linux/sched.h>

#include "relaybed.h"

/* Everything the last request made goes, in the reverse order of its making. */
void bed_request_release(void)
{
	u32 i;

	WRITE_ONCE(bed.stopping, true);
	bed_gate_release();
	wake_up_all(&bed.line);
	wait_event(bed.idle, !atomic_read(&bed.running));
	for (i = bed.n_actors; i-- > 0;)
		bed_producer_destroy(&bed.actors[i]);
	bed.n_actors = 0;
	for (i = RB_MAX_CHANNELS; i-- > 0;)
		bed_channel_release(&bed.channels[i]);
	bed.begun = false;
	WRITE_ONCE(bed.stopping, false);
}

static void bed_open_at_start(struct bed_channel *ch)
{
	const struct bed_frame *frame;
	struct rb_event *event;
	int opened;

	down_write(&ch->life);
	opened = bed_channel_open(ch);
	up_write(&ch->life);
	if (opened)
		return;
	event = bed_event_begin(&frame);
	if (event) {
		event->channel = ch->index;
		bed_event_end(event, RB_EVENT_OPEN_FAILED);
	}
}

static int bed_create_actors(void)
{
	int err;
	u32 i;

	for (i = 0; i < bed.request->n_actors; i++) {
		bed.n_actors = i + 1;
		err = bed_producer_create(&bed.actors[i], i);
		if (err)
			return err;
	}
	return 0;
}

static int bed_refuse(int err, u32 op)
{
	bed.header->refusal = err;
	bed.header->refusal_op = op;
	WRITE_ONCE(bed.header->phase, RB_PHASE_REFUSED);
	return err;
}

/* With bed.lock held. The host hears of a refusal at DONE, like of all else. */
int bed_request_begin(void)
{
	u32 refusal_op = RB_NONE32;
	int err;
	u32 i;

	bed_request_release();
	bed_ledger_clear();
	bed_mailbox_clear();
	bed_gate_reset();
	bed.seq = READ_ONCE(bed.header->request_seq);

	err = bed_request_take(&refusal_op);
	if (!err && bed.request->flags & RB_REQ_STEPS)
		err = bed_stop_at_idle();
	if (err)
		return bed_refuse(err, refusal_op);
	for (i = 0; i < bed.request->n_channels; i++)
		if (bed.request->channels[i].flags & RB_CHAN_OPEN_AT_START)
			bed_open_at_start(&bed.channels[i]);
	err = bed_create_actors();
	if (err) {
		bed_request_release();
		return bed_refuse(err, RB_NONE32);
	}
	atomic_set(&bed.to_come, bed.n_actors -
			bitmap_weight(bed.nested, RB_MAX_ACTORS));
	bed.begun = true;
	WRITE_ONCE(bed.header->phase, RB_PHASE_RUNNING);
	return 0;
}

static u32 bed_count_kernel_actors(void)
{
	u32 n = 0;
	u32 i;

	for (i = 0; i < bed.n_actors; i++)
		n += bed.actors[i].worker != NULL;
	return n;
}

/* Lets the kernel actors go and waits for the last; called without bed.lock. */
int bed_request_run(void)
{
	int err = 0;
	u32 i;

	mutex_lock(&bed.lock);
	if (bed.begun) {
		bed.begun = false;
		atomic_set(&bed.running, bed_count_kernel_actors());
		for (i = 0; i < bed.n_actors; i++)
			if (bed.actors[i].worker)
				bed_producer_go(&bed.actors[i]);
	} else {
		err = -EINVAL;
	}
	mutex_unlock(&bed.lock);
	if (err)
		return err;
	return wait_event_interruptible(bed.idle, !atomic_read(&bed.running));
}

/* With bed.lock held. */
void bed_request_done(void)
{
	struct rb_header *header = bed.header;

	if (header->phase == RB_PHASE_RUNNING) {
		bed_directory_refresh();
		WRITE_ONCE(header->phase, RB_PHASE_DONE);
	}
	header->taint_now = bed_taint();
	smp_store_release(&header->done_seq, bed.seq);
	bed_ring("D");
}
