"""Explanations of one window: the right window, in the map's own layout, parts that sum to the logit."""

from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.errors import GridError, ModelError, ParameterError
from magxr.models import spec, worker
from magxr.models.explanation import Part, combined, explain_window
from magxr.steps.explain import explain
from magxr.testing import wavy_sea_floor

SIZE = 12


@dataclass
class Tiny:
    """Means over 4 x 4 cells and over their distances from 20 nT, under a pooled head."""

    window: int = SIZE
    batch: int = 4
    spacing: tuple[float, float] | None = None
    name: str = "tiny"

    def explain(self, window, method):
        full = np.where(np.isnan(window), np.nanmedian(window), window).astype("f8") / 100
        means = full.reshape(3, 4, 3, 4).mean(axis=(1, 3))
        field = np.stack([means, np.abs(means - 0.2)], axis=-1)
        head = np.array([0.1, 0.2, 0.3, 0.1]), np.full(4, 0.5), np.array([1.0, -2.0, 0.5, 1.5])
        return combined([Part(field, 4, *head)], SIZE, 0.25, method)

    def predict(self, windows):
        return np.array([self.explain(w, "additive").probability for w in windows], "f4")


@pytest.fixture
def da():
    return wavy_sea_floor((40, 50))


def middle(da, row, column):
    """The point in the middle of the window that starts at a row and column."""
    half = (SIZE - 1) / 2
    lat, lon = float(da.lat[0]), float(da.lon[0])
    return lat + 0.02 * (row + half), lon + 0.02 * (column + half)


def test_contributions_of_the_right_window_sum_to_the_logit(da):
    found = explain(da, *middle(da, 9, 21), model=Tiny())
    window = da[9:21, 21:33]
    wanted = Tiny().explain(window.values, "additive")
    np.testing.assert_array_equal(found, wanted.cells)
    assert found.name == "contribution"
    assert found.dtype == np.float32
    assert float(found.sum()) + found.attrs["elsewhere"] == pytest.approx(found.attrs["logit"], abs=1e-5)
    assert found.attrs["elsewhere"] == 0.25
    assert found.attrs["probability"] == pytest.approx(1 / (1 + np.exp(-found.attrs["logit"])))
    assert (found.attrs["window"], found.attrs["model"], found.attrs["missing_share"]) == (12, "tiny", 0.0)
    assert "explain" in found.attrs["history"]
    xr.testing.assert_equal(da.sel(lat=found.lat, lon=found.lon), window)


def test_it_explains_what_classify_answered(da):
    answers = da.mag.classify(model=Tiny(), stride=4)["linear_probability"]
    there = answers.stack(at=("lat", "lon")).dropna("at")
    for k in (0, 5, there.size - 1):
        found = da.mag.explain(float(there.lat[k]), float(there.lon[k]), model=Tiny())
        assert found.attrs["probability"] == pytest.approx(float(there[k]), abs=1e-6)
        assert found.attrs["latitude"] == pytest.approx(float(there.lat[k]))
        assert found.attrs["longitude"] == pytest.approx(float(there.lon[k]))


@pytest.mark.parametrize("turn", ["flipped", "mirrored", "transposed", "chunked", "other longitudes"])
def test_layout(da, turn):
    turned = {
        "flipped": da[::-1],
        "mirrored": da[:, ::-1],
        "transposed": da.T,
        "chunked": da.chunk({"lat": 13, "lon": 17}),
        "other longitudes": da.assign_coords(lon=da.lon + 360),
    }[turn]
    place = middle(da, 9, 21)
    plain, found = (explain(d, *place, model=Tiny()) for d in (da, turned))
    assert found.dims == turned.dims
    if turn == "other longitudes":
        np.testing.assert_array_equal(found, plain)
    else:
        np.testing.assert_array_equal(found.sel(lat=plain.lat, lon=plain.lon).transpose(*plain.dims), plain)
    xr.testing.assert_equal(
        turned.sel(lat=found.lat, lon=found.lon).coords.to_dataset(), found.coords.to_dataset()
    )


