# SPDX-License-Identifier: GPL-2.0-only
"""What is checked of a patch without running it: records, options, documents."""
