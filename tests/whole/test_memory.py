"""Steps 2 to 5 stream from store to store: what is in memory is a row of blocks, not the map."""

import os
import re
import subprocess
import sys
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.callbacks import Callback

import magxr
from magxr.kernels.diffusion import radius
from magxr.kernels.gaps import reach
from magxr.steps import dense_cells
from magxr.steps.dense import DenseModel

SIDE = 144
"""Cells along a chunk."""
GAP, TILE, SIGMA, RHO, STEPS = 4, 16, 0.5, 1, 4
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "memory.py"


class Held(Callback):
    """The most bytes that the results of tasks have held at a time, whole buffers where these are views."""

    def __init__(self):
        self.most = 0

    def _posttask(self, key, result, dsk, state, worker):
        buffers = {}
        for value in state["cache"].values():
            if isinstance(value, np.ndarray):
                while isinstance(value.base, np.ndarray):
                    value = value.base
                buffers[id(value)] = value.nbytes
        self.most = max(self.most, sum(buffers.values()))


def noisy(block_info=None):
    (r0, r1), (c0, c1) = block_info[None]["array-location"]
    y, x = np.mgrid[r0:r1, c0:c1]
    rng = np.random.default_rng([r0, c0])
    values = 100 * np.sin(x / 9 + y / 23) + rng.normal(0, 20, x.shape)
    values[rng.random(x.shape) < 0.01] = np.nan
    return values.astype("f4")


def blocks_held(rows, columns, target):
    """Run the steps on ``rows`` x ``columns`` chunks; return the most that was held, in chunks."""
    shape = rows * SIDE, columns * SIDE
    chunks = da.core.normalize_chunks(SIDE, shape)
    grid = xr.DataArray(
        da.map_blocks(noisy, chunks=chunks, dtype="f4", meta=np.empty((0, 0), "f4")),
        {"lat": 0.01 * np.arange(shape[0]), "lon": 0.01 * np.arange(shape[1])},
        ("lat", "lon"),
        "anomaly",
        {"units": "nT"},
    )
    clean = magxr.grid(magxr.remove_outliers(grid), max_gap=GAP)
    result = magxr.diffuse(magxr.denoise(clean, mode="tile", tile=TILE), sigma=SIGMA, rho=RHO, steps=STEPS)
    held = Held()
    with held, dask.config.set(scheduler="sync"):
        result.to_dataset().to_zarr(target, consolidated=False)
    return held.most / (4 * SIDE**2)


def test_a_longer_map_takes_no_more_memory_and_a_wider_one_a_wider_row(tmp_path):
    short, long = blocks_held(6, 6, tmp_path / "short"), blocks_held(18, 6, tmp_path / "long")
    assert long == short
    # A column of blocks more: of the source what lies south and north of the blocks to fill, and one whole
    # block and what lies south of the next for each step that looks at the blocks of the step before.
    source = 2 * reach(GAP) / SIDE
    filled, denoised = 1 + (TILE - 1) / SIDE, 1 + STEPS * radius(SIGMA, RHO) / SIDE
    wide, wider = blocks_held(6, 12, tmp_path / "wide"), blocks_held(6, 24, tmp_path / "wider")
    assert wider - wide <= 12 * (source + filled + denoised)


@pytest.mark.parametrize("sizes", [(1200, 2400)])
def test_peak_of_a_fresh_process_is_bounded_and_flat(sizes):
    done = subprocess.run(
        [sys.executable, BENCHMARK, "--chunk", "400", "--sizes", *map(str, sizes)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(BENCHMARK.parents[1])},
    )
    small, large = (float(peak) for peak in re.findall(r"peak ([\d.]+) GiB", done.stdout))
    assert large <= 0.5, done.stdout
    assert large <= 1.2 * small, done.stdout


@pytest.fixture
def idle_trunk(monkeypatch):
    """Cells of the right size and number, and no network."""

    def cells(part, channels):
        def run(trunk, given, tile):
            one = getattr(trunk.plan, part)
            size = [(n - one.given(1)) // one.stride + 1 for n in given.shape[:2]]
            return np.zeros((*size, trunk.channels[channels]), "f4")

        return run

    monkeypatch.setattr(dense_cells, "near_cells", cells("near", 0))
    monkeypatch.setattr(dense_cells, "far_cells", cells("far", 1))
    monkeypatch.setattr(dense_cells, "flat_cell", lambda trunk: np.zeros(trunk.channels[0], "f4"))
    monkeypatch.setattr(
        DenseModel, "answers", lambda model, cells, step, wanted: np.full(wanted.shape, 0.5, "f4")
    )


def dense_bytes_held(rows, columns):
    """Classify so many chunks of 1024 cells in one pass; return the most that was held, bytes / 1024^2."""
    shape = 1024 * rows, 1024 * columns
    grid = xr.DataArray(
        da.zeros(shape, chunks=1024, dtype="f4"),
        {"lat": 0.005 * np.arange(shape[0]), "lon": 0.005 * np.arange(shape[1])},
        ("lat", "lon"),
        "anomaly",
        {"units": "nT"},
    )
    answers = magxr.classify(grid, model="transfer", mode="dense", stride=8, check_spacing=False)
    held = Held()
    with held, dask.config.set(scheduler="sync"):
        answers["linear_probability"].compute()
    return held.most / 1024**2


def test_in_one_pass_a_longer_map_takes_no_more_memory_and_a_wider_one_a_wider_row(idle_trunk):
    short, long, wide = (dense_bytes_held(*chunks) for chunks in ((6, 3), (15, 3), (6, 6)))
    assert long <= 1.1 * short  # tiles are cut evenly, so that those of the longer map are a little longer
    # A column more: tiles of the first part from which one row of the second is made, twice as long and seen
    # by the halo on either side; of the second the row that windows begin in and the next; 48 bytes a pixel.
    near, far = 16 * 4, 32 * 2 * 2
    assert wide - short <= 3 * (near + far)
