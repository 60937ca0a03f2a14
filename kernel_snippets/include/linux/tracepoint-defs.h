/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints that headers declare. Source: include/linux/tracepoint-defs.h of Linux 6.12. */
#ifndef TRACEPOINT_DEFS_H
#define TRACEPOINT_DEFS_H

/* inert: nothing attaches to a tracepoint here, so it is never on */
#define DECLARE_TRACEPOINT(tp)
#define tracepoint_enabled(tp) false

#endif
