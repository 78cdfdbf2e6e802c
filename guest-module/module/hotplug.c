// SPDX-License-Identifier: GPL-2.0-only
/*
 * A CPU that comes online can be made to stand half way: behind relay's own
 * preparation and before it runs, as it does while any driver's callback takes
 * its time.
 */
#include <linux/cpuhotplug.h>
#include <linux/mutex.h>

#include "relaybed.h"

static DEFINE_MUTEX(bed_hold_lock);
static struct {
	bool armed;
	u32 cpu;
	u32 reached;
	u32 until;
} bed_hold;
static int bed_hold_state;

/* The next way up of @cpu raises gate @reached and waits for gate @until. */
void bed_hotplug_hold(u32 cpu, u32 reached, u32 until)
{
	mutex_lock(&bed_hold_lock);
	bed_hold.cpu = cpu;
	bed_hold.reached = reached;
	bed_hold.until = until;
	bed_hold.armed = true;
	mutex_unlock(&bed_hold_lock);
}

static int bed_cpu_prepare(unsigned int cpu)
{
	u32 reached, until;
	bool held;

	mutex_lock(&bed_hold_lock);
	held = bed_hold.armed && bed_hold.cpu == cpu;
	if (held)
		bed_hold.armed = false;
	reached = bed_hold.reached;
	until = bed_hold.until;
	mutex_unlock(&bed_hold_lock);
	if (held) {
		bed_gate_signal(reached);
		/* However the wait ends, the CPU shall come. */
		bed_gate_wait(until, 1);
	}
	return 0;
}

int bed_hotplug_init(void)
{
	bed_hold_state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
						   "relaybed:prepare",
						   bed_cpu_prepare, NULL);
	return bed_hold_state < 0 ? bed_hold_state : 0;
}

void bed_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(bed_hold_state);
}
