# SPDX-License-Identifier: GPL-2.0-only
"""Property tests are the same on every run, and never fail for a busy machine."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "kconform", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
settings.load_profile("kconform")
