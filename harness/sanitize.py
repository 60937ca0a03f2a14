# SPDX-License-Identifier: GPL-2.0-only
"""placeholder until merge."""

from harness.build import Flavour

SANITIZED = Flavour("sanitized", ("-O1", "-DKC_GAP=64"))
