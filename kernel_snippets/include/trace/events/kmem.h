/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: mm_trace_rss_stat() of mm/memory.c, Linux 6.12: it calls the tracepoint rss_stat and no more. */
#ifndef _TRACE_KMEM_H
#define _TRACE_KMEM_H

#include <kconform/record.h>

/* inert: tracepoints are never on; the arguments, which differ between kernels, are evaluated */
#define mm_trace_rss_stat(...) kc_say(0, __VA_ARGS__)

#endif
