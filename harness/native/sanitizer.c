/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What instrumented code calls: the hooks of UBSan and of KASan's outline
 * instrumentation. Linked into a subject, itself not instrumented, with no libc
 * below it. A report is data in kc_record; nothing is printed.
 *
 * Interfaces: the hooks' arguments and the layout of what they point to are those
 * of gcc (gcc/ubsan.cc, gcc/asan.cc, gcc/sanitizer.def) and of the runtime that
 * they are meant for (compiler-rt/lib/ubsan/ubsan_handlers.h and
 * lib/asan/asan_interface_internal.h); Documentation/dev-tools/kasan.rst and
 * ubsan.rst of the kernel say how it uses them.
 *
 * Shadow: one byte for 8 bytes of memory. 0: all may be accessed, 1 to 7: only so
 * many first ones, else none. gcc's code writes that of its stack redzones itself.
 */
#include <elf.h>
#include <stdint.h>

#include "kconform/record.h"
#include "sanitizer.h"

#pragma GCC optimize("no-tree-loop-distribute-patterns")	/* memset() is made of loops here */

#define EXPORT __attribute__((visibility("default")))
#define GRANULE 8ul
#define PAGE 4096ul
#define LINE 64ul
#define FAR 4096ul	/* an access that is further from every object is by none of them */
enum { MAX_STACKS = 4, MAX_OBJECTS = 128, MAX_MODULES = 8 };
enum { GLOBAL_REDZONE = 0xf9, STACK_LEFT = 0xf1, ALLOCA_REDZONE = 0xca, INVALID = 0xfe };
enum { MEMBER_ACCESS = 3 };

/* gcc's descriptions (names as in ubsan_handlers.h and asan_interface_internal.h). */
struct location { const char *file; uint32_t line, column; };
struct type { uint16_t kind, info; char name[]; };
struct type_data { struct location at; const struct type *type; };
struct two_types_data { struct location at; const struct type *left, *right; };
struct mismatch_data {
	struct location at;
	const struct type *type;
	unsigned char log_alignment, kind;
};
struct nonnull_data { struct location at, attribute; int argument; };
struct builtin_data { struct location at; unsigned char kind; };
struct global {
	unsigned long start, size, size_with_redzone;
	const char *name, *module;
	unsigned long initialised_at_run_time;
	const struct location *at;
	unsigned long odr;
};

struct range { unsigned long start, size; };
struct object { unsigned long start, size; const char *name; };

static struct {
	int (*map)(void *at, unsigned long size);
	struct range image, stacks[MAX_STACKS];
	unsigned int nstacks, nobjects, nmodules;
	struct object objects[MAX_OBJECTS];
	struct { const struct global *first; unsigned long n; } modules[MAX_MODULES];
	const struct location *null;		/* the last check that met a null pointer */
	unsigned char *lines;			/* see kc_sanitizer's mark() */
	struct range marked;
	struct kc_report report;
} state;

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));	/* by the linker */

/* Sentences. */

struct text { char *at, *end; };

static void say(struct text *t, const char *words)
{
	while (*words && t->at < t->end)
		*t->at++ = *words++;
	*t->at = 0;
}

static void say_some(struct text *t, const char *words, unsigned long n)
{
	while (n-- && *words && t->at < t->end)
		*t->at++ = *words++;
	*t->at = 0;
}

static void say_number(struct text *t, unsigned long n)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = 0;
	do {
		*--at = '0' + n % 10;
	} while (n /= 10);
	say(t, at);
}

static void say_count(struct text *t, unsigned long n, const char *what)
{
	say_number(t, n);
	say(t, what);
	say(t, n == 1 ? "" : "s");
}

static unsigned int bits_of(const struct type *type)
{
	return 1u << (type->info >> 1);
}

static int is_negative(const struct type *type, unsigned long value)
{
	unsigned int bits = bits_of(type);

	return type->info & 1 && bits <= 64 && value >> (bits - 1) & 1;
}

