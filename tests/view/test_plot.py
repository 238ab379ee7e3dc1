"""One map of whatever the object holds."""

import sys

import dask.array as da
import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.errors import GridError, ParameterError
from magxr.testing import wavy_sea_floor
from magxr.view.figures import cleaning_figure, prediction_figure
from magxr.view.plot import plot


@pytest.fixture
def sea_floor():
    return wavy_sea_floor((96, 120))


@pytest.fixture
def result(sea_floor):
    """What calibrate returns, on centres of windows of 32 cells, stride 8."""
    at = {"lat": sea_floor.lat[16:-16:8], "lon": sea_floor.lon[16:-16:8]}
    p = np.linspace(0, 1, 8 * 11, dtype="f4").reshape(8, 11)
    p[0, :3] = np.nan
    linear = np.where(np.isnan(p), -1, p > 0.5).astype("i1")
    made = {"linear_probability": p, "calibrated_probability": np.round(p, 1), "linear": linear}
    return xr.Dataset({k: (("lat", "lon"), v) for k, v in made.items()}, coords=at)


def image(ax, number=0):
    return ax.get_images()[number]


def test_anomaly_is_centred_on_zero_with_true_proportions(sea_floor):
    sea_floor[40:50, 30:60] = np.nan
    ax = plot(sea_floor, title="A", subtitle="b")
    lowest, highest = image(ax).get_clim()
    assert lowest == -highest
    want = np.nanquantile(np.abs(sea_floor), 0.99)
    assert want <= highest <= 1.1 * want
    assert ax.get_aspect() == pytest.approx(1 / np.cos(np.radians(-40 + 0.96)))
    assert ax.get_title(loc="left") == "A"
    assert (image(ax).get_array().mask == np.isnan(sea_floor.values)).all()
    ax.figure.canvas.draw()
    assert any(t.get_text().endswith("°S") for t in ax.get_yticklabels())
    assert any(t.get_text().endswith("°W") for t in ax.get_xticklabels())
    bar = [c for c in ax.child_axes if c.get_ylabel() == "nT"]
    assert len(bar) == 1


def test_every_layout_draws_the_same_picture(sea_floor):
    want = image(plot(sea_floor)).get_array()
    for other in (
        sea_floor[::-1],
        sea_floor[:, ::-1],
        sea_floor.T,
        sea_floor.chunk(17),
        sea_floor.to_dataset(),
    ):
        got = image(plot(other))
        np.testing.assert_array_equal(got.get_array(), want)
        np.testing.assert_allclose(got.get_extent(), image(plot(sea_floor)).get_extent())


def test_picks_the_most_interpreted_variable(sea_floor, result):
    assert plot(sea_floor).get_title(loc="left") == "Magnetic anomaly"
    assert "Linear" in plot(result).get_title(loc="left")
    assert "Calibrated" in plot(result.drop_vars("linear")).get_title(loc="left")
    assert plot(result["linear_probability"]).get_title(loc="left").startswith("Probability")
    assert plot(result, what="linear_probability").get_title(loc="left").startswith("Probability")
    shares = result[["linear_probability"]].rename(linear_probability="missing_share")
    assert plot(shares).get_title(loc="left") == "Missing or interpolated cells"
    scene = xr.Dataset({"clean": sea_floor, "anomaly": sea_floor, "linear": sea_floor > 0})
    np.testing.assert_array_equal(image(plot(scene, what="anomaly")).get_array(), sea_floor)
    assert len(plot(scene).get_images()) == 2, "classes over the anomaly beside them"
    residual = sea_floor.rename("anomaly_residual")
    both = xr.merge([sea_floor, residual])
    assert plot(both).get_title(loc="left") == "Magnetic anomaly"
    assert plot(both, what="residual").get_title(loc="left") == "Removed by denoising"
    assert plot(residual).get_title(loc="left") == "Removed by denoising"


