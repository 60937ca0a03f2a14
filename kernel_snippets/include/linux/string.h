/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory and strings. Source: Documentation/core-api/kernel-api.rst, lib/string.c as documented. */
#ifndef _LINUX_STRING_H
#define _LINUX_STRING_H

#include <linux/types.h>

/* Bytes that the optimiser does not see as a call of a function: there is no libc below. */
#define KC_BYTES(p) ((volatile unsigned char *)(p))
#define KC_READ(p) ((const volatile unsigned char *)(p))

/* exact: byte by byte, as documented; there is no result for what overlaps, but of memmove() */
static inline void *kc_memcpy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		KC_BYTES(to)[i] = KC_READ(from)[i];
	return to;
}
static inline void *kc_memmove(void *to, const void *from, size_t n)
{
	if (to <= from)
		return kc_memcpy(to, from, n);
	while (n--)
		KC_BYTES(to)[n] = KC_READ(from)[n];
	return to;
}
static inline void *kc_memset(void *to, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		KC_BYTES(to)[i] = c;
	return to;
}
static inline int kc_memcmp(const void *a, const void *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (KC_READ(a)[i] != KC_READ(b)[i])
			return KC_READ(a)[i] - KC_READ(b)[i];
	return 0;
}
static inline void *kc_memchr(const void *p, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (KC_READ(p)[i] == (unsigned char)c)
			return (char *)p + i;
	return NULL;
}
static inline void *kc_memchr_inv(const void *p, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (KC_READ(p)[i] != (unsigned char)c)
			return (char *)p + i;
	return NULL;
}
static inline size_t kc_strnlen(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && KC_READ(s)[i])
		i++;
	return i;
}
static inline int kc_strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] || !a[i])
			return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : a[i] != b[i];
	return 0;
}
static inline char *kc_strchr(const char *s, int c)
{
	for (;; s++)
		if (*s == (char)c)
			return (char *)s;
		else if (!*s)
			return NULL;
}
#define memcpy(to, from, n) kc_memcpy(to, from, n)
#define memmove(to, from, n) kc_memmove(to, from, n)
#define memset(to, c, n) kc_memset(to, c, n)
#define memzero_explicit(to, n) ((void)kc_memset(to, 0, n))
#define memcmp(a, b, n) kc_memcmp(a, b, n)
#define memchr(p, c, n) kc_memchr(p, c, n)
#define memchr_inv(p, c, n) kc_memchr_inv(p, c, n)
#define strlen(s) kc_strnlen(s, ~0UL)
#define strnlen(s, n) kc_strnlen(s, n)
#define strcmp(a, b) kc_strncmp(a, b, ~0UL)
#define strncmp(a, b, n) kc_strncmp(a, b, n)
#define strchr(s, c) kc_strchr(s, c)

#endif