/* A value as gcc hands it over: in the word, or where that points, of which 64 bits are enough. */
static unsigned long value_of(const struct type *type, unsigned long value)
{
	unsigned int bits = bits_of(type);

	if (bits > 64)
		return *(const unsigned long *)value;
	if (bits == 64 || is_negative(type, value))
		return bits == 64 ? value : value | ~0ul << bits;
	return value & ((1ul << bits) - 1);
}

static void say_value(struct text *t, const struct type *type, unsigned long value)
{
	int negative = is_negative(type, value);

	value = value_of(type, value);
	say(t, negative ? "-" : "");
	say_number(t, negative ? -value : value);
}

/* Reports. */

/* Where to write the sentence; NULL when this is not the operation's first report. */
static struct text *report(const char *kind, const struct location *at, void *pc)
{
	static struct text text;
	struct kc_report *r = &state.report;

	if (!kc_record.checking || kc_record.reports++)
		return 0;
	kc_record.report = r;
	r->kind = kind;
	r->file = at ? at->file : 0;
	r->line = at ? (int)at->line : 0;
	r->column = at ? (int)at->column : 0;
	r->pc = (unsigned long)pc;
	text.at = r->text;
	text.end = r->text + sizeof(r->text) - 1;
	*text.at = 0;
	return &text;
}

/* What would spoil the engine's memory, or has no next instruction, ends the operation. */
static void stop(void)
{
	if (kc_record.stop)
		kc_record.stop(KC_STOP_SANITIZER, 0);
	__builtin_trap();
}

/* Shadow. */

static signed char *shadow(unsigned long address)
{
	return (signed char *)(address / GRANULE + KC_SHADOW_OFFSET);
}

static int map_shadow(struct range range)
{
	unsigned long at = (unsigned long)shadow(range.start) & -PAGE;
	unsigned long end = (unsigned long)shadow(range.start + range.size - 1);

	/* Page by page: some of them may belong to a neighbour as well. */
	for (; at <= end; at += PAGE)
		if (state.map((void *)at, PAGE))
			return -1;
	return 0;
}

static int within(const struct range *range, unsigned long address, unsigned long size)
{
	unsigned long at = address - range->start;

	return at < range->size && size <= range->size - at;
}

static const struct range *shadowed(unsigned long address, unsigned long size)
{
	if (within(&state.image, address, size))
		return &state.image;
	for (unsigned int i = 0; i < state.nstacks; i++)
		if (within(&state.stacks[i], address, size))
			return &state.stacks[i];
	return 0;
}

static void fill(unsigned long start, unsigned long end, int value)
{
	signed char *at = shadow(start), *last = shadow(end);
	unsigned long words = (value & 0xff) * 0x0101010101010101ul;

	while (at < last && (unsigned long)at % sizeof(words))
		*at++ = value;
	for (; last - at >= (long)sizeof(words); at += sizeof(words))
		*(unsigned long *)at = words;	/* a whole stack's, after every stop */
	while (at < last)
		*at++ = value;
}

/* [start, start + size) may be accessed; the rest of its last granule may not. */
static void permit(unsigned long start, unsigned long size)
{
	fill(start, start + size, 0);
	if (size % GRANULE)
		*shadow(start + size) = size % GRANULE;
}

static void forbid(unsigned long start, unsigned long size, int why)
{
	fill(start, start + size + GRANULE - 1, why);
}

static int granule_permits(unsigned long address, unsigned long last)
{
	signed char byte = *shadow(address);

	return !byte || (byte > 0 && last <= (unsigned long)byte);
}

static int shadow_permits(unsigned long address, unsigned long size)
{
	unsigned long last = address % GRANULE + size;

	for (; last > GRANULE; last -= GRANULE, address += GRANULE)
		if (*shadow(address))
			return 0;
	return granule_permits(address, last);
}

static int object_permits(unsigned long address, unsigned long size)
{
	for (unsigned int i = 0; i < state.nobjects; i++) {
		const struct object *o = &state.objects[i];

		if (within(&(struct range){ o->start, o->size }, address, size))
			return 1;
	}
	return 0;
}

