/* SPDX-License-Identifier: GPL-2.0-only */
/* exact: everything is in linux/percpu-defs.h */
#include <linux/percpu-defs.h>
