/* SPDX-License-Identifier: GPL-2.0-only */
/* inert: the slices use none of the generated bounds */
