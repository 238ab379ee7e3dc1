"""Window sizes: the same places at every size, cells of the right ground, intervals and stability by hand."""

import dask.array
import numpy as np
import pytest
import xarray as xr

from magxr import classify, wavelength
from magxr.errors import GridError, ModelError, ParameterError
from magxr.models.evaluate import wilson
from magxr.studies import window_sizes
from magxr.studies.centres import trained_for
from magxr.studies.respaced import respaced
from magxr.studies.stable import share_linear, stable_from
from magxr.testing import nothing_computes, wavy_sea_floor


class Mean:
    """Answers with the mean of a window."""

    window, batch, spacing = 20, 8, (1.0, 2.0)

    def predict(self, windows):
        return np.nanmean(windows, axis=(1, 2), dtype="f8").astype("f4")


def slope(shape=(120, 150), step=0.02, south=-1.2, west=10.0):
    """Return a map that rises by 0.1 a degree northward and 0.01 eastward, 0.5 at latitude 0."""
    lat, lon = south + step * (np.arange(shape[0]) + 0.5), west + step * (np.arange(shape[1]) + 0.5)
    values = (0.5 + 0.1 * lat[:, None] + 0.01 * (lon - 11.5)).astype("f4")
    attrs = {"units": "nT", "registration": "pixel"}
    return xr.DataArray(values, coords={"lat": lat, "lon": lon}, name="anomaly", attrs=attrs)


def test_the_same_places_at_every_size():
    found = window_sizes(slope(), sizes=(0.2, 0.4, 0.5, 1.1), model=Mean(), stride=0.3)
    at = found.answers
    truth = 0.5 + 0.1 * at.latitude + 0.01 * (at.longitude - 11.5)
    for size in at["size"].values:
        off = abs(at.probability.sel(size=size) - truth).max()
        assert off <= 0.5 * size / 20 * 0.11 + 1e-6, size  # half a cell north and half a cell east
    assert at.latitude.size == 4  # 2.4 - 1.1 - 4 x 0.055 degrees leave room for 3 steps of 0.3
    np.testing.assert_allclose(at.latitude.mean(), 0.0, atol=1e-9)
    np.testing.assert_allclose(found.table.spacing, [0.6, 1.2, 1.5, 3.3])
    assert found.table.trained.values.tolist() == [False, True, True, False]
    # half of the places lie north of the equator
    np.testing.assert_array_equal(found.table.percent_linear, 50.0)
    assert found.table.attrs["stable_size"] == 0.4


@pytest.mark.parametrize("turn", ["as it is", "flipped", "transposed", "chunked"])
def test_the_maps_own_cells_give_what_classify_gives(turn):
    da = wavy_sea_floor((100, 120))
    da = da.where((da.lat < -39.0) | (da.lat > -38.6) | (da.lon < -109.5) | (da.lon > -109.0))
    given = {
        "as it is": da, "flipped": da[::-1], "transposed": da.T, "chunked": da.chunk({"lat": 47, "lon": 60}),
    }[turn]  # fmt: skip
    # 0.4 degrees are 20 cells of 0.02; windows at multiples of 10 cells have their middles 0.2 degrees apart
    found = window_sizes(given, sizes=(0.4, 0.6), model=Mean(), stride=0.2, max_missing=0.1).answers.sel(
        size=0.4
    )
    want = classify(da, model=Mean(), stride=10, max_missing=0.1, check_spacing=False)
    want = want.sel(lat=found.latitude, lon=found.longitude, method="nearest", tolerance=1e-6)
    np.testing.assert_array_equal(found.probability, want.linear_probability)
    np.testing.assert_array_equal(found.missing_share, want.missing_share)
    assert 0 < found.probability.isnull().sum() < found.probability.size


def test_wavelengths_are_those_of_the_step():
    class Wide(Mean):
        window = 64

    da = wavy_sea_floor((160, 160), spacing=0.02)
    found = window_sizes(da, sizes=(0.64, 1.28), model=Wide(), stride=0.32).answers
    want = wavelength(da, size=64, stride=8)
    want = want.sel(lat=found.latitude, lon=found.longitude, method="nearest", tolerance=1e-6)
    assert found.wavelength.notnull().all()
    np.testing.assert_array_equal(found.wavelength, want.wavelength)


