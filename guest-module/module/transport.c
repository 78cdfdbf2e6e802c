// SPDX-License-Identifier: GPL-2.0-only
/*
 * The comparison of ways out of the kernel: opens one, fills it, says how long
 * that took. Emptying it is the agent's part.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "relaybed.h"
#include "transport.h"

static const struct bed_transport *const bed_transports[] = {
	[RB_TRANSPORT_RELAY_READ] = &bed_transport_relay_read,
	[RB_TRANSPORT_RELAY_MMAP] = &bed_transport_relay_mmap,
	[RB_TRANSPORT_CHAR] = &bed_transport_fifo,
	[RB_TRANSPORT_IOCTL] = &bed_transport_fifo,
	[RB_TRANSPORT_PROC] = &bed_transport_fifo,
	[RB_TRANSPORT_SEQ] = &bed_transport_fifo,
	[RB_TRANSPORT_MAP] = &bed_transport_map,
};

static DEFINE_MUTEX(bed_transport_lock);
static const struct bed_transport *bed_transport_open_one;	/* NULL: none */
static u32 bed_transport_record;	/* length of each record */
static void *bed_transport_staging;	/* a batch, made before the clock runs */

u32 bed_transport_len(void)
{
	return READ_ONCE(bed_transport_record);
}

int bed_transport_check(const struct rb_op *op)
{
	if (op->arg0 >= ARRAY_SIZE(bed_transports) || op->flags)
		return -EINVAL;
	if (!op->len_min || op->len_min != op->len_max ||
	    op->len_max > RB_TRANSPORT_SUBBUF)
		return -EINVAL;
	if (op->seq_first > RB_NONE32 - op->count)
		return -EOVERFLOW;
	return (u64)op->count * op->len_max > RB_DATA_SIZE ? -E2BIG : 0;
}

static void bed_transport_close(void)
{
	if (bed_transport_open_one)
		bed_transport_open_one->close();
	bed_transport_open_one = NULL;
}

static int bed_transport_open(const struct rb_transport_arg *arg)
{
	const struct bed_transport *transport;
	int err;

	bed_transport_close();
	if (arg->transport == RB_NONE32)
		return 0;
	if (arg->transport >= ARRAY_SIZE(bed_transports) || !arg->len ||
	    arg->len > RB_TRANSPORT_SUBBUF)
		return -EINVAL;
	transport = bed_transports[arg->transport];
	WRITE_ONCE(bed_transport_record, arg->len);
	err = transport->open();
	if (!err)
		bed_transport_open_one = transport;
	return err;
}

static int bed_transport_fill(struct rb_fill_arg *fill)
{
	const struct bed_transport *transport = bed_transport_open_one;
	u32 len = bed_transport_record;
	u64 start;
	u32 i;

	if (!transport)
		return -ENODEV;
	if ((u64)fill->count * len > RB_TRANSPORT_BYTES)
		return -E2BIG;
	for (i = 0; i < fill->count; i++)
		bed_pattern(bed_transport_staging + i * len, RB_TRANSPORT_ACTOR,
			    fill->seq + i, 0, len);

	start = ktime_get_mono_fast_ns();
	for (i = 0; i < fill->count; i++)
		if (!transport->put(bed_transport_staging + i * len, len))
			break;
	if (transport->end_batch)
		transport->end_batch();
	fill->ns = ktime_get_mono_fast_ns() - start;
	fill->done = i;
	return 0;
}

static long bed_transport_ioctl_fill(void __user *arg)
{
	struct rb_fill_arg fill;
	int err;

	if (copy_from_user(&fill, arg, sizeof(fill)))
		return -EFAULT;
	err = bed_transport_fill(&fill);
	if (err)
		return err;
	return copy_to_user(arg, &fill, sizeof(fill)) ? -EFAULT : 0;
}

static long bed_transport_ioctl_subbufs(void __user *arg)
{
	struct rb_subbufs_arg subbufs;
	int err = bed_transport_relay_subbufs(&subbufs);

	if (err)
		return err;
	return copy_to_user(arg, &subbufs, sizeof(subbufs)) ? -EFAULT : 0;
}

static long bed_transport_locked(unsigned int cmd, unsigned long arg)
{
	struct rb_transport_arg transport;

	switch (cmd) {
	case RB_IOC_TRANSPORT:
		if (copy_from_user(&transport, (void __user *)arg,
				   sizeof(transport)))
			return -EFAULT;
		return bed_transport_open(&transport);
	case RB_IOC_FILL:
		return bed_transport_ioctl_fill((void __user *)arg);
	case RB_IOC_SUBBUFS:
		return bed_transport_ioctl_subbufs((void __user *)arg);
	case RB_IOC_CONSUMED:
		return bed_transport_relay_consumed(arg);
	default:
		return -ENOTTY;
	}
}

long bed_transport_ioctl(unsigned int cmd, unsigned long arg)
{
	long ret;

	mutex_lock(&bed_transport_lock);
	ret = bed_transport_locked(cmd, arg);
	mutex_unlock(&bed_transport_lock);
	return ret;
}

/* Whatever the agent left open. */
void bed_transport_release(void)
{
	mutex_lock(&bed_transport_lock);
	bed_transport_close();
	mutex_unlock(&bed_transport_lock);
}

int bed_transport_init(void)
{
	int err;

	bed_transport_staging = kvmalloc(RB_TRANSPORT_BYTES, GFP_KERNEL);
	if (!bed_transport_staging)
		return -ENOMEM;
	err = bed_transport_char_init();
	if (err)
		goto free_staging;
	err = bed_transport_proc_init();
	if (err)
		goto exit_char;
	err = bed_transport_seq_init();
	if (err)
		goto exit_proc;
	return 0;

exit_proc:
	bed_transport_proc_exit();
exit_char:
	bed_transport_char_exit();
free_staging:
	kvfree(bed_transport_staging);
	return err;
}

void bed_transport_exit(void)
{
	bed_transport_seq_exit();
	bed_transport_proc_exit();
	bed_transport_char_exit();
	bed_transport_release();
	kvfree(bed_transport_staging);
}