def test_linear_shades_nonlinear_and_veils_no_answer(sea_floor, result):
    ax = plot(result, anomaly=sea_floor)
    shade = image(ax, 1).get_array()
    assert shade.shape == (96, 120, 4)
    answered = result.linear.reindex(lat=sea_floor.lat, lon=sea_floor.lon, method="nearest", tolerance=0.0801)
    opacity = shade[..., 3]
    centre = (slice(16, 80, 8), slice(16, 104, 8))
    np.testing.assert_array_equal(opacity[centre] == 0, result.linear.values == 1)
    dark = (opacity > 0) & (shade[..., 0] < 0.5)
    np.testing.assert_array_equal(dark[centre], result.linear.values == 0)
    assert (opacity[:11] > 0.5).all(), "outside of the windows there is no answer"
    assert answered.shape == (96, 120)
    texts = [t.get_text() for t in ax.texts]
    linear, cells = (result.linear == 1).sum().item(), (result.linear >= 0).sum().item()
    area = np.cos(np.radians(result.lat))
    by_area = 100 * ((result.linear == 1) * area).sum() / ((result.linear >= 0) * area).sum()
    told = f"linear: {100 * linear / cells:.1f} % of the answered cells, {by_area:.1f} % of their area"
    assert f"{told}; no answer: 3.4 %" in texts
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["linear", "nonlinear", "no answer"]


def test_no_answer_anywhere_is_said(result):
    ax = plot(result.assign(linear=xr.full_like(result.linear, -1)))
    assert "no answer anywhere" in [t.get_text() for t in ax.texts]


def test_the_bar_of_a_probability_marks_what_is_kept(result):
    ax = plot(result, what="calibrated_probability")
    assert image(ax).get_clim() == (0, 1)
    bar = next(c for c in ax.child_axes if c.get_ylabel())
    assert {0.3, 0.7} <= {line.get_ydata()[0] for line in bar.get_lines()}


def test_wavelengths_from_the_shortest_to_the_longest(sea_floor):
    ds = magxr.wavelength(sea_floor, size=40, stride=10)
    ax = plot(ds)
    assert ax.get_title(loc="left") == "Dominant wavelength across strike"
    drawn = image(ax).get_array()
    np.testing.assert_array_equal(drawn.mask, np.isnan(ds["wavelength"].values))
    assert image(ax).get_clim() == (float(ds["wavelength"].min()), float(ds["wavelength"].max()))
    assert [c.get_ylabel() for c in ax.child_axes if c.get_ylabel()] == ["wavelength, km"]
    none = plot(ds["wavelength"] * np.nan, what="wavelength")
    assert image(none).get_array().mask.all()
    assert plot(ds, what="strike").get_title(loc="left") == "Strike of the anomalies"


def test_strike_pales_with_coherence(sea_floor):
    angle = xr.full_like(sea_floor, 25.0).rename("strike").assign_attrs(units="degrees")
    coherence = xr.full_like(sea_floor, 0.25).rename("coherence").assign_attrs(units="1")
    angle[:5] = np.nan
    ds = xr.Dataset({"strike": angle, "coherence": coherence})
    ax = plot(ds)
    assert image(ax).get_clim() == (0, 180)
    assert image(ax).cmap(0.0) == pytest.approx(image(ax).cmap(1.0), abs=0.03)
    np.testing.assert_allclose(image(ax).get_alpha(), 0.25)
    assert ax.get_facecolor() == (1, 1, 1, 1), "pale is not grey"
    grey = image(ax, 1).get_array()[..., 3] == 1
    assert grey[:5].all()
    assert not grey[5:].any()
    assert plot(ds, what="coherence").get_title(loc="left") == "Coherence"
    assert image(plot(ds["strike"])).get_alpha() is None


def test_large_lazy_maps_are_read_by_blocks():
    """A map of 12000 x 12000 cells (576 MB) is drawn without ever being whole in memory."""
    import psutil

    big = da.random.default_rng(1).normal(0, 50, (12_000, 12_000), chunks=2000).astype("f4")
    step = 0.001
    lazy = xr.DataArray(
        big,
        {"lat": step * np.arange(12_000), "lon": step * np.arange(12_000)},
        ("lat", "lon"),
        "a",
        {"units": "nT"},
    )
    import dask

    with dask.config.set(scheduler="sync"):
        before = psutil.Process().memory_info().rss
        ax = plot(lazy, cells=400)
        grown = psutil.Process().memory_info().rss - before
    assert image(ax).get_array().shape == (400, 400)
    assert grown < 400e6