static inline __attribute__((always_inline)) int permitted(unsigned long address,
							   unsigned long size)
{
	if (__builtin_expect(!!shadowed(address, size), 1))
		return shadow_permits(address, size);
	return object_permits(address, size);
}

/* Which object an invalid access is near to. */

struct near { unsigned long start, size, distance, length; const char *name; };

static void consider(struct near *near, unsigned long address, struct range object,
		     const char *name, unsigned long length)
{
	unsigned long end = object.start + object.size, distance;

	if (address >= end)
		distance = address - end;
	else
		distance = address < object.start ? object.start - address : 0;
	if (distance < near->distance)
		*near = (struct near){ object.start, object.size, distance, length, name };
}

static unsigned long read_number(const char **at)
{
	unsigned long n = 0;

	while (**at == ' ')
		(*at)++;
	while (**at >= '0' && **at <= '9')
		n = n * 10 + (unsigned long)(*(*at)++ - '0');
	return n;
}

/* gcc describes a frame at its start: a magic word, and "n (offset size length name)*". */
static void consider_frame(struct near *near, unsigned long address, unsigned long low)
{
	const unsigned long *frame;
	const char *at;

	address &= -GRANULE;
	while (address > low && *shadow(address) != (signed char)STACK_LEFT)
		address -= GRANULE;
	while (address > low && *shadow(address - GRANULE) == (signed char)STACK_LEFT)
		address -= GRANULE;
	frame = (const unsigned long *)address;
	if (address <= low || *frame != 0x41b58ab3ul)
		return;
	at = (const char *)frame[1];
	for (unsigned long n = read_number(&at); n; n--) {
		unsigned long offset = read_number(&at), size = read_number(&at);
		unsigned long length = read_number(&at), shown = 0;

		at++;
		while (shown < length && at[shown] != ':')	/* name:line */
			shown++;
		consider(near, near->start, (struct range){ (unsigned long)frame + offset, size },
			 at, shown);
		at += length;
	}
}

static void consider_globals(struct near *near, unsigned long address, unsigned long size)
{
	for (unsigned int m = 0; m < state.nmodules; m++)
		for (unsigned long i = 0; i < state.modules[m].n; i++) {
			const struct global *g = &state.modules[m].first[i];
			const char *name = *g->name == '*' || *g->name == '.' ? 0 : g->name;

			/* What holds all of the access, and yet may not be accessed, is a world. */
			if (!within(&(struct range){ g->start, g->size }, address, size))
				consider(near, address, (struct range){ g->start, g->size },
					 name, 64);
		}
}

static struct near nearest(unsigned long address, unsigned long size)
{
	const struct range *where = shadowed(address, 1);
	struct near near = { .start = address, .distance = FAR };

	if (where && where != &state.image) {
		consider_frame(&near, address, where->start);
		return near;
	}
	for (unsigned int i = 0; i < state.nobjects; i++) {
		const struct object *o = &state.objects[i];

		consider(&near, address, (struct range){ o->start, o->size }, o->name, 64);
	}
	consider_globals(&near, address, size);
	return near;
}

static void say_place(struct text *t, unsigned long address, unsigned long size)
{
	struct near near = nearest(address, size);
	unsigned long end = near.start + near.size;

	if (near.distance == FAR) {
		say(t, " of memory that belongs to no object");
		return;
	}
	say(t, " ");
	if (address < near.start) {
		say_count(t, near.start - address, " byte");
		say(t, " before the start of ");
	} else if (address < end) {
		say_count(t, address + size - end, " byte");
		say(t, " too long at the end of ");
	} else if (address == end) {
		say(t, "right past the end of ");
	} else {
		say_count(t, address - end, " byte");
		say(t, " past the end of ");
	}
	if (near.name)
		say_some(t, near.name, near.length);
	else
		say(t, "an object");
	say(t, " (");
	say_count(t, near.size, " byte");
	say(t, ")");
}

