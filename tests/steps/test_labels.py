"""Labels of windows: the 70 % rule from zones, masks and tables."""

import numpy as np
import pytest
import shapely
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import GridError, MagxrError, ParameterError
from magxr.io.labels import read_labels, write_labels
from magxr.steps.labels import label_windows
from magxr.steps.windows import windows
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor

# The map runs from 40 S and 110 W, 0.02 degrees a cell.
MAP = wavy_sea_floor((40, 60))
CUT = windows(MAP, size=10, stride=5)


def east_of(column, edge=100):
    """Zone of all cells from a column on."""
    return shapely.box(-110 + 0.02 * column, -41, -110 + 0.02 * edge, -38)


def slowly(truth, cut, size=10, threshold=0.7):
    found = []
    for r, c in zip(cut.start_row.values, cut.start_column.values, strict=True):
        part = truth[r : r + size, c : c + size]
        linear, nonlinear = (part == 1).sum() / part.size, (part == 0).sum() / part.size
        found.append(1 if linear >= threshold else 0 if nonlinear >= threshold else -1)
    return np.array(found)


def test_zones_and_the_seventy_percent_rule():
    labels = label_windows(
        CUT, polygons={"linear": east_of(23), "nonlinear": shapely.box(-111, -41, -109.54, -38)}
    )
    truth = np.where(np.arange(60) >= 23, 1, 0)[None].repeat(40, 0)
    np.testing.assert_array_equal(labels.label, slowly(truth, CUT))
    # Windows at column 20 hold 7 of 10 linear columns (just enough); at column 15, 2 of 10.
    at = {int(c): int(v) for c, v in zip(CUT.start_column, labels.label, strict=True)}
    assert (at[10], at[15], at[20], at[25]) == (0, 0, 1, 1)
    percent = labels.linear_percent.where(CUT.start_column == 20, drop=True)
    np.testing.assert_array_equal(percent, 70.0)
    stricter = label_windows(CUT, polygons={"linear": east_of(23)}, elsewhere=0, threshold=0.71)
    at = {int(c): int(v) for c, v in zip(CUT.start_column, stricter.label, strict=True)}
    assert (at[15], at[20]) == (0, -1)
    assert labels.label.dtype == np.int8


def test_cells_outside_zones_count_towards_neither():
    labels = label_windows(CUT, polygons={"linear": east_of(23, 27)})
    assert set(labels.label.values) == {-1}
    assert labels.linear_percent.max() == 40.0
    assert labels.nonlinear_percent.max() == 0.0
    beside = label_windows(CUT, polygons={"linear": east_of(23, 27)}, elsewhere=0)
    np.testing.assert_array_equal(beside.linear_percent + beside.nonlinear_percent, 100.0)


def test_zones_from_geojson_say_what_they_are():
    def feature(zone, label):
        return {"type": "Feature", "properties": {"label": label}, "geometry": zone.__geo_interface__}

    features = [feature(east_of(30), "linear"), feature(east_of(0, 30), 0)]
    labels = label_windows(CUT, polygons={"type": "FeatureCollection", "features": features}, labeller="me")
    np.testing.assert_array_equal(
        labels.label, slowly(np.where(np.arange(60) >= 30, 1, 0)[None].repeat(40, 0), CUT)
    )
    assert set(labels.labeller.values) == {"me"}


@given(seed=st.integers(0, 1000), edges=st.sampled_from(["shift", "pad"]))
def test_masks_in_chunks(seed, edges):
    rng = np.random.default_rng(seed)
    truth = rng.choice([1, 0, -1], p=[0.7, 0.25, 0.05], size=(37, 53)).astype("i1")
    da = wavy_sea_floor((37, 53))
    cut = windows(da, size=10, stride=4, edges=edges)
    mask = da.copy(data=truth).drop_attrs()
    whole = label_windows(cut, mask=mask)
    if edges == "shift":
        np.testing.assert_array_equal(whole.label, slowly(truth, cut))
    for k in (0, cut.sizes["window"] - 1):
        r, c = int(cut.start_row[k]), int(cut.start_column[k])
        part = truth[r : r + 10, c : c + 10]
        assert float(whole.linear_percent[k]) == 100 * (part == 1).sum() / part.size
    with nothing_computes():
        lazy = label_windows(
            cut, mask=mask.chunk(dict(zip(da.dims, random_chunks(da.shape, 1, seed), strict=True)))
        )
    xr.testing.assert_identical(lazy.compute(scheduler="sync"), whole)


