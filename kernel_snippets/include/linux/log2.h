/* SPDX-License-Identifier: GPL-2.0-only */
/* exact: everything is in linux/math.h */
#include <linux/math.h>