def test_only_places_answered_at_all_sizes_are_compared():
    da = slope()
    da = da.where((da.lon < 11.2) | (da.lon > 11.3) | (da.lat < 0.3) | (da.lat > 0.4))
    found = window_sizes(da, sizes=(0.2, 0.6), model=Mean(), stride=0.1, max_missing=0.1)
    known = found.answers.probability.notnull()
    none = 1 - known.mean(["latitude", "longitude"])
    np.testing.assert_allclose(found.table.no_answer_share, none)
    assert none[0] > 0
    assert none[1] == 0  # 25 of 900 cells are no tenth of the larger window
    both = known.all("size")
    assert found.table.attrs["compared"] == both.sum() < found.table.attrs["places"]
    for size in (0.2, 0.6):
        p = found.answers.probability.sel(size=size).where(both)
        np.testing.assert_allclose(
            found.table.percent_linear.sel(size=size), 100 * (p > 0.5).sum() / both.sum()
        )


def test_each_size_counts_its_own_answers():
    da = slope()
    noise = np.random.default_rng(0).normal(0.5, 0.2, da.shape).astype("f4")
    found = window_sizes(da.copy(data=noise), sizes=(0.2, 0.4, 0.6), model=Mean(), stride=0.1)
    want = 100 * (found.answers.probability > 0.5).mean(["latitude", "longitude"])
    assert len(set(want.values.tolist())) == 3
    np.testing.assert_allclose(found.table.percent_linear, want)
    assert (found.table.low < want).all()
    assert (want < found.table.high).all()


def test_nothing_answered_is_said():
    hole = slope().where(slope().lat > 1.0)
    found = window_sizes(hole, sizes=(0.2, 0.4), model=Mean(), stride=0.4)
    assert "0 of " in found.to_text()
    assert "give fewer sizes" in found.to_text()
    assert np.isnan(found.table.attrs["stable_size"])
    assert "none stays within 5 points" in found.to_text()
    assert "none is suggested" in found.to_text()


def test_the_text_says_what_the_table_holds():
    found = window_sizes(slope(south=-1.35), sizes=(0.2, 0.4, 0.5), model=Mean(), stride=0.3, tolerance=0)
    text = found.to_text()
    assert "0.2 degrees (0.6 arcmin): linear 42.9 %" in text  # three of seven rows
    assert text.splitlines()[1].endswith("outside of what the model was trained for")
    assert text.splitlines()[2].endswith("no answer 0.0 %")
    assert "smallest stable window: 0.4 degrees, within 0 points of all larger windows" in text


def test_sizes_by_default_are_at_most_half_the_map():
    class Coarse(Mean):
        window = 4

    found = window_sizes(slope((120, 150), step=0.05, south=-3.0), model=Coarse(), stride=1.0)
    assert found.table["size"].values.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]


