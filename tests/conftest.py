# SPDX-License-Identifier: GPL-2.0-only
"""Property tests are the same on every run, and never fail for a busy machine."""

import os
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings

from tests import compiled_once

settings.register_profile(
    "kconform", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
settings.load_profile("kconform")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[compiled_once.FOLDER] = tempfile.mkdtemp(prefix="kconform-tests-")
    compiled_once.install()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(compiled_once.FOLDER), ignore_errors=True)
