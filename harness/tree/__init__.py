# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees and their commits: where the files come from that a patch is applied to."""
