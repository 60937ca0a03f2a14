# SPDX-License-Identifier: GPL-2.0-only
"""Mail to patch to items to slice: text in, data out; nothing is compiled or run here."""
