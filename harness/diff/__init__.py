# SPDX-License-Identifier: GPL-2.0-only
"""What one revision has other than another: its interface, as text says it."""