def test_finer_cells_are_splines_and_coarser_ones_means():
    da = slope()
    same = respaced(da, 0.02)
    np.testing.assert_array_equal(same.values.compute(), da)
    finer = respaced(da, 0.008)
    lat, lon = finer.grid.latitude, finer.grid.longitude
    inside = (slice(40, -40), slice(40, -40))
    plane = 0.5 + 0.1 * lat[:, None] + 0.01 * (lon - 11.5)
    np.testing.assert_allclose(finer.values.compute()[inside], plane[inside], atol=1e-6)
    coarse = respaced(wavy_sea_floor((96, 120)), 0.06)
    boxes = wavy_sea_floor((96, 120)).values.reshape(32, 3, 40, 3).mean(axis=(1, 3), dtype="f8")
    np.testing.assert_allclose(coarse.values.compute(), boxes, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(coarse.grid.origin, [-40.0 + 0.03, -110.0 + 0.03])
    np.testing.assert_allclose(coarse.grid.spacing, 0.06)


def test_what_cells_of_another_size_cannot_show_does_not_alias():
    da = slope()
    da = da.copy(data=(-1.0) ** np.arange(150) * np.ones((120, 1), "f4")).astype("f4")
    found = respaced(da, 0.05).values.compute()
    # every third cell alone would give a wave of full height; here a cell of 2.5 keeps about a fifth
    assert np.abs(found[5:-5, 5:-5]).max() < 0.35


def test_a_coarse_cell_is_lost_where_more_than_half_of_it_is():
    da = slope()
    values = da.values.copy()
    values[:2, 3:6] = np.nan  # two thirds of the second box of three, missing
    flags = np.zeros(da.shape, np.int8)
    flags[3:5, :3] = 1  # two thirds of a box, interpolated
    flags[6, :3] = 1  # one third
    given = da.copy(data=values).assign_coords(filled=(da.dims, flags))
    found = respaced(given, 0.06)
    lost = found.lost.compute()
    assert np.argwhere(lost).tolist() == [[0, 1], [1, 0]]
    gone = np.isnan(found.values.compute())
    assert np.argwhere(gone).tolist() == [[0, 1]]


@pytest.mark.parametrize(("size", "cells"), [(0.05, 0.06), (0.02, 0.02), (0.013, 0.013)])
def test_chunks_do_not_matter(size, cells):
    da = wavy_sea_floor((200, 220))
    one, other = (respaced(d, size) for d in (da, da.chunk({"lat": 47, "lon": 61})))
    np.testing.assert_array_equal(one.values.compute(), other.values.compute())
    np.testing.assert_array_equal(one.lost.compute(), other.lost.compute())
    assert one.grid == other.grid


def test_the_ends_of_what_a_model_was_trained_for_belong_to_it():
    inside = [60 * size / 20 for size in (1 / 3, 0.5, 2 / 3)]
    assert [trained_for(Mean(), s) for s in (*inside, 0.99, 2.01)] == [True, True, True, False, False]
    silent = type("Silent", (), {"window": 20, "batch": 8, "predict": None})()
    assert trained_for(silent, 9.0)


def test_chunks_of_much_finer_cells_have_room_for_the_splines():
    found = respaced(slope((100, 110)), 0.0004)
    assert found.grid.shape == (5000, 5500)
    assert max(found.values.chunks[0]) > 42 * 50
    assert np.isfinite(found.values[:10, :10].compute()).all()


def test_an_interval_redraws_blocks():
    linear = np.zeros((4, 4), bool)
    linear[:2, :2] = True
    every = np.ones((4, 4), bool)
    assert share_linear(linear, every, 4) == (25.0, 0.0, 100.0)  # one block: nothing is known
    percent, low, high = share_linear(linear, every, 2)
    assert percent == 25.0
    # of four blocks with one linear, none is drawn in 0.75^4 = 32 %, three or more in 5 %, all in 0.4 %
    assert (low, high) == (0.0, 75.0)
    assert share_linear(linear, every, 1)[2] < high
    assert share_linear(linear, np.zeros((4, 4), bool), 1)[1:] == (0.0, 100.0)
    assert np.isnan(share_linear(linear, np.zeros((4, 4), bool), 1)[0])
    np.testing.assert_allclose(share_linear(every, every, 2), [100, *(100 * w for w in wilson(4, 4))])
    np.testing.assert_allclose(share_linear(~every, every, 2), [0, *(100 * w for w in wilson(0, 4))])
    only = np.zeros((4, 4), bool)
    only[0] = True
    assert share_linear(linear, only, 4)[0] == 50.0


@pytest.mark.parametrize(
    ("percent", "trusted", "stable"),
    [
        ([10, 40, 72, 70, 74], [1, 1, 1, 1, 1], 3.0),
        ([70, 40, 72, 70, 74], [1, 1, 1, 1, 1], 3.0),
        ([10, 40, 72, 70, 90], [1, 1, 1, 1, 1], np.nan),
        ([10, 40, 72, 70, 90], [1, 1, 1, 1, 0], 3.0),
        ([10, 12, 14, 16, 18], [1, 1, 1, 1, 1], 3.0),
        ([72, 72, 72, 72, 72], [0, 0, 0, 0, 1], np.nan),
        ([72, 72, np.nan, 70, 71], [0, 1, 1, 1, 1], 2.0),
        ([72, 67, 72, 72, 72], [1, 1, 1, 1, 1], 1.0),
    ],
)
def test_stable_from(percent, trusted, stable):
    found = stable_from(np.arange(1.0, 6.0), np.array(percent, float), np.array(trusted, bool), 5.0)
    np.testing.assert_equal(found, stable)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"sizes": (0.2,)}, ParameterError, r"sizes=\(0.2,\) leave 1 to compare"),
        ({"sizes": (0.2, -1)}, ParameterError, r"a size=-1 must be a number greater than 0"),
        ({"sizes": (0.2, 0.2)}, ParameterError, r"none twice"),
        (
            {"sizes": (0.2, 2.3)},
            GridError,
            r"2.3 degrees does not fit .* shorter side has 2.4; use sizes up to 2",
        ),
        ({"sizes": None, "map": slope((40, 40))}, ParameterError, r"sizes=None leave 0"),
        ({"stride": 0}, ParameterError, r"stride=0"),
        ({"tolerance": -1}, ParameterError, r"tolerance=-1"),
        ({"waves": 0}, ParameterError, r"waves=0"),
        ({"max_missing": 2}, ParameterError, r"max_missing is 2"),
        ({"model": "none such"}, ModelError, r"none such"),
        ({"sizes": (0.001, 0.2)}, ParameterError, r"at most 100 are allowed"),
        ({"map": slope((40, 360), step=1.0, south=-20, west=0.0)}, GridError, r"goes round the globe"),
    ],
)
def test_refused_before_any_work(given, error, message):
    given = {"sizes": (0.2, 0.4), "model": Mean(), **given}
    da = given.pop("map", slope())
    lazy = da.copy(data=dask.array.from_array(da.values, chunks=60))
    with nothing_computes(), pytest.raises(error, match=message):
        window_sizes(lazy, **given)
