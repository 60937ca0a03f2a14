/* SPDX-License-Identifier: GPL-2.0-only */
/* CONFIG_ options as 0 or 1. Source: include/linux/kconfig.h of Linux 6.12, as documented. */
#ifndef _LINUX_KCONFIG_H
#define _LINUX_KCONFIG_H

#define KC_ARGUMENT_1 0,
#define KC_SECOND(ignored, value, ...) value
#define KC_DEFINED__(junk) KC_SECOND(junk 1, 0, 0)
#define KC_DEFINED_(value) KC_DEFINED__(KC_ARGUMENT_##value)
#define KC_DEFINED(option) KC_DEFINED_(option)

/* exact: 1 for an option that is set, in C and in #if; modules do not exist here */
#define IS_BUILTIN(option) KC_DEFINED(option)
#define IS_MODULE(option) 0
#define IS_REACHABLE(option) KC_DEFINED(option)
#define IS_ENABLED(option) KC_DEFINED(option)

#endif
