/* SPDX-License-Identifier: (GPL-2.0-only OR MIT OR Apache-2.0) */
/* Transports: other ways out of the kernel. Part of relaybed_abi.h. */
#ifndef RELAYBED_ABI_TRANSPORT_H
#define RELAYBED_ABI_TRANSPORT_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Ways out of the kernel, compared by moving the same records through each:
 * count records of len_min = len_max bytes, of actor RB_TRANSPORT_ACTOR,
 * numbered from seq_first on, all of them pattern. One thread fills the
 * transport, then empties it, until all are through; every transport holds
 * RB_TRANSPORT_BYTES. A batch is what relay surely takes between two readings:
 * whole records in all sub-buffers but one, since an exactly full one counts
 * as read only once the next was begun.
 *
 * TRANSPORT opens one (NONE32: closes it); FILL puts records into it and tells
 * how long that took; SUBBUFS tells what relay's reader by mmap must know and
 * CONSUMED is relay_subbufs_consumed(); FETCH, on the transport's own device,
 * copies one record to its argument.
 */
enum rb_transport {
	RB_TRANSPORT_RELAY_READ = 0,	/* relay, read() */
	RB_TRANSPORT_RELAY_MMAP = 1,	/* relay, mmap() */
	RB_TRANSPORT_CHAR = 2,		/* read() of a character device */
	RB_TRANSPORT_IOCTL = 3,		/* one ioctl() a record */
	RB_TRANSPORT_PROC = 4,		/* read() of a file in /proc */
	RB_TRANSPORT_SEQ = 5,		/* read() of a seq_file in debugfs */
	RB_TRANSPORT_MAP = 6,		/* a ring mapped by both sides */
};

#define RB_TRANSPORT_BYTES	65536
#define RB_TRANSPORT_SUBBUF	8192
#define RB_TRANSPORT_SUBBUFS	8
#define RB_TRANSPORT_ACTOR	0xfffdu

struct rb_transport_arg {
	__u32 transport;	/* enum rb_transport, or NONE32 */
	__u32 len;		/* of each record */
};

struct rb_fill_arg {
	__u32 seq;		/* of the first record */
	__u32 count;
	__u32 done;		/* out: records that found room */
	__u32 reserved;
	__u64 ns;		/* out: time they took, their making left out */
};

struct rb_subbufs_arg {
	__u64 produced;
	__u64 consumed;
	__u64 padding[RB_TRANSPORT_SUBBUFS];
};

/* First page of the mapped ring; the bytes follow. Counts only grow. */
struct rb_ring {
	__u64 head;		/* bytes put in */
	__u64 tail;		/* bytes taken out, by the reader */
};

#define RB_IOC_TRANSPORT	_IOW('b', 32, struct rb_transport_arg)
#define RB_IOC_FILL		_IOWR('b', 33, struct rb_fill_arg)
#define RB_IOC_SUBBUFS		_IOR('b', 34, struct rb_subbufs_arg)
#define RB_IOC_CONSUMED		_IO('b', 35)
#define RB_IOC_FETCH		_IO('b', 36)

#endif /* RELAYBED_ABI_TRANSPORT_H */
