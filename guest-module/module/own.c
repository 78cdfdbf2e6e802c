// SPDX-License-Identifier: GPL-2.0-only
/*
 * A relay.c that the user gave, as an object of this module. The kernel's own
 * relay stays as it is: own_names.h gives every function of this one another
 * name, in all files of the module.
 */
#include <linux/export.h>

/* The kernel exports these names already, and only this module shall call ours. */
#undef EXPORT_SYMBOL
#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL(sym)	extern typeof(sym) sym
#define EXPORT_SYMBOL_GPL(sym)	extern typeof(sym) sym

#include "own/relay.c"
