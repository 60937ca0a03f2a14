# SPDX-License-Identifier: GPL-2.0-only
"""What people and machines read of a result."""
