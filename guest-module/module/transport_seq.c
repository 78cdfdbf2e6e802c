// SPDX-License-Identifier: GPL-2.0-only
/*
 * A seq_file in debugfs, one record an item. A record leaves the queue once
 * the seq_file's buffer has room for all of it.
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "relaybed.h"
#include "transport.h"

static struct dentry *bed_seq_file;

/* Under the readers' lock, which stop() gives up. */
static void *bed_seq_here(void)
{
	if (!kfifo_initialized(&bed_fifo.bytes) ||
	    kfifo_len(&bed_fifo.bytes) < bed_transport_len())
		return NULL;
	return &bed_fifo;
}

static void *bed_seq_start(struct seq_file *m, loff_t *pos)
{
	mutex_lock(&bed_fifo.out_lock);
	return bed_seq_here();
}

static void *bed_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return bed_seq_here();
}

static void bed_seq_stop(struct seq_file *m, void *v)
{
	mutex_unlock(&bed_fifo.out_lock);
}

static int bed_seq_show(struct seq_file *m, void *v)
{
	u32 len = bed_transport_len();
	char *to;

	/* A seq_file takes a buffer that is just full for one that overflowed. */
	if (seq_get_buf(m, &to) <= len) {
		seq_commit(m, -1);	/* again, with more room */
		return 0;
	}
	seq_commit(m, kfifo_out(&bed_fifo.bytes, (u8 *)to, len));
	return 0;
}

static const struct seq_operations bed_seq_ops = {
	.start = bed_seq_start,
	.next = bed_seq_next,
	.stop = bed_seq_stop,
	.show = bed_seq_show,
};

static int bed_seq_open(struct inode *inode, struct file *file)
{
	return seq_open(file, &bed_seq_ops);
}

static const struct file_operations bed_seq_fops = {
	.owner = THIS_MODULE,
	.open = bed_seq_open,
	.read = seq_read,
	.release = seq_release,
};

int bed_transport_seq_init(void)
{
	bed_seq_file = debugfs_create_file("transport-seq", 0400, bed.root, NULL,
					   &bed_seq_fops);
	return PTR_ERR_OR_ZERO(bed_seq_file);
}

void bed_transport_seq_exit(void)
{
	debugfs_remove(bed_seq_file);
}
