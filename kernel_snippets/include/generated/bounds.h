/* SPDX-License-Identifier: GPL-2.0-only */
/* exact: the number of page flags comes from the enumeration itself */
#ifndef _GENERATED_BOUNDS_H
#define _GENERATED_BOUNDS_H
#define NR_PAGEFLAGS __NR_PAGEFLAGS
#endif
