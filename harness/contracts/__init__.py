# SPDX-License-Identifier: GPL-2.0-only
"""The contracts that ship with kconform, one file each."""
