"""The studies of the vote: counts made by hand, one reading, the same as `calibrate` one by one."""

import itertools

import dask.array
import numpy as np
import pytest
import xarray as xr

from magxr import calibrate, percent_linear
from magxr.errors import GridError, ParameterError
from magxr.studies import cutoffs, neighbours
from magxr.testing import nothing_computes


def predictions(values, lat=0.0, step=1.0, lon=0.0):
    values = np.asarray(values, dtype=np.float32)
    coords = {
        "lat": ("lat", lat + step * np.arange(values.shape[0]), {"units": "degrees_north"}),
        "lon": ("lon", lon + step * np.arange(values.shape[1]), {"units": "degrees_east"}),
    }
    attrs = {"registration": "pixel", "model": "default", "stride": 10}
    return xr.DataArray(values, coords=coords, name="linear_probability", attrs=attrs)


@pytest.fixture
def noisy():
    rng = np.random.default_rng(3)
    p = rng.random((30, 40)).astype("f4").round(2)  # so that some are exactly 0.3, 0.5 or 0.7
    p[rng.random(p.shape) < 0.1] = np.nan
    return predictions(p, lat=-40.0, step=0.12, lon=-110.0)


BY_HAND = [
    [0.9, 0.9, 0.1, 0.1],
    [0.9, 0.4, 0.1, 0.6],
    [0.9, 0.9, 0.1, np.nan],
]


