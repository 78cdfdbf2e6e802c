// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own byte queue, as drivers use it: writers under a spinlock,
 * readers under a mutex. The character device, its ioctl, the file in /proc
 * and the seq_file differ in how it is emptied.
 */
#include <linux/errno.h>

#include "transport.h"

struct bed_fifo bed_fifo = {
	.in_lock = __SPIN_LOCK_UNLOCKED(bed_fifo.in_lock),
	.out_lock = __MUTEX_INITIALIZER(bed_fifo.out_lock),
};

static int bed_fifo_open(void)
{
	return kfifo_alloc(&bed_fifo.bytes, RB_TRANSPORT_BYTES, GFP_KERNEL);
}

static void bed_fifo_close(void)
{
	mutex_lock(&bed_fifo.out_lock);
	kfifo_free(&bed_fifo.bytes);
	mutex_unlock(&bed_fifo.out_lock);
}

static bool bed_fifo_put(const void *record, u32 len)
{
	unsigned long flags;
	bool fits;

	spin_lock_irqsave(&bed_fifo.in_lock, flags);
	fits = kfifo_avail(&bed_fifo.bytes) >= len;
	if (fits)
		kfifo_in(&bed_fifo.bytes, (const u8 *)record, len);
	spin_unlock_irqrestore(&bed_fifo.in_lock, flags);
	return fits;
}

/* Up to @len bytes; none while the queue is not open. */
ssize_t bed_fifo_to_user(char __user *to, size_t len)
{
	unsigned int copied = 0;
	int err = 0;

	if (mutex_lock_interruptible(&bed_fifo.out_lock))
		return -EINTR;
	if (kfifo_initialized(&bed_fifo.bytes))
		err = kfifo_to_user(&bed_fifo.bytes, to,
				    min_t(size_t, len, RB_TRANSPORT_BYTES),
				    &copied);
	mutex_unlock(&bed_fifo.out_lock);
	return err ? err : copied;
}

const struct bed_transport bed_transport_fifo = {
	.open = bed_fifo_open,
	.close = bed_fifo_close,
	.put = bed_fifo_put,
};
