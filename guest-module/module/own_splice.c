// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two helpers of the splice code that relay.c calls until 6.8 and that the
 * kernel does not export. The arrays in a descriptor are on the caller's stack
 * and have room for PIPE_DEF_BUFFERS pages; a larger pipe wants larger arrays.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>
#include <linux/splice.h>

int splice_grow_spd(const struct pipe_inode_info *pipe,
		    struct splice_pipe_desc *spd)
{
	unsigned int room = READ_ONCE(pipe->max_usage);
	struct partial_page *partial;
	struct page **pages;

	spd->nr_pages_max = room;
	if (room <= PIPE_DEF_BUFFERS)
		return 0;

	pages = kmalloc_array(room, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	partial = kmalloc_array(room, sizeof(*partial), GFP_KERNEL);
	if (!partial)
		goto free_pages;
	spd->pages = pages;
	spd->partial = partial;
	return 0;

free_pages:
	kfree(pages);
	return -ENOMEM;
}

void splice_shrink_spd(struct splice_pipe_desc *spd)
{
	/* What grew is what has room for more than the caller's arrays. */
	if (spd->nr_pages_max <= PIPE_DEF_BUFFERS)
		return;
	kfree(spd->pages);
	kfree(spd->partial);
}
