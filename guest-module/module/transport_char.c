// SPDX-License-Identifier: GPL-2.0-only
/*
 * A character device: read() gives as many bytes as fit, an ioctl() gives one
 * record. The mapped ring is a mapping of this device too.
 */
#include <linux/errno.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "transport.h"

static ssize_t bed_char_read(struct file *file, char __user *to, size_t len,
			     loff_t *pos)
{
	return bed_fifo_to_user(to, len);
}

/* One whole record, or -ENODATA. */
static long bed_char_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	ssize_t got;

	if (cmd != RB_IOC_FETCH)
		return -ENOTTY;
	got = bed_fifo_to_user((char __user *)arg, bed_transport_len());
	if (got < 0)
		return got;
	return got ? 0 : -ENODATA;
}

static int bed_char_mmap(struct file *file, struct vm_area_struct *vma)
{
	return bed_transport_map_mmap(vma);
}

static const struct file_operations bed_char_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.read = bed_char_read,
	.unlocked_ioctl = bed_char_ioctl,
	.mmap = bed_char_mmap,
};

static struct miscdevice bed_char_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME "-transport",
	.fops = &bed_char_fops,
	.mode = 0600,
};

int bed_transport_char_init(void)
{
	return misc_register(&bed_char_device);
}

void bed_transport_char_exit(void)
{
	misc_deregister(&bed_char_device);
}
