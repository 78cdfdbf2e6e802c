// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a host that controls single vCPUs finds them: each place writes one word
 * of the mailbox, which the host watches. A watched write is cheaper to stop at
 * than a breakpoint: an emulator need not translate the kernel anew for it.
 */
#include <linux/tracepoint.h>

#include <trace/events/power.h>

#include "relaybed.h"

static bool bed_idle_told;

static void bed_stop(u64 kind, u64 actor, u32 op)
{
	WRITE_ONCE(bed.header->stop, kind << RB_STOP_KIND_SHIFT |
		   actor << RB_STOP_ACTOR_SHIFT | op);
}

void bed_stop_step(u32 actor, u32 op)
{
	bed_stop(RB_STOP_STEP, actor, op);
}

void bed_stop_bell(void)
{
	bed_stop(RB_STOP_BELL, 0, 0);
}

static void bed_cpu_idle(void *data, unsigned int state, unsigned int cpu)
{
	if (state != (unsigned int)PWR_EVENT_EXIT)
		bed_stop(RB_STOP_IDLE, 0, 0);
}

/* Nobody who does not ask for it has the kernel's tracepoint switched on. */
int bed_stop_at_idle(void)
{
	int err;

	if (bed_idle_told)
		return 0;
	err = register_trace_cpu_idle(bed_cpu_idle, NULL);
	bed_idle_told = !err;
	return err;
}

void bed_stop_exit(void)
{
	if (!bed_idle_told)
		return;
	unregister_trace_cpu_idle(bed_cpu_idle, NULL);
	tracepoint_synchronize_unregister();
}
