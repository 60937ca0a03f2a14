# SPDX-License-Identifier: GPL-2.0-only
"""Slice to subject to checks to report."""
