// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file in /proc whose read() gives as many bytes as fit.
 */
#include <linux/errno.h>
#include <linux/proc_fs.h>

#include "transport.h"

#define BED_PROC_NAME	KBUILD_MODNAME "-transport"

static ssize_t bed_proc_read(struct file *file, char __user *to, size_t len,
			     loff_t *pos)
{
	return bed_fifo_to_user(to, len);
}

static const struct proc_ops bed_proc_ops = {
	.proc_open = nonseekable_open,
	.proc_read = bed_proc_read,
};

int bed_transport_proc_init(void)
{
	return proc_create(BED_PROC_NAME, 0400, NULL, &bed_proc_ops) ?
		0 : -ENOMEM;
}

void bed_transport_proc_exit(void)
{
	remove_proc_entry(BED_PROC_NAME, NULL);
}
