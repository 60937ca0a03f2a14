# SPDX-License-Identifier: GPL-2.0-only
"""A patch in every configuration of its own options."""
