"""How many threads the network takes."""

import os

import pytest

from magxr.errors import ParameterError
from magxr.models import engine


def test_threads_as_asked(monkeypatch):
    monkeypatch.setenv("MAGXR_THREADS", "3")
    assert engine.threads() == 3
    monkeypatch.setenv("MAGXR_THREADS", "many")
    with pytest.raises(ParameterError, match="MAGXR_THREADS='many'"):
        engine.threads()


def test_threads_as_many_as_cores_without_a_worker(monkeypatch):
    monkeypatch.delenv("MAGXR_THREADS", raising=False)
    assert 1 <= engine.threads() <= (os.cpu_count() or 1)


def test_threads_as_many_as_the_dask_worker_has(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra 'distributed' is not installed")
    monkeypatch.delenv("MAGXR_THREADS", raising=False)
    with distributed.Client(
        n_workers=1, threads_per_worker=5, processes=False, dashboard_address=None
    ) as client:
        assert client.submit(engine.threads).result() == 5
