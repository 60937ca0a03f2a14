# SPDX-License-Identifier: GPL-2.0-only
"""Contracts for functions that no contract covers, made of signatures and the fields that are touched."""
