/* SPDX-License-Identifier: GPL-2.0-only */
/* exact: everything is in linux/compiler.h */
#include <linux/compiler.h>
