"""The progress line: chunks, windows a second, time left."""

import io
import time

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from magxr.runs.cluster import computing
from magxr.runs.config import configure
from magxr.runs.progress import Meter, watch


def four_chunks(seconds=0.0):
    def slow(block):
        time.sleep(seconds)
        return block

    values = da.ones((40, 40), chunks=20).map_blocks(slow, meta=np.empty((0, 0)))
    return xr.Dataset({"v": (("a", "b"), values)})


def test_counts_the_chunks_written(tmp_path):
    stream = io.StringIO()
    meter = Meter("classify", windows=400, stream=stream)
    with watch(meter):
        four_chunks(seconds=0.8).to_zarr(tmp_path / "a.zarr", consolidated=False)
    assert (meter.done, meter.chunks) == (4, 4)
    last = stream.getvalue().splitlines()[-1]
    assert "4/4 chunks" in last
    assert "windows/s" in last


def test_says_how_long_it_will_take():
    meter = Meter("diffuse", stream=io.StringIO())
    meter.update(0, 8)
    assert "--:-- left" in meter.line()
    meter.began -= 100
    meter.update(2, 8)
    assert "2/8 chunks" in meter.line()
    assert "5:00 left" in meter.line()
    assert "windows/s" not in meter.line()


def test_counts_on_a_distributed_scheduler(tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs magxr[distributed]")
    meter = Meter("classify", stream=io.StringIO())
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        computing(configure("demo", tmp_path / "out.zarr", cluster=cluster.scheduler_address)) as client,
        watch(meter, client),
    ):
        four_chunks(seconds=0.8).to_zarr(tmp_path / "a.zarr", consolidated=False)
    assert (meter.done, meter.chunks) == (4, 4)
