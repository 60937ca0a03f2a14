/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Circular doubly linked lists. Source: Documentation/core-api/list.rst. As without
 * CONFIG_DEBUG_LIST: a corrupted list is not noticed.
 */
#ifndef _LINUX_LIST_H
#define _LINUX_LIST_H

#include <linux/container_of.h>
#include <linux/types.h>

/* exact: an entry that was removed points here */
#define LIST_POISON1 ((void *)0xdead000000000100UL)
#define LIST_POISON2 ((void *)0xdead000000000122UL)

/* exact: an empty list points at itself */
#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)
static inline void INIT_LIST_HEAD(struct list_head *list)
{
	WRITE_ONCE(list->next, list);
	WRITE_ONCE(list->prev, list);
}

static inline void kc_list_join(struct list_head *prev, struct list_head *next)
{
	next->prev = prev;
	WRITE_ONCE(prev->next, next);
}

/* exact: at the front, at the end, out, and from one list to another */
static inline void list_add(struct list_head *new, struct list_head *head)
{
	kc_list_join(new, head->next);
	kc_list_join(head, new);
}
static inline void list_add_tail(struct list_head *new, struct list_head *head)
{
	list_add(new, head->prev);
}
static inline void list_del(struct list_head *entry)
{
	kc_list_join(entry->prev, entry->next);
	entry->next = LIST_POISON1;
	entry->prev = LIST_POISON2;
}
static inline void list_del_init(struct list_head *entry)
{
	kc_list_join(entry->prev, entry->next);
	INIT_LIST_HEAD(entry);
}
static inline void list_move(struct list_head *entry, struct list_head *head)
{
	kc_list_join(entry->prev, entry->next);
	list_add(entry, head);
}
static inline void list_move_tail(struct list_head *entry, struct list_head *head)
{
	kc_list_join(entry->prev, entry->next);
	list_add_tail(entry, head);
}

/* exact: questions */
static inline int list_empty(const struct list_head *head)
{
	return READ_ONCE(head->next) == head;
}
static inline int list_is_singular(const struct list_head *head)
{
	return !list_empty(head) && head->next == head->prev;
}
static inline int list_is_first(const struct list_head *entry, const struct list_head *head)
{
	return entry->prev == head;
}
static inline int list_is_last(const struct list_head *entry, const struct list_head *head)
{
	return entry->next == head;
}

/* exact: a whole list to the front of another; _init leaves it empty */
static inline void list_splice(const struct list_head *list, struct list_head *head)
{
	if (list_empty(list))
		return;
	kc_list_join(list->prev, head->next);
	kc_list_join(head, list->next);
}
static inline void list_splice_init(struct list_head *list, struct list_head *head)
{
	list_splice(list, head);
	INIT_LIST_HEAD(list);
}

/* exact: entries, and walks over them; _safe may remove the one at hand */
#define list_entry(p, type, member) container_of(p, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)
#define list_next_entry(p, member) list_entry((p)->member.next, typeof(*(p)), member)
#define list_first_entry_or_null(head, type, member) \
	(list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_for_each(p, head) for (p = (head)->next; p != (head); p = p->next)
#define list_for_each_safe(p, n, head) \
	for (p = (head)->next, n = p->next; p != (head); p = n, n = p->next)
#define list_for_each_entry(p, head, member)							\
	for (p = list_first_entry(head, typeof(*p), member); &p->member != (head);		\
	     p = list_next_entry(p, member))
#define list_for_each_entry_safe(p, n, head, member)						\
	for (p = list_first_entry(head, typeof(*p), member), n = list_next_entry(p, member);	\
	     &p->member != (head); p = n, n = list_next_entry(n, member))

#endif
