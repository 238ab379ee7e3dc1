"""Shared fixtures: real data by environment variable, small grids, hypothesis profiles."""

import gc
import os
import sys
import uuid
from pathlib import Path

import psutil
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


@pytest.fixture(scope="module", autouse=True)
def forgotten_networks():
    """Forget networks after a module once they take gigabytes: a process keeps every one that it ran."""
    yield
    worker = sys.modules.get("magxr.models.worker")
    if worker is None or psutil.Process().memory_info().rss < 3 * 2**30:
        return
    for module in (worker, sys.modules.get("magxr.models.dense")):
        if module is not None:
            module._networks.clear()
    worker._models.clear()
    if keras := sys.modules.get("keras"):
        keras.utils.clear_session()
    gc.collect()


@pytest.fixture(scope="session")
def s3_server():
    """Port of an S3 server on this machine."""
    for package in ("s3fs", "upath", "moto", "flask"):
        pytest.importorskip(package, reason=f"tests of object stores need {package}: magxr[cloud,test]")
    from tests.s3server import serving

    with serving() as port:
        yield port


@pytest.fixture
def s3(s3_server, monkeypatch):
    """URL of an empty bucket; its key, which may be logged nowhere, is in the environment."""
    from tests.s3server import environment, forget_clients

    for name, value in environment(s3_server).items():
        monkeypatch.setenv(name, value)
    forget_clients()
    import s3fs

    bucket = f"magxr-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}"
    forget_clients()