def test_round_the_globe():
    rng = np.random.default_rng(0)
    globe = xr.DataArray(
        rng.normal(0, 100, (30, 72)).astype("f4"),
        dims=("lat", "lon"),
        coords={"lat": 5.0 * np.arange(-14.5, 15), "lon": 5.0 * np.arange(72) - 177.5},
        attrs={"units": "nT"},
    )
    globe = globe.assign_coords(lat=("lat", globe.lat.values, {"units": "degrees_north"}))
    globe = globe.assign_coords(lon=("lon", globe.lon.values, {"units": "degrees_east"}))
    found = explain(globe, 0.0, 180.0, model=Tiny())
    assert (np.diff(found.lon) > 0).all()
    across = np.concatenate([globe[9:21, -6:], globe[9:21, :6]], axis=1)
    np.testing.assert_array_equal(found, Tiny().explain(across, "additive").cells)
    assert found.attrs["longitude"] % 360 == 180
    rolled = globe.roll(lon=31, roll_coords=True)
    np.testing.assert_array_equal(explain(rolled, 0.0, -180.0, model=Tiny()), found)
    inside = explain(rolled, 10.0, 40.0, model=Tiny())
    np.testing.assert_array_equal(inside, explain(globe, 10.0, 400.0, model=Tiny()))


def test_missing_and_filled_cells_are_counted(da):
    holed = da.copy()
    holed[10, 22:25] = np.nan
    filled = xr.zeros_like(da, dtype="i1")
    filled[11, 22:24] = 1
    found = explain(holed.assign_coords(filled=(da.dims, filled.values)), *middle(da, 9, 21), model=Tiny())
    assert found.attrs["missing_share"] == pytest.approx(5 / 144)
    assert np.isfinite(found).all()
    with pytest.raises(GridError, match="the window holds no data"):
        explain(da.where(da.lat > da.lat[30]), *middle(da, 0, 21), model=Tiny())


def test_gradcam(da):
    found = explain(da, *middle(da, 9, 21), model=Tiny(), method="gradcam")
    assert found.name == "gradcam"
    assert (found >= 0).all()
    assert found.attrs["logit"] == explain(da, *middle(da, 9, 21), model=Tiny()).attrs["logit"]


@pytest.mark.parametrize(
    ("row", "column", "near"), [(-3, 5, (0, 5)), (29, 5, (28, 5)), (5, -40, (5, 0)), (60, 300, (28, 38))]
)
def test_a_point_without_a_whole_window_is_told_the_nearest(da, row, column, near):
    place = middle(da, *near)
    with pytest.raises(ParameterError, match=r"12 x 12 cells around.* does not fit into the map") as told:
        explain(da, *middle(da, row, column), model=Tiny())
    assert str(told.value).endswith(f"lat={place[0]:.6g}, lon={place[1]:.6g}")
    explain(da, *place, model=Tiny())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lat": "40S"}, ParameterError, "lat is '40S'; it must be a number of degrees"),
        ({"lon": np.nan}, ParameterError, "lon is nan"),
        ({"method": "lime"}, ParameterError, "method is 'lime'; use 'additive'"),
        ({"model": "absent"}, ModelError, "unknown model 'absent'"),
        ({"model": Tiny(spacing=(3.0, 4.0))}, ModelError, "the model expects 3 to 4"),
        ({"model": Tiny(window=64)}, GridError, "a window of 64 x 64 cells is larger than the map"),
    ],
)
def test_refused(da, change, error, message):
    lat, lon = middle(da, 9, 21)
    with pytest.raises(error, match=message):
        explain(da, **{"lat": lat, "lon": lon, "model": Tiny()} | change)


def test_a_model_that_only_answers_cannot_be_explained(da):
    class Mute:
        window, batch = SIZE, 4

        def predict(self, windows):
            return np.zeros(len(windows), "f4")

    with pytest.raises(ModelError, match="a Mute only answers, it cannot be explained"):
        explain(da, *middle(da, 9, 21), model=Mute())


def test_windows_of_another_size_or_head_are_refused():
    shipped = spec.load("default")
    with pytest.raises(ModelError, match=r"shape \(250, 250\), got float64 of \(12, 12\)"):
        explain_window(shipped, np.zeros((12, 12)))


@pytest.mark.network_model
@pytest.mark.slow
def test_the_transfer_model_on_one_window():
    da = wavy_sea_floor((260, 260))
    place = float(da.lat[130]), float(da.lon[130])
    found = magxr.explain(da, *place, model="transfer", check_spacing=False)
    assert found.shape == (250, 250)
    window = da.sel(lat=found.lat, lon=found.lon).values
    shipped = spec.load("transfer")
    assert found.attrs["probability"] == pytest.approx(
        float(worker.predict(shipped, window[None])[0]), abs=1e-5
    )
    assert float(found.astype("f8").sum()) + found.attrs["elsewhere"] == pytest.approx(
        found.attrs["logit"], abs=1e-3
    )
    assert found.attrs["sha256"] == shipped.sha256
    assert found.attrs["probability"] > 0.7
    assert found.attrs["logit"] > found.attrs["elsewhere"]