static void say_access(struct text *t, unsigned long address, unsigned long size, int write)
{
	say_number(t, size);
	say(t, write ? "-byte write" : "-byte read");
	if (address >= PAGE) {
		say_place(t, address, size);
		return;
	}
	say(t, " through a null pointer");
	if (address) {
		say(t, ", ");
		say_count(t, address, " byte");
		say(t, " into the object");
	}
}

static __attribute__((noinline, cold)) void invalid(unsigned long address, unsigned long size,
						    int write, void *pc)
{
	const char *kind = write ? "out-of-bounds-write" : "out-of-bounds-read";
	const struct location *at = address < PAGE ? state.null : 0;
	struct text *t = report(address < PAGE ? "null-pointer" : kind, at, pc);

	state.null = 0;
	if (t)
		say_access(t, address, size, write);
	stop();
}

static __attribute__((noinline, cold)) void mark_lines(unsigned long address, unsigned long size)
{
	for (unsigned long at = address & -LINE; at < address + size; at += LINE)
		if (within(&state.marked, at, 1))
			state.lines[(at - state.marked.start) / LINE] = 1;
}

static inline __attribute__((always_inline)) void check(unsigned long address, unsigned long size,
							int write, void *pc)
{
	if (!kc_record.checking || !size)
		return;
	if (__builtin_expect(!permitted(address, size), 0))
		invalid(address, size, write, pc);
	if (__builtin_expect(state.lines != 0, 0))
		mark_lines(address, size);
	state.null = 0;
}

/* KASan's hooks (outline instrumentation; noabort: they may return). */

#define ACCESS(n)							\
	void __asan_load##n##_noabort(unsigned long address);		\
	void __asan_load##n##_noabort(unsigned long address)		\
	{								\
		check(address, n, 0, __builtin_return_address(0));	\
	}								\
	void __asan_store##n##_noabort(unsigned long address);		\
	void __asan_store##n##_noabort(unsigned long address)		\
	{								\
		check(address, n, 1, __builtin_return_address(0));	\
	}

ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __asan_loadN_noabort(unsigned long address, unsigned long size);
void __asan_loadN_noabort(unsigned long address, unsigned long size)
{
	check(address, size, 0, __builtin_return_address(0));
}

void __asan_storeN_noabort(unsigned long address, unsigned long size);
void __asan_storeN_noabort(unsigned long address, unsigned long size)
{
	check(address, size, 1, __builtin_return_address(0));
}

/* From a constructor, before there is a shadow: open() makes the redzones. */
void __asan_register_globals(const struct global *globals, unsigned long n);
void __asan_register_globals(const struct global *globals, unsigned long n)
{
	if (state.nmodules == MAX_MODULES)
		return;
	state.modules[state.nmodules].first = globals;
	state.modules[state.nmodules++].n = n;
}

void __asan_unregister_globals(const struct global *globals, unsigned long n);
void __asan_unregister_globals(const struct global *globals, unsigned long n)
{
	(void)globals;
	(void)n;
}

/* Before a call that does not return: the engine clears the stack where it comes back. */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
}

/* alloca() and variable-length arrays: 32 bytes of redzone on both sides, to 32 bytes. */
void __asan_alloca_poison(unsigned long address, unsigned long size);
void __asan_alloca_poison(unsigned long address, unsigned long size)
{
	unsigned long end = address + size, limit = (end + 31) & -32ul;

	if (!shadowed(address - 32, limit + 64 - address))
		return;
	forbid(address - 32, 32, ALLOCA_REDZONE);
	forbid(end & -GRANULE, limit + 32 - (end & -GRANULE), ALLOCA_REDZONE);
	if (end % GRANULE)
		*shadow(end) = end % GRANULE;
}

/* From the new top to the bottom of what alloca() made; `top` 0: there was none. */
void __asan_allocas_unpoison(unsigned long top, unsigned long bottom);
void __asan_allocas_unpoison(unsigned long top, unsigned long bottom)
{
	if (top && top < bottom && shadowed(top, bottom - top))
		fill(top, bottom, 0);
}

