// SPDX-License-Identifier: GPL-2.0-only
/*
 * The doorbell: short lines to the host through the second serial port, by
 * port I/O. The tty layer is left out: its locks, queues and wake-ups would be
 * one more thing that moves between two runs.
 */
#include <linux/io.h>
#include <linux/spinlock.h>

#include "relaybed.h"

#define BED_BELL_DATA		RB_BELL_PORT
#define BED_BELL_STATUS		(RB_BELL_PORT + 5)
#define BED_BELL_THRE		0x20	/* transmitter holding register empty */
#define BED_BELL_SPINS		100000	/* a host that does not listen is no reason to hang */

static DEFINE_RAW_SPINLOCK(bed_bell_lock);

static void bed_ring_byte(u8 byte)
{
	unsigned int spins = BED_BELL_SPINS;

	while (!(inb(BED_BELL_STATUS) & BED_BELL_THRE) && --spins)
		cpu_relax();
	outb(byte, BED_BELL_DATA);
}

/* From any context but NMI. */
void bed_ring(const char *line)
{
	unsigned long flags;

	bed_stop_bell();
	raw_spin_lock_irqsave(&bed_bell_lock, flags);
	while (*line)
		bed_ring_byte(*line++);
	bed_ring_byte('\n');
	raw_spin_unlock_irqrestore(&bed_bell_lock, flags);
}
