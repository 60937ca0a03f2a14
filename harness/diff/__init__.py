# SPDX-License-Identifier: GPL-2.0-only
"""Two revisions beside each other: what the one does otherwise than the other."""
