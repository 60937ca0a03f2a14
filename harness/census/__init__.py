# SPDX-License-Identifier: GPL-2.0-only
"""The census of a kernel tree: how far the functions of its headers come here."""
