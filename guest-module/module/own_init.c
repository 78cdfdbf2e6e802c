// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core kernel does for its own relay.c, done for the one in this
 * module: the call for each CPU that comes online, and the owner of the files.
 */
#include <linux/cpuhotplug.h>
#include <linux/fs.h>
#include <linux/module.h>

#include "compat.h"
#include "relaybed.h"

/*
 * relay.c names no owner: it is never unloaded. A copy, because what it has is
 * const.
 */
struct file_operations bed_own_fops;
static int bed_own_state;

/*
 * The kernel has a slot for relay, CPUHP_RELAY_PREPARE, early in the order. A
 * module gets one of the dynamic slots, behind all the fixed ones of this
 * section: when it is called, slab, RCU, timers and workqueues of the new CPU
 * have been prepared too, and where one of them fails, this relay has not made
 * a buffer yet and the kernel's has. Both come before the new CPU runs, and
 * before the slot of hotplug.c, which is asked for later.
 */
int bed_own_init(void)
{
	bed_own_fops = relay_file_operations;
	bed_own_fops.owner = THIS_MODULE;
	bed_own_state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
						  "relaybed:relay",
						  relay_prepare_cpu, NULL);
	return bed_own_state < 0 ? bed_own_state : 0;
}

void bed_own_exit(void)
{
	cpuhp_remove_state_nocalls(bed_own_state);
}
