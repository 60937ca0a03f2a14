/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine, compiled as one: its parts are files of their own for people, and one
 * for the compiler, which inlines across them what runs for each call.
 */
#define _GNU_SOURCE
#include "bare.c"
#include "census.c"
#include "explore.c"
#include "fiber.c"
#include "guard.c"
#include "interleave.c"
#include "judge.c"
#include "orders.c"
#include "run.c"
#include "sandbox.c"
#include "schedules.c"
#include "shadow.c"
#include "store.c"
#include "symmetry.c"
#include "trace.c"
#include "walk.c"
