# SPDX-License-Identifier: GPL-2.0-only
"""Operations of a contract as threads: what runs together, every order of it, and what comes of that."""