def test_by_hand():
    """The 0.4 has five of nine answers above 0.5, the 0.6 four of five below."""
    found = neighbours(predictions(BY_HAND), neighbours=(1, 3))
    table = found.table
    np.testing.assert_array_equal(found.maps.sel(neighbours=1), [[1, 1, 0, 0], [1, 0, 0, 1], [1, 1, 0, -1]])
    np.testing.assert_array_equal(found.maps.sel(neighbours=3), [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, -1]])
    assert found.maps.dtype == np.int8
    np.testing.assert_allclose(table.percent_linear_cells, [100 * 6 / 11, 100 * 6 / 11])
    assert table.changed_cells.values.tolist() == [0, 2]
    assert table.settled_cells.values.tolist() == [2, 2]
    assert table.uncertain_share.values.tolist() == [0, 0]
    assert table.linear_patches.values.tolist() == [2, 1]
    assert table.nonlinear_patches.values.tolist() == [1, 1]
    weight = np.cos(np.radians([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(
        table.percent_linear_area[1], 100 * 2 * weight.sum() / (4 * weight[0] + 4 * weight[1] + 3 * weight[2])
    )
    cell = 2 * 6371.0087714**2 * np.sin(np.radians(0.5)) * np.radians(1.0)
    np.testing.assert_allclose(table.largest_linear_patch[1], 2 * weight.sum() * cell, rtol=1e-4)
    assert table.attrs["answered_cells"] == 11
    assert table.attrs["varying_share"] == 2 / 11
    assert table.attrs["model"] == "default"


def test_a_wider_band_leaves_more_uncertain_and_equal_ends_nothing():
    p = predictions(BY_HAND)
    table = cutoffs(
        p, neighbours=3, keep=[(0.5, 0.5), (0.3, 0.7), (0, 1)], majority=[0.5, 0.8], cut=[0.5]
    ).table
    of = table.sel(cut=0.5)
    # At 80 % nobody decides on the 0.4; on the 0.6 four of its five answers, itself among them, do.
    assert of.uncertain_share.sel(majority=0.8).values[:2].tolist() == [0, 1 / 11]
    assert of.changed_cells.sel(majority=0.8).values[:2].tolist() == [0, 1]
    assert of.changed_cells.sel(majority=0.5).values[:2].tolist() == [0, 2]
    assert of.keep_low.values.tolist() == [0.5, 0.3, 0]
    assert table.attrs["keep"] == "0.3-0.7"


def test_neighbours_are_those_of_calibrate(noisy):
    found = neighbours(noisy, majority=0.6, to="extreme", ties="linear")
    assert found.table.neighbours.values.tolist() == [1, 3, 5, 11, 17, 21, 25]
    for n in found.table.neighbours.values:
        want = calibrate(noisy, neighbours=int(n), majority=0.6, to="extreme", ties="linear")
        np.testing.assert_array_equal(found.maps.sel(neighbours=n), want.linear)
        for weights in ("cells", "area"):
            share = found.table[f"percent_linear_{weights}"].sel(neighbours=n)
            np.testing.assert_array_equal(share, percent_linear(want, weights=weights))
    raw = calibrate(noisy, keep=(0.5, 0.5), neighbours=1).linear
    changed = [(found.maps.sel(neighbours=n) != raw).sum() for n in found.table.neighbours]
    np.testing.assert_array_equal(found.table.changed_cells, changed)


def test_every_cutoff_is_that_of_calibrate(noisy):
    keep, majority, cut = [(0.3, 0.7), (0.1, 0.6), (0.0, 1.0)], [0.5, 0.55], [0.4, 0.5]
    where = noisy.copy(data=(noisy.lat > -38).values[:, None] & np.ones(noisy.shape, bool))
    rest = {
        "neighbours": 5,
        "ties": "nonlinear",
        "where": where,
        "barrier": (noisy.lon > -108) & (noisy.lat < 0),
    }
    found = cutoffs(noisy, keep=keep, majority=majority, cut=cut, **rest).table
    for n, m, c in itertools.product(range(3), majority, cut):
        want = calibrate(noisy, keep=keep[n], majority=m, cut=c, **rest)
        here = found.isel(keep=n).sel(majority=m, cut=c)
        for weights in ("cells", "area"):
            np.testing.assert_array_equal(
                here[f"percent_linear_{weights}"], percent_linear(want, weights=weights)
            )
        q = want.calibrated_probability
        still = ((q >= np.float32(keep[n][0])) & (q <= np.float32(keep[n][1])) & (q > 0) & (q < 1)).sum()
        np.testing.assert_array_equal(here.uncertain_share, still / noisy.notnull().sum())
        changed = (want.linear == 1) != (noisy > np.float32(c))
        np.testing.assert_array_equal(here.changed_cells, changed.sum())


class Counted:
    """An array that counts how often its cells are read."""

    def __init__(self, values):
        self.values, self.read = values, 0
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __getitem__(self, key):
        part = self.values[key]
        self.read += part.size
        return part


@pytest.mark.parametrize(
    "study",
    [neighbours, lambda p, **k: cutoffs(p, majority=[0.5, 0.6], cut=[0.4, 0.5], **k)],
)
def test_one_reading_whatever_the_chunks(noisy, study):
    source = Counted(noisy.values)
    lazy = noisy.copy(data=dask.array.from_array(source, chunks=(7, 11), meta=np.empty((0, 0), "f4")))
    source.read = 0
    chunked, whole = study(lazy), study(noisy)
    assert source.read == noisy.size
    xr.testing.assert_identical(chunked.table, whole.table)


@pytest.mark.parametrize("layout", ["flipped", "transposed"])
def test_direction_does_not_matter(noisy, layout):
    turned = noisy[::-1] if layout == "flipped" else noisy.T
    xr.testing.assert_identical(neighbours(turned).table, neighbours(noisy).table)


def test_patches_meet_across_the_seam_of_the_globe():
    p = np.full((4, 36), 0.1, "f4")
    p[1, :2] = p[1, -2:] = 0.9
    globe = predictions(p, lat=-15.0, step=10.0)
    assert neighbours(globe, neighbours=(1,)).table.linear_patches.item() == 1
    part = globe.isel(lon=slice(0, 35))
    assert neighbours(part, neighbours=(1,)).table.linear_patches.item() == 2


def test_no_answer_at_all():
    p = predictions(np.full((5, 6), np.nan))
    assert neighbours(p).to_text() == cutoffs(p).to_text() == "no prediction has an answer"
    assert np.isnan(neighbours(p).table.percent_linear_cells).all()


@pytest.mark.parametrize(
    ("study", "given", "error", "message"),
    [
        (neighbours, {"neighbours": (3, 4)}, ParameterError, r"neighbours is 4; .* odd"),
        (neighbours, {"neighbours": ()}, ParameterError, r"must list at least one value"),
        (neighbours, {"neighbours": (3, 3)}, ParameterError, r"none twice"),
        (neighbours, {"neighbours": 3}, ParameterError, r"neighbours=3 must list"),
        (neighbours, {"majority": 0}, ParameterError, r"majority is 0"),
        (neighbours, {"variable": "x"}, GridError, r"no variable 'x'"),
        (cutoffs, {"cut": (0.5, 2.0)}, ParameterError, r"cut is 2.0"),
        (cutoffs, {"keep": (0.3, 0.7)}, ParameterError, r"keep holds 0.3; it must list pairs"),
        (cutoffs, {"keep": [(0.7, 0.3)]}, ParameterError, r"keep is \(0.7, 0.3\)"),
        (cutoffs, {"majority": [0.5, 0.5]}, ParameterError, r"none twice"),
        (cutoffs, {"neighbours": 2}, ParameterError, r"neighbours is 2"),
    ],
)
def test_refused_before_anything_is_read(noisy, study, given, error, message):
    with nothing_computes(), pytest.raises(error, match=message):
        study(noisy.chunk(10).to_dataset(), **given)
