"""Shared fixtures: real data by environment variable, small grids, hypothesis profiles."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci", deadline=None, max_examples=20, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real grids, tracks and picks; tests that need it skip where it is not given."""
    folder = os.environ.get("MAGXR_TEST_DATA")
    if not folder:
        pytest.skip("MAGXR_TEST_DATA is not set: it names the folder of real data (see CONTRIBUTING.md)")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"MAGXR_TEST_DATA={folder} is not a folder")
    return path
