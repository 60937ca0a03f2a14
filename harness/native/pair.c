/* SPDX-License-Identifier: GPL-2.0-only */
/* The engine for two revisions: all that one has, and what drives or counts two beside each other. */
#include "engine.c"
#include "cost.c"
#include "product.c"