def test_masks_of_every_kind_and_layout():
    truth = MAP.drop_attrs() > 0
    want = label_windows(CUT, mask=truth)
    assert {1, -1} & set(want.label.values)
    for other in (
        truth[::-1],
        truth.T,
        truth.astype("f8"),
        truth.astype("i2"),
        truth.assign_coords(lon=truth.lon + 360),
    ):
        xr.testing.assert_identical(label_windows(CUT, mask=other), want)
    unknown = truth.astype("f4").where(truth.lon > -109.5)
    assert float(label_windows(CUT, mask=unknown).linear_percent[0]) == 0.0


def test_the_truth_of_a_synthetic_scene():
    from magxr.synthetic.scenes import scene

    made = scene(3, (120, 160), kind="mixed").chunk(50)
    with nothing_computes():
        cut = windows(made, size=40, stride=20, variable="anomaly")
        labels = label_windows(cut, mask=made["linear"])
    np.testing.assert_array_equal(labels.label, slowly(made["linear"].values, cut, size=40))


def test_a_selection_of_windows():
    some = CUT.isel(window=[7, 3, 20])
    truth = MAP.drop_attrs() > 0
    labels = label_windows(some, mask=truth)
    xr.testing.assert_identical(labels, label_windows(CUT, mask=truth).isel(window=[7, 3, 20]))


@pytest.mark.parametrize("name", ["t.csv", "t.geojson"])
def test_a_table_comes_back(tmp_path, name):
    labels = label_windows(CUT, polygons={"linear": east_of(23)}, elsewhere=0, labeller="A, B")
    path = write_labels(labels, tmp_path / name)
    xr.testing.assert_identical(label_windows(CUT, table=path), labels)
    some = labels.isel(window=[30, 2])
    got = label_windows(CUT, table=some)
    np.testing.assert_array_equal(got.window, [2, 30])
    chosen = CUT.sel(window=got.window[got.label >= 0])
    assert chosen.anomaly.shape[1:] == (10, 10)


def test_labels_across_the_date_line():
    da = MAP.assign_coords(lon=((179.61 + 0.02 * np.arange(60) + 180) % 360) - 180)
    cut = windows(da, size=10, stride=5)
    labels = label_windows(cut, polygons={"linear": shapely.box(-179.99, -41, -179.0, -38)}, elsewhere=0)
    linear = da.lon.values < 0
    np.testing.assert_array_equal(labels.label, slowly(linear[None].repeat(40, 0).astype(int), cut))
    turned = labels.assign_coords(west=labels.west - 360, east=labels.east - 360)
    np.testing.assert_array_equal(label_windows(cut, table=turned).label, labels.label)


def test_tables_of_other_windows(tmp_path):
    labels = label_windows(CUT, polygons={"linear": east_of(23)}, elsewhere=0)
    with pytest.raises(ParameterError, match=r"puts window \d+ at .*they are other windows"):
        label_windows(windows(MAP, size=10, stride=4), table=labels)
    small = windows(MAP[:20, :20], size=10, stride=5)
    with pytest.raises(ParameterError, match=r"labels 68 windows outside the region \(first: 9;"):
        label_windows(small, table=labels)
    path = write_labels(labels, tmp_path / "t.csv")
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(ParameterError, match=r"window 0 appears twice"):
        label_windows(CUT, table=path)
    with pytest.raises(ParameterError, match=r"appears twice"):
        read_labels(path)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({}, ParameterError, r"give one of polygons, mask and table; got none"),
        ({"mask": MAP > 0, "table": "a.csv"}, ParameterError, r"got mask and table"),
        (
            {"polygons": {"linear": shapely.box(0, 0, 1, 1)}},
            ParameterError,
            r"zone around .* holds no cell of the region \(latitude -39\.99 to -39\.21, longitude",
        ),
        (
            {"polygons": {"linear": east_of(20), "nonlinear": east_of(0, 22)}},
            ParameterError,
            r"overlap in 80 cells, e\.g\. at latitude -39\.99, longitude -109\.59",
        ),
        ({"polygons": {"good": east_of(20)}}, ParameterError, r"zones are named \['good'\]; name them"),
        ({"polygons": east_of(20)}, ParameterError, r"a zone has the label None; set its property 'label'"),
        ({"polygons": {"linear": east_of(20)}, "elsewhere": 2}, ParameterError, r"elsewhere is 2; use 1"),
        (
            {"polygons": {"linear": east_of(20)}, "threshold": 70},
            ParameterError,
            r"threshold is 70; .* at most 1",
        ),
        ({"mask": MAP.values > 0}, GridError, r"mask is a ndarray; give a DataArray"),
        ({"mask": (MAP > 0)[:30]}, GridError, r"mask has no cell at lat -39\.39"),
    ],
)
def test_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        label_windows(CUT, **arguments)
    assert issubclass(error, MagxrError)


def test_not_windows():
    with pytest.raises(GridError, match=r"these are no windows of a map \(they lack .*magxr\.windows"):
        label_windows(MAP.to_dataset(), mask=MAP > 0)
