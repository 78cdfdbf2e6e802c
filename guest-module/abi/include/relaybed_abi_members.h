/* SPDX-License-Identifier: (GPL-2.0-only OR MIT OR Apache-2.0) */
/* Where this kernel's relay structures have their members. Part of relaybed_abi.h. */
#ifndef RELAYBED_ABI_MEMBERS_H
#define RELAYBED_ABI_MEMBERS_H

#include <linux/types.h>

/* Where one member of a kernel structure is; offset RB_NONE16: not there. */
struct rb_member {
	__u16 offset;
	__u16 size;
};

/* Members of this kernel's struct rchan_buf, taken by the compiler. */
struct rb_buf_members {
	struct rb_member start;
	struct rb_member data;
	struct rb_member offset;
	struct rb_member subbufs_produced;
	struct rb_member subbufs_consumed;
	struct rb_member page_count;
	struct rb_member finalized;
	struct rb_member padding;
	struct rb_member prev_padding;		/* until 6.16 */
	struct rb_member bytes_consumed;
	struct rb_member early_bytes;
	struct rb_member cpu;
	struct rb_member full_count;		/* from 6.17 */
	struct rb_member big_count;		/* from 6.17 */
	struct rb_member kref;
	__u16 size;				/* sizeof(struct rchan_buf) */
	__u16 reserved;
};

/* Members of this kernel's struct rchan. */
struct rb_chan_members {
	struct rb_member version;
	struct rb_member subbuf_size;
	struct rb_member n_subbufs;
	struct rb_member alloc_size;
	struct rb_member last_toobig;		/* until 6.16 */
	struct rb_member is_global;
	struct rb_member has_base_filename;
	__u16 size;				/* sizeof(struct rchan) */
	__u16 reserved;
};

#endif /* RELAYBED_ABI_MEMBERS_H */
