"""Lazy sea floor: nothing computes early, and chunks change no bit."""

import dask
import numpy as np
import pytest
import xarray as xr

from magxr.geogrid import find_variable
from magxr.synthetic import seafloor
from magxr.synthetic.plane import Plane
from magxr.synthetic.scenes import from_world
from magxr.synthetic.seafloor import demo_region, demo_world, lazily, sea_floor
from magxr.testing import nothing_computes, random_chunks

SHAPE = (300, 340)


@pytest.fixture(scope="module", autouse=True)
def small_tiles():
    """Several tiles in a small map."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seafloor, "TILE", 128)
        yield


@pytest.fixture(scope="module")
def reference():
    return sea_floor(9, SHAPE, origin=(30.0, 150.0), tracks="mixed").compute(scheduler="sync")


def test_building_computes_nothing():
    with nothing_computes():
        huge = sea_floor(1, (10000, 10000), chunks=2500)
        demo_region()
    assert huge.anomaly.chunks == ((2500,) * 4,) * 2
    assert huge.anomaly.dtype == np.float32
    assert huge.linear.dtype == np.int8


@pytest.mark.parametrize("seed", range(4))
def test_chunks_change_no_bit(reference, seed):
    chunks = random_chunks(SHAPE, 20, seed)
    ds = sea_floor(9, SHAPE, chunks, origin=(30.0, 150.0), tracks="mixed")
    assert ds.anomaly.chunks == chunks
    with dask.config.set(scheduler="threads", num_workers=2):
        xr.testing.assert_identical(ds.compute(), reference)


def test_a_part_computed_alone_is_the_same(reference):
    window = {"lat": slice(100, 190), "lon": slice(220, 333)}
    ds = sea_floor(9, SHAPE, (77, 91), origin=(30.0, 150.0), tracks="mixed")
    np.testing.assert_array_equal(ds.anomaly.isel(window).compute(), reference.anomaly.isel(window))


@pytest.mark.parametrize("tracks", ["full", "sparse"])
def test_tiles_leave_no_seam(tracks):
    """Tile by tile and in one piece agree to float32 rounding."""
    shape = (200, 150)
    lazy = sea_floor(21, shape, origin=(-40.0, 10.0), tracks=tracks, spikes=0.0).compute(scheduler="sync")
    plane = Plane(shape, (-40.0, 10.0), 0.012)
    whole = from_world(seafloor.draw.world(21, plane, kind="mixed", holes=True, tracks=tracks, spikes=0.0))
    for name in ("anomaly", "clean"):
        np.testing.assert_allclose(lazy[name].values, whole[name].values, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(lazy.tracked, whole.tracked)
    np.testing.assert_array_equal(lazy.linear, whole.linear)
    np.testing.assert_allclose(lazy.strike, whole.strike, atol=1e-4)


def test_each_tile_is_rendered_once(monkeypatch):
    seen = []
    drawn = seafloor._tile
    monkeypatch.setattr(
        seafloor, "_tile", lambda world, block_id: seen.append(block_id) or drawn(world, block_id)
    )
    ds = sea_floor(9, SHAPE, 100)
    dask.compute(ds.anomaly, ds.linear, ds.clean, scheduler="sync")
    assert sorted(seen) == [(0, i, j) for i in range(3) for j in range(3)]


def test_truth_agrees_with_the_construction():
    """In the demo: stripes outside the plateau and the seamounts, none inside, and the ridge's strike."""
    plane = Plane((300, 300), (-40.0, -118.0), 0.036)
    world = demo_world(plane)
    ds = lazily(world).compute(scheduler="sync")
    for province in world.provinces:
        east, north = province.outline.centre
        cell = int(north / plane.cell[0]), int(east / plane.cell[1])
        assert ds.linear.values[cell] == 0
        assert np.isnan(ds.strike.values[cell])
    ridge = world.plates[0].ridge
    row, col = 150, int(ridge.point[0] / plane.cell[1])
    assert ds.linear.values[row, col] == 1
    east, north = plane.easting((col, col + 1)), plane.northing((row, row + 1))
    assert ds.strike.values[row, col] == pytest.approx(ridge.strikes(east, north)[0], abs=1e-4)
    assert abs(float(np.nanmedian(ds.strike)) - ridge.strike) < 5.0
    assert 0.7 < float(ds.linear.mean()) < 0.95


def test_demo_region_has_gaps_spikes_and_one_anomaly():
    ds = demo_region((200, 220), chunks=100)
    assert find_variable(ds) == "anomaly"
    assert ds.anomaly.chunks == ((100, 100), (100, 100, 20))
    values = ds.anomaly.compute(scheduler="sync")
    assert 0.002 < float(values.isnull().mean()) < 0.05
    assert set(demo_region((50, 50), truth=False).data_vars) == {"anomaly"}
    np.testing.assert_array_equal(
        values, demo_region((200, 220), chunks=64).anomaly.compute(scheduler="sync")
    )


def test_demo_region_has_spikes():
    values = demo_region((700, 300), chunks=None).anomaly.compute(scheduler="sync")
    assert float(abs(values).max()) > 1e3
