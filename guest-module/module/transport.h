/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways out of the kernel that are compared with relay's, one file each.
 */
#ifndef RELAYBED_TRANSPORT_H
#define RELAYBED_TRANSPORT_H

#include <linux/fs.h>
#include <linux/kfifo.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "relaybed_abi.h"

/* How records get in. One transport is open at a time, by the one agent. */
struct bed_transport {
	int (*open)(void);
	void (*close)(void);
	/* False: no room. */
	bool (*put)(const void *record, u32 len);
	/* After the last record of a batch; NULL: nothing to do. */
	void (*end_batch)(void);
};

extern const struct bed_transport bed_transport_relay_read;
extern const struct bed_transport bed_transport_relay_mmap;
extern const struct bed_transport bed_transport_fifo;
extern const struct bed_transport bed_transport_map;

/* transport.c */
int bed_transport_init(void);
void bed_transport_exit(void);
void bed_transport_release(void);
long bed_transport_ioctl(unsigned int cmd, unsigned long arg);
int bed_transport_check(const struct rb_op *op);
u32 bed_transport_len(void);

/* transport_fifo.c: what char, ioctl, proc and seq have in common */
struct bed_fifo {
	struct kfifo bytes;
	spinlock_t in_lock;	/* among writers */
	struct mutex out_lock;	/* among readers */
};

extern struct bed_fifo bed_fifo;
ssize_t bed_fifo_to_user(char __user *to, size_t len);

/* transport_char.c */
int bed_transport_char_init(void);
void bed_transport_char_exit(void);

/* transport_proc.c */
int bed_transport_proc_init(void);
void bed_transport_proc_exit(void);

/* transport_seq.c */
int bed_transport_seq_init(void);
void bed_transport_seq_exit(void);

/* transport_map.c */
int bed_transport_map_mmap(struct vm_area_struct *vma);

/* transport_relay.c */
int bed_transport_relay_subbufs(struct rb_subbufs_arg *out);
int bed_transport_relay_consumed(unsigned long n);

#endif /* RELAYBED_TRANSPORT_H */
