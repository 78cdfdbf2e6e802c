/* SPDX-License-Identifier: (GPL-2.0-only OR MIT OR Apache-2.0) */
/* What a channel's client may choose, and calls without a channel. Part of relaybed_abi.h. */
#ifndef RELAYBED_ABI_CHOICES_H
#define RELAYBED_ABI_CHOICES_H

enum rb_mode {
	RB_MODE_NO_OVERWRITE = 0,	/* subbuf_start is our callback: !full */
	RB_MODE_OVERWRITE = 1,		/* it always accepts */
	RB_MODE_DEFAULT = 2,		/* subbuf_start left NULL (>= 5.11) */
};

enum rb_files {
	RB_FILES_DIRECT = 0,	/* debugfs_create_file_unsafe() */
	RB_FILES_PROXY = 1,	/* debugfs_create_file() */
};

/* What create_buf_file answers when it does not make the file. */
enum rb_create {
	RB_CREATE_FILE = 0,	/* it makes the file */
	RB_CREATE_NULL = 1,	/* NULL */
	RB_CREATE_ERROR = 2,	/* an error pointer: -ENOSPC */
};

/*
 * Which allocation of an opening fails. In the first no_memory_times openings of
 * the channel since the request began the allocation fails, for all but the first
 * two that of CPU no_memory_cpu's buffer.
 */
enum rb_no_memory {
	RB_NO_MEMORY_NEVER = 0,
	RB_NO_MEMORY_CHANNEL = 1,	/* struct rchan */
	RB_NO_MEMORY_POINTERS = 2,	/* its per-CPU pointers */
	RB_NO_MEMORY_BUFFER = 3,	/* struct rchan_buf */
	RB_NO_MEMORY_PADDING = 4,	/* its padding array */
	RB_NO_MEMORY_PAGE_LIST = 5,
	RB_NO_MEMORY_PAGE = 6,		/* its last page */
	RB_NO_MEMORY_MAPPING = 7,	/* vmap() of its pages */
	RB_NO_MEMORY_NAME = 8,		/* its file's name */
};

/* What RB_OP_NULL calls with NULL in place of the channel. */
enum rb_null {
	RB_NULL_CLOSE = 0,
	RB_NULL_FLUSH = 1,
	RB_NULL_RESET = 2,
	RB_NULL_CONSUMED = 3,	/* of one sub-buffer of CPU 0 */
	RB_NULL_LATE_SETUP = 4,	/* -ENOSYS where there is none */
	RB_NULL_LATE_NAME = 5,	/* a channel that it may not look at, and NULL in place of the name */
};

#endif /* RELAYBED_ABI_CHOICES_H */