/*
 * gcc makes calls of these where it copies, and has no hooks for their accesses.
 * weak: a subject may bring its own, instrumented.
 */
#define OVERRIDABLE __attribute__((weak, visibility("hidden")))

static void copy_up(char *to, const char *from, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		to[i] = from[i];
}

static void copy_down(char *to, const char *from, unsigned long n)
{
	while (n--)
		to[n] = from[n];
}

static void check_copy(const void *to, const void *from, unsigned long n, void *pc)
{
	check((unsigned long)from, n, 0, pc);
	check((unsigned long)to, n, 1, pc);
}

OVERRIDABLE void *memcpy(void *to, const void *from, unsigned long n);
OVERRIDABLE void *memcpy(void *to, const void *from, unsigned long n)
{
	check_copy(to, from, n, __builtin_return_address(0));
	copy_up(to, from, n);
	return to;
}

OVERRIDABLE void *memmove(void *to, const void *from, unsigned long n);
OVERRIDABLE void *memmove(void *to, const void *from, unsigned long n)
{
	check_copy(to, from, n, __builtin_return_address(0));
	if ((unsigned long)to < (unsigned long)from)
		copy_up(to, from, n);
	else
		copy_down(to, from, n);
	return to;
}

OVERRIDABLE void *memset(void *to, int c, unsigned long n);
OVERRIDABLE void *memset(void *to, int c, unsigned long n)
{
	check((unsigned long)to, n, 1, __builtin_return_address(0));
	for (unsigned long i = 0; i < n; i++)
		((char *)to)[i] = (char)c;
	return to;
}

OVERRIDABLE int memcmp(const void *a, const void *b, unsigned long n);
OVERRIDABLE int memcmp(const void *a, const void *b, unsigned long n)
{
	const unsigned char *left = a, *right = b;

	check((unsigned long)a, n, 0, __builtin_return_address(0));
	check((unsigned long)b, n, 0, __builtin_return_address(0));
	for (unsigned long i = 0; i < n; i++)
		if (left[i] != right[i])
			return left[i] - right[i];
	return 0;
}

/* UBSan's hooks. All return, but where there is nothing to return to. */

void __ubsan_handle_shift_out_of_bounds(const struct two_types_data *data, unsigned long left,
					unsigned long right);
void __ubsan_handle_shift_out_of_bounds(const struct two_types_data *data, unsigned long left,
					unsigned long right)
{
	struct text *t = report("shift-out-of-bounds", &data->at, __builtin_return_address(0));
	int negative = is_negative(data->right, right);

	if (!t)
		return;
	say(t, "shift exponent ");
	say_value(t, data->right, right);
	if (negative) {
		say(t, " is negative");
	} else if (value_of(data->right, right) >= bits_of(data->left)) {
		say(t, " is too large for ");
		say_number(t, bits_of(data->left));
		say(t, "-bit type ");
		say(t, data->left->name);
	} else {
		say(t, " moves bits of ");
		say_value(t, data->left, left);
		say(t, " out of type ");
		say(t, data->left->name);
	}
}

void __ubsan_handle_out_of_bounds(const struct two_types_data *data, unsigned long index);
void __ubsan_handle_out_of_bounds(const struct two_types_data *data, unsigned long index)
{
	struct text *t = report("array-index-out-of-bounds", &data->at,
				__builtin_return_address(0));

	if (!t)
		return;
	say(t, "index ");
	say_value(t, data->right, index);
	say(t, " is out of range for type ");
	say(t, data->left->name);
}

void __ubsan_handle_divrem_overflow(const struct type_data *data, unsigned long left,
				    unsigned long right);
