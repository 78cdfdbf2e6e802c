// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring that kernel and user space both map: the kernel moves the head, the
 * reader moves the tail, and neither calls the other.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "relaybed.h"
#include "transport.h"

static DEFINE_MUTEX(bed_map_lock);	/* of the memory's coming and going */
static DEFINE_SPINLOCK(bed_map_in_lock);
static struct rb_ring *bed_map_ring;	/* NULL: not open */
static u64 bed_map_head;		/* ours: nobody else may write it */

static u8 *bed_map_bytes(void)
{
	return (u8 *)bed_map_ring + PAGE_SIZE;
}

static int bed_map_open(void)
{
	struct rb_ring *ring = vmalloc_user(PAGE_SIZE + RB_TRANSPORT_BYTES);

	if (!ring)
		return -ENOMEM;
	mutex_lock(&bed_map_lock);
	bed_map_ring = ring;
	bed_map_head = 0;
	mutex_unlock(&bed_map_lock);
	return 0;
}

/* Pages that are still mapped live on for whoever maps them. */
static void bed_map_close(void)
{
	mutex_lock(&bed_map_lock);
	vfree(bed_map_ring);
	bed_map_ring = NULL;
	mutex_unlock(&bed_map_lock);
}

static bool bed_map_put(const void *record, u32 len)
{
	unsigned long flags;
	u32 at, first;
	bool fits;
	u64 used;

	spin_lock_irqsave(&bed_map_in_lock, flags);
	at = bed_map_head % RB_TRANSPORT_BYTES;
	first = min_t(u32, len, RB_TRANSPORT_BYTES - at);
	/* The tail is user space's: it may say anything. */
	used = bed_map_head - smp_load_acquire(&bed_map_ring->tail);
	fits = used <= RB_TRANSPORT_BYTES && RB_TRANSPORT_BYTES - used >= len;
	if (fits) {
		memcpy(bed_map_bytes() + at, record, first);
		memcpy(bed_map_bytes(), record + first, len - first);
		bed_map_head += len;
		smp_store_release(&bed_map_ring->head, bed_map_head);
	}
	spin_unlock_irqrestore(&bed_map_in_lock, flags);
	return fits;
}

int bed_transport_map_mmap(struct vm_area_struct *vma)
{
	int err = -ENODEV;

	mutex_lock(&bed_map_lock);
	if (bed_map_ring)
		err = remap_vmalloc_range(vma, bed_map_ring, vma->vm_pgoff);
	mutex_unlock(&bed_map_lock);
	return err;
}

const struct bed_transport bed_transport_map = {
	.open = bed_map_open,
	.close = bed_map_close,
	.put = bed_map_put,
};
