# SPDX-License-Identifier: GPL-2.0-only
"""Findings that run without kconform: as one C file, as a kernel's test, and in a kernel under qemu."""