void __ubsan_handle_divrem_overflow(const struct type_data *data, unsigned long left,
				    unsigned long right)
{
	int zero = !value_of(data->type, right);
	struct text *t = report(zero ? "division-by-zero" : "division-overflow", &data->at,
				__builtin_return_address(0));

	if (!t)
		return;
	say(t, "division of ");
	say_value(t, data->type, left);
	say(t, zero ? " by zero" : " by -1 does not fit into type ");
	say(t, zero ? "" : data->type->name);
}

static void misaligned(const struct mismatch_data *data, unsigned long pointer, void *pc)
{
	static const char *const what[] = { "load of", "store to", "reference to",
					    "member access within" };
	unsigned long alignment = 1ul << data->log_alignment, off = pointer & (alignment - 1);
	struct text *t = report(off ? "misaligned-access" : "object-size", &data->at, pc);

	if (!t)
		return;
	say(t, data->kind <= MEMBER_ACCESS ? what[data->kind] : "use of");
	say(t, " type ");
	say(t, data->type->name);
	if (!off) {
		say(t, " at an address with too little space");
		return;
	}
	say(t, ", which needs alignment to ");
	say_count(t, alignment, " byte");
	say(t, ", at an address ");
	say_count(t, off, " byte");
	say(t, " off");
}

/*
 * A null pointer is reported when memory is accessed through it, with this place:
 * `&p->member` alone is a number to the kernel, which has gcc keep null checks.
 */
void __ubsan_handle_type_mismatch_v1(const struct mismatch_data *data, unsigned long pointer);
void __ubsan_handle_type_mismatch_v1(const struct mismatch_data *data, unsigned long pointer)
{
	if (pointer)
		misaligned(data, pointer, __builtin_return_address(0));
	else
		state.null = &data->at;
}

/* In C gcc looks at _Bool only, never at an enum. */
void __ubsan_handle_load_invalid_value(const struct type_data *data, unsigned long value);
void __ubsan_handle_load_invalid_value(const struct type_data *data, unsigned long value)
{
	struct text *t = report("invalid-bool", &data->at, __builtin_return_address(0));

	if (!t)
		return;
	say(t, "load of value ");
	say_value(t, data->type, value);
	say(t, ", which type ");
	say(t, data->type->name);
	say(t, " does not have");
}

void __ubsan_handle_vla_bound_not_positive(const struct type_data *data, unsigned long bound);
void __ubsan_handle_vla_bound_not_positive(const struct type_data *data, unsigned long bound)
{
	struct text *t = report("vla-bound", &data->at, __builtin_return_address(0));

	if (!t)
		return;
	say(t, "variable-length array with a bound of ");
	say_value(t, data->type, bound);
}

void __ubsan_handle_invalid_builtin(const struct builtin_data *data);
void __ubsan_handle_invalid_builtin(const struct builtin_data *data)
{
	struct text *t = report("invalid-builtin", &data->at, __builtin_return_address(0));

	if (!t)
		return;
	say(t, data->kind ? "__builtin_clz()" : "__builtin_ctz()");
	say(t, " of zero");
}

void __ubsan_handle_nonnull_arg(const struct nonnull_data *data);
void __ubsan_handle_nonnull_arg(const struct nonnull_data *data)
{
	struct text *t = report("nonnull-argument", &data->at, __builtin_return_address(0));

	if (!t)
		return;
	say(t, "null pointer as argument ");
	say_number(t, (unsigned long)data->argument);
	say(t, ", which is declared never to be null");
}

void __ubsan_handle_nonnull_return_v1(const struct location *attribute,
				      const struct location *at);
void __ubsan_handle_nonnull_return_v1(const struct location *attribute, const struct location *at)
{
	struct text *t = report("nonnull-return", at, __builtin_return_address(0));

	(void)attribute;
	if (t)
		say(t, "null pointer from a function that is declared never to return one");
}

static void no_way_on(const char *kind, const char *words, const struct location *at, void *pc)
{
	struct text *t = report(kind, at, pc);

	if (t)
		say(t, words);
	stop();
}

