# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees: their files, their preprocessor's view for one configuration, and what is in it."""
