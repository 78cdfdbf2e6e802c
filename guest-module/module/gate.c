// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gates put actors in order across CPUs; checkpoints let the host look while
 * an actor waits.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/sched/signal.h>

#include "relaybed.h"

/* A stopped machine costs nothing, so the actor may look often. */
#define BED_ACK_POLL_MIN_US	100
#define BED_ACK_POLL_MAX_US	200

static DEFINE_MUTEX(bed_checkpoint_lock);

void bed_gate_reset(void)
{
	u32 i;

	for (i = 0; i < RB_MAX_GATES; i++)
		atomic_set(&bed.gates[i], 0);
}

void bed_gate_signal(u32 gate)
{
	atomic_inc(&bed.gates[gate]);
	wake_up_all(&bed.gate_wait);
}

int bed_gate_wait(u32 gate, u32 count)
{
	int err;

	err = wait_event_interruptible(bed.gate_wait,
				       (u32)atomic_read(&bed.gates[gate]) >= count ||
				       READ_ONCE(bed.stopping));
	if (err)
		return -EINTR;
	return READ_ONCE(bed.stopping) ? -ECANCELED : 0;
}

int bed_checkpoint(u32 label, u32 op)
{
	struct rb_header *header = bed.header;
	int err = 0;
	u32 seq;

	if (mutex_lock_interruptible(&bed_checkpoint_lock))
		return -EINTR;

	bed_directory_refresh();
	header->checkpoint_label = label;
	header->checkpoint_op = op;
	seq = header->checkpoint_seq + 1;
	smp_store_release(&header->checkpoint_seq, seq);
	bed_ring("C");
	while ((s32)(smp_load_acquire(&header->checkpoint_ack) - seq) < 0) {
		if (READ_ONCE(bed.stopping)) {
			err = -ECANCELED;
			break;
		}
		if (signal_pending(current)) {
			err = -EINTR;
			break;
		}
		usleep_range(BED_ACK_POLL_MIN_US, BED_ACK_POLL_MAX_US);
	}
	mutex_unlock(&bed_checkpoint_lock);
	return err;
}
