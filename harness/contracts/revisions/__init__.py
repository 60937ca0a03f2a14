# SPDX-License-Identifier: GPL-2.0-only
"""Contracts of the folder above for revisions that do otherwise, under the same names."""
