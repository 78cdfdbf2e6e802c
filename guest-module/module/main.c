// SPDX-License-Identifier: GPL-2.0-only
/*
 * relaybed.ko: /dev/relaybed, through which PID 1 serves the host's requests.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "relaybed.h"
#include "transport.h"

/*
 * How often to look for a new request. A host that has more to ask does so at
 * once; one that has been silent for a while is not worth the timer interrupts.
 */
#define BED_POLL_EAGER_US	100
#define BED_POLL_EAGER_LOOKS	500
#define BED_POLL_LAZY_US	500

struct bed bed;

static unsigned long bed_in_use;

static int bed_wait_request(void)
{
	struct rb_header *header = bed.header;
	u32 looks = 0;

	while (smp_load_acquire(&header->request_seq) == header->done_seq) {
		u32 us = looks < BED_POLL_EAGER_LOOKS ? BED_POLL_EAGER_US :
							BED_POLL_LAZY_US;

		if (signal_pending(current))
			return -EINTR;
		usleep_range(us, 2 * us);
		looks++;
	}
	return 0;
}

static void bed_ready(void)
{
	char line[20];

	bed.header->taint_ready = bed_taint();
	snprintf(line, sizeof(line), "R%016llx", bed.header->mailbox_pa);
	bed_ring(line);
}

static int bed_ioctl_gate(unsigned int cmd, unsigned long arg)
{
	struct rb_gate_arg gate;

	if (copy_from_user(&gate, (void __user *)arg, sizeof(gate)))
		return -EFAULT;
	if (gate.gate >= RB_MAX_GATES)
		return -EINVAL;
	if (cmd == RB_IOC_GATE)
		return bed_gate_wait(gate.gate, gate.count);
	bed_gate_signal(gate.gate);
	return 0;
}

static int bed_ioctl_checkpoint(unsigned long arg)
{
	struct rb_checkpoint_arg at;

	if (copy_from_user(&at, (void __user *)arg, sizeof(at)))
		return -EFAULT;
	return bed_checkpoint(at.label, at.op);
}

static int bed_ioctl_hold(unsigned long arg)
{
	struct rb_hold_arg hold;

	if (copy_from_user(&hold, (void __user *)arg, sizeof(hold)))
		return -EFAULT;
	if (hold.reached >= RB_MAX_GATES || hold.until >= RB_MAX_GATES)
		return -EINVAL;
	bed_hotplug_hold(hold.cpu, hold.reached, hold.until);
	return 0;
}

static int bed_ioctl_step(unsigned long arg)
{
	struct rb_step_arg step;

	if (copy_from_user(&step, (void __user *)arg, sizeof(step)))
		return -EFAULT;
	bed_step_at(step.actor, step.op);
	return 0;
}

static long bed_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	int err = 0;

	switch (cmd) {
	case RB_IOC_READY:
		bed_ready();
		return 0;
	case RB_IOC_WAIT:
		return bed_wait_request();
	case RB_IOC_BEGIN:
		mutex_lock(&bed.lock);
		err = bed_request_begin();
		mutex_unlock(&bed.lock);
		return err;
	case RB_IOC_RUN:
		return bed_request_run();
	case RB_IOC_DONE:
		mutex_lock(&bed.lock);
		bed_request_done();
		mutex_unlock(&bed.lock);
		return 0;
	case RB_IOC_RELEASE:
		mutex_lock(&bed.lock);
		bed_request_release();
		mutex_unlock(&bed.lock);
		return 0;
	case RB_IOC_HOLD:
		return bed_ioctl_hold(arg);
	case RB_IOC_STEP:
		return bed_ioctl_step(arg);
	case RB_IOC_SIGNAL:
	case RB_IOC_GATE:
		return bed_ioctl_gate(cmd, arg);
	case RB_IOC_CHECKPOINT:
		return bed_ioctl_checkpoint(arg);
	default:
		return bed_transport_ioctl(cmd, arg);
	}
}

static int bed_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start;

	if (vma->vm_pgoff || size > RB_MAILBOX_SIZE)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(bed.pages), size,
			       vma->vm_page_prot);
}

/* One agent, of however many threads. */
static int bed_open(struct inode *inode, struct file *file)
{
	if (test_and_set_bit(0, &bed_in_use))
		return -EBUSY;
	return nonseekable_open(inode, file);
}

static int bed_release(struct inode *inode, struct file *file)
{
	bed_transport_release();
	mutex_lock(&bed.lock);
	bed_request_release();
	mutex_unlock(&bed.lock);
	clear_bit(0, &bed_in_use);
	return 0;
}

static const struct file_operations bed_fops = {
	.owner = THIS_MODULE,
	.open = bed_open,
	.release = bed_release,
	.unlocked_ioctl = bed_ioctl,
	.mmap = bed_mmap,
};

static struct miscdevice bed_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.fops = &bed_fops,
	.mode = 0600,
};

static void bed_free_request(void)
{
	kvfree(bed.blob);
	kvfree(bed.ops);
	kvfree(bed.request);
}

static int bed_alloc_request(void)
{
	bed.request = kvzalloc(sizeof(*bed.request), GFP_KERNEL);
	bed.ops = kvcalloc(RB_MAX_OPS, sizeof(*bed.ops), GFP_KERNEL);
	bed.blob = kvzalloc(RB_MAX_BLOB, GFP_KERNEL);
	if (bed.request && bed.ops && bed.blob)
		return 0;
	bed_free_request();
	return -ENOMEM;
}

static int __init bed_module_init(void)
{
	int err;

	mutex_init(&bed.lock);
	mutex_init(&bed.directory_lock);
	init_waitqueue_head(&bed.idle);
	init_waitqueue_head(&bed.line);

	err = bed_alloc_request();
	if (err)
		return err;
	err = bed_mailbox_init();
	if (err)
		goto free_request;
	err = bed_channel_init();
	if (err)
		goto free_mailbox;
	bed_ledger_init();
	err = bed_nmi_init();
	if (err)
		goto exit_ledger;
	err = bed_own_init();
	if (err)
		goto exit_nmi;
	err = bed_hotplug_init();
	if (err)
		goto exit_own;
	err = bed_transport_init();
	if (err)
		goto exit_hotplug;
	err = misc_register(&bed_device);
	if (err)
		goto exit_transports;
	pr_info("mailbox at %#llx, ABI version %u\n", bed.header->mailbox_pa,
		RB_ABI_VERSION);
	return 0;

exit_transports:
	bed_transport_exit();
exit_hotplug:
	bed_hotplug_exit();
exit_own:
	bed_own_exit();
exit_nmi:
	bed_nmi_exit();
exit_ledger:
	bed_ledger_exit();
	bed_channel_exit();
free_mailbox:
	bed_mailbox_exit();
free_request:
	bed_free_request();
	return err;
}

/* The device is closed by now, so no request is left. */
static void __exit bed_module_exit(void)
{
	misc_deregister(&bed_device);
	bed_producer_exit();
	bed_stop_exit();
	bed_transport_exit();
	bed_hotplug_exit();
	bed_own_exit();
	bed_nmi_exit();
	bed_fault_exit();
	bed_ledger_exit();
	bed_channel_exit();
	bed_mailbox_exit();
	bed_free_request();
}

module_init(bed_module_init);
module_exit(bed_module_exit);

MODULE_DESCRIPTION("Producers and eyes for a testbed of the relay interface");
MODULE_LICENSE("GPL");
