// SPDX-License-Identifier: GPL-2.0-only
/*
 * relay itself, with as little around it as a client can do with: its default
 * callback, no event log, one relay_write() a record.
 */
#include <linux/debugfs.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/smp.h>

#include "compat.h"
#include "relaybed.h"
#include "transport.h"

static struct rchan *bed_relay;		/* NULL: not open */

static struct dentry *bed_relay_create(const char *filename,
				       struct dentry *parent, umode_t mode,
				       struct rchan_buf *buf, int *is_global)
{
	return debugfs_create_file_unsafe(filename, mode, parent, buf,
					  BED_RELAY_FOPS);
}

static int bed_relay_remove(struct dentry *dentry)
{
	debugfs_remove(dentry);
	return 0;
}

/* Not const: 5.10 writes its defaults into what is NULL. */
static struct rchan_callbacks bed_relay_callbacks = {
	.create_buf_file = bed_relay_create,
	.remove_buf_file = bed_relay_remove,
};

static int bed_relay_open(void)
{
	bed_relay = relay_open("transport", bed.root, RB_TRANSPORT_SUBBUF,
			       RB_TRANSPORT_SUBBUFS, &bed_relay_callbacks, NULL);
	return bed_relay ? 0 : -ENOMEM;
}

static void bed_relay_close(void)
{
	relay_close(bed_relay);
	bed_relay = NULL;
}

/* relay_write() does not say whether there was room: the reader will see. */
static bool bed_relay_put(const void *record, u32 len)
{
	relay_write(bed_relay, record, len);
	return true;
}

/* A reader by mmap sees complete sub-buffers only. */
static void bed_relay_flush(void)
{
	relay_flush(bed_relay);
}

static struct rchan_buf *bed_relay_buf(void)
{
	return *per_cpu_ptr(bed_relay->buf, raw_smp_processor_id());
}

int bed_transport_relay_subbufs(struct rb_subbufs_arg *out)
{
	const struct rchan_buf *buf;
	u32 i;

	if (!bed_relay)
		return -ENODEV;
	buf = bed_relay_buf();
	out->produced = buf->subbufs_produced;
	out->consumed = buf->subbufs_consumed;
	for (i = 0; i < RB_TRANSPORT_SUBBUFS; i++)
		out->padding[i] = buf->padding[i];
	return 0;
}

int bed_transport_relay_consumed(unsigned long n)
{
	if (!bed_relay)
		return -ENODEV;
	relay_subbufs_consumed(bed_relay, raw_smp_processor_id(), n);
	return 0;
}

const struct bed_transport bed_transport_relay_read = {
	.open = bed_relay_open,
	.close = bed_relay_close,
	.put = bed_relay_put,
};

const struct bed_transport bed_transport_relay_mmap = {
	.open = bed_relay_open,
	.close = bed_relay_close,
	.put = bed_relay_put,
	.end_batch = bed_relay_flush,
};