def test_draws_on_given_axes_and_leaves_pyplot_alone(sea_floor):
    from matplotlib.figure import Figure

    figure = Figure()
    ax = figure.add_subplot()
    assert plot(sea_floor, ax=ax, limit=50) is ax
    assert image(ax).get_clim() == (-50, 50)
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_is_public(sea_floor, tmp_path):
    magxr.plot(sea_floor).figure.savefig(tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_a_region_across_the_date_line():
    da_ = wavy_sea_floor((40, 60))
    da_ = da_.assign_coords(lon=((179.41 + 0.02 * np.arange(60) + 180) % 360) - 180)
    ax = plot(da_)
    assert ax.get_xlim() == pytest.approx((179.4, 180.6))
    ax.figure.canvas.draw()
    assert {"179°30′E", "180°", "179°30′W"} & {t.get_text() for t in ax.get_xticklabels()}


def test_an_empty_map_is_drawn_grey(sea_floor):
    ax = plot(xr.full_like(sea_floor, np.nan))
    assert image(ax).get_clim() == (-1, 1)
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"what": "colour"}, ParameterError, "what='colour' is not something that can be drawn; choose"),
        ({"what": "strike"}, ParameterError, "no variable 'strike' to draw; the dataset has \\['anomaly'\\]"),
        ({"limit": 0}, ParameterError, "limit must be above 0 nT .* got 0"),
        ({"cells": 1}, ParameterError, "cells must be an integer of at least 2, got 1"),
        ({"variable": "mag"}, GridError, "no variable 'mag'"),
    ],
)
def test_refusals(sea_floor, change, error, message):
    with pytest.raises(error, match=message):
        plot(sea_floor.to_dataset(), **change)


def test_refuses_what_it_cannot_name(sea_floor):
    with pytest.raises(GridError, match="cannot tell what 'depth' \\(units 'm'\\) is; name it with what="):
        plot(sea_floor.rename("depth").assign_attrs(units="m"))
    with pytest.raises(GridError, match="no variable has units of nT"):
        plot(sea_floor.assign_attrs(units="m").to_dataset())


def test_figure_of_cleaning(sea_floor):
    raw = sea_floor.copy()
    raw[3, 4] = 5000
    figure = cleaning_figure(
        raw, sea_floor, sea_floor * 0.9, (sea_floor * 0.1).rename("anomaly_residual").to_dataset()
    )
    maps = [a for a in figure.axes if a.get_images()]
    assert [a.get_title(loc="left")[0] for a in maps] == list("abcd")
    limits = [a.get_images()[0].get_clim()[1] for a in maps]
    assert limits[0] == 5000
    assert limits[1] == limits[2] < 300
    assert limits[3] < 0.2 * limits[1]


def test_figure_of_predictions(sea_floor, result):
    figure = prediction_figure(sea_floor, result)
    maps = [a for a in figure.axes if a.get_images()]
    assert len(maps) == 3
    assert maps[0].get_xlim() == maps[1].get_xlim() == maps[2].get_xlim()
    with pytest.raises(ParameterError, match="the result lacks \\['calibrated_probability', 'linear'\\]"):
        prediction_figure(sea_floor, result[["linear_probability"]])


def test_real_map(real_data):
    chile = xr.open_dataset(real_data / "emag2v3" / "chile_margin.nc")
    ax = plot(chile)
    assert image(ax).get_array().mask.sum() == 55_361
    assert 100 <= image(ax).get_clim()[1] <= 200


def test_a_lazy_result_is_computed_once(sea_floor, result):
    """The three variables hang on one costly answer; drawing them asks for it once."""
    asked = []

    def answer(block):
        asked.append(block.shape)
        return block

    p = da.from_array(result.linear_probability.values, chunks=-1).map_blocks(
        answer, dtype="f4", meta=np.empty((0, 0), "f4")
    )
    lazy = result.copy()
    lazy["linear_probability"] = result.linear_probability.copy(data=p)
    lazy["calibrated_probability"] = lazy.linear_probability.round(1)
    lazy["linear"] = xr.where(lazy.calibrated_probability > 0.5, 1, 0).astype("i1")
    prediction_figure(sea_floor, lazy)
    assert len(asked) == 1
    plot(lazy, anomaly=sea_floor)
    assert len(asked) == 2


def test_a_scale_bar_only_where_one_scale_holds(sea_floor):
    assert any(t.get_text().endswith(" km") for t in plot(sea_floor).texts)
    lat = np.linspace(-80, 80, 96)
    assert not any(t.get_text().endswith(" km") for t in plot(sea_floor.assign_coords(lat=lat)).texts)