void __ubsan_handle_builtin_unreachable(const struct location *at);
void __ubsan_handle_builtin_unreachable(const struct location *at)
{
	no_way_on("unreachable", "the code reached what is marked unreachable", at,
		  __builtin_return_address(0));
}

void __ubsan_handle_missing_return(const struct location *at);
void __ubsan_handle_missing_return(const struct location *at)
{
	no_way_on("missing-return", "a function with a value ended without one", at,
		  __builtin_return_address(0));
}

/* The engine's side. */

static void forbid_redzones(void)
{
	for (unsigned int m = 0; m < state.nmodules; m++)
		for (unsigned long i = 0; i < state.modules[m].n; i++) {
			const struct global *g = &state.modules[m].first[i];

			forbid(g->start, g->size_with_redzone, GLOBAL_REDZONE);
			permit(g->start, g->size);
		}
}

/* The image, by its own program headers; code may be run, not accessed. */
static void find_image(const Elf64_Phdr *header, unsigned int n)
{
	unsigned long base = (unsigned long)&__ehdr_start, end = 0;

	for (unsigned int i = 0; i < n; i++)
		if (header[i].p_type == PT_LOAD && header[i].p_vaddr + header[i].p_memsz > end)
			end = header[i].p_vaddr + header[i].p_memsz;
	state.image = (struct range){ base, (end + GRANULE - 1) & -GRANULE };
}

static void forbid_code(const Elf64_Phdr *header, unsigned int n)
{
	unsigned long base = (unsigned long)&__ehdr_start;

	for (unsigned int i = 0; i < n; i++)
		if (header[i].p_type == PT_LOAD && header[i].p_flags & PF_X)
			forbid(base + header[i].p_vaddr, header[i].p_memsz, INVALID);
}

static int open_shadow(int (*map)(void *at, unsigned long size))
{
	unsigned long base = (unsigned long)&__ehdr_start;
	const Elf64_Phdr *header = (const void *)(base + __ehdr_start.e_phoff);

	state.map = map;
	find_image(header, __ehdr_start.e_phnum);
	if (map_shadow(state.image))
		return -1;
	forbid_code(header, __ehdr_start.e_phnum);
	forbid((unsigned long)&state & -GRANULE, sizeof(state), INVALID);
	forbid_redzones();
	return 0;
}

static int add_stack(const void *low, unsigned long size)
{
	struct range range = { ((unsigned long)low + GRANULE - 1) & -GRANULE, size & -GRANULE };

	if (state.nstacks == MAX_STACKS || map_shadow(range))
		return -1;
	state.stacks[state.nstacks++] = range;
	return 0;
}

static int add_object(const void *start, unsigned long size, const char *name)
{
	unsigned long at = (unsigned long)start;

	if (state.nobjects == MAX_OBJECTS)
		return -1;
	state.objects[state.nobjects++] = (struct object){ at, size, name };
	if (within(&state.image, at, size))
		permit(at, size);
	return 0;
}

static void forbid_world(const void *start, unsigned long size)
{
	forbid((unsigned long)start & -GRANULE, size, INVALID);
}

/* Frames above this one are the engine's, which have no redzones. */
static void unwound(void)
{
	unsigned long here = (unsigned long)__builtin_frame_address(0);

	for (unsigned int i = 0; i < state.nstacks; i++) {
		const struct range *stack = &state.stacks[i];

		fill(stack->start, within(stack, here, 1) ? here : stack->start + stack->size, 0);
	}
}

static void mark(unsigned char *lines, const void *start, unsigned long n)
{
	state.lines = lines;
	state.marked = (struct range){ (unsigned long)start, n * LINE };
}

EXPORT const struct kc_sanitizer *kc_sanitizer(void);
EXPORT const struct kc_sanitizer *kc_sanitizer(void)
{
	static const struct kc_sanitizer sanitizer = {
		.open = open_shadow,
		.stack = add_stack,
		.valid = add_object,
		.invalid = forbid_world,
		.unwound = unwound,
		.mark = mark,
	};

	return &sanitizer;
}
