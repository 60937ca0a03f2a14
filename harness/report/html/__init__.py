# SPDX-License-Identifier: GPL-2.0-only
"""Reports as one self-contained page each: nothing is loaded, nothing is run, all text is a stranger's."""
