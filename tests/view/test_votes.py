"""Figures of the vote: each map shows the classes it names, each table the numbers it frames."""

import numpy as np
import pytest
import xarray as xr

from magxr.studies import cutoffs, neighbours


@pytest.fixture
def predictions():
    p = np.random.default_rng(1).random((20, 24)).astype("f4")
    p[:3] = np.nan
    return xr.DataArray(
        p, coords={"lat": np.arange(20) * 0.1, "lon": np.arange(24) * 0.1}, name="linear_probability"
    )


@pytest.mark.parametrize("numbers", [(1, 3, 5, 11, 25), (1, 3)])
def test_a_map_for_every_number(predictions, numbers):
    found = neighbours(predictions, neighbours=numbers)
    figure = found.figure()
    figure.canvas.draw()
    maps = [a for a in figure.axes if a.get_images()]
    assert [a.get_title(loc="left") for a in maps] == [f"{n} x {n}" for n in numbers]
    for ax, n in zip(maps, numbers, strict=True):
        np.testing.assert_array_equal(ax.get_images()[0].get_array(), found.maps.sel(neighbours=n))
        share = float(found.table.percent_linear_cells.sel(neighbours=n))
        assert f"linear: {share:.1f} % of the answers" in [t.get_text() for t in ax.texts]
    assert sum(a.get_legend() is not None for a in maps) == 1
    curves = {
        line.get_label(): line
        for a in figure.axes
        for line in a.lines
        if len(line.get_xdata()) == len(numbers)
    }
    np.testing.assert_array_equal(curves["of the answers"].get_ydata(), found.table.percent_linear_cells)
    np.testing.assert_array_equal(curves["still uncertain"].get_ydata(), 100 * found.table.uncertain_share)
    np.testing.assert_allclose(
        curves["class changed"].get_ydata(), 100 * found.table.changed_cells / (17 * 24)
    )


def test_tables_with_the_papers_cell_framed(predictions):
    found = cutoffs(
        predictions, neighbours=5, keep=[(0.4, 0.6), (0.3, 0.7)], majority=[0.4, 0.5, 0.6], cut=[0.5, 0.6]
    )
    figure = found.figure()
    figure.canvas.draw()
    shown = [a.get_images()[0].get_array() for a in figure.axes]
    at = found.table.sel(cut=0.5).transpose("majority", "keep", ...)
    np.testing.assert_array_equal(shown[0], at.percent_linear_cells)
    np.testing.assert_array_equal(shown[1], 100 * at.uncertain_share)
    at = found.table.sel(keep="0.3-0.7").transpose("majority", "cut", ...)
    np.testing.assert_array_equal(shown[2], at.percent_linear_cells)
    frames = [a.patches[0].get_xy() for a in figure.axes]
    assert frames == [(0.5, 0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, 0.5)]
    written = [t.get_text() for t in figure.axes[0].texts]
    assert f"{float(found.section().percent_linear_cells):.1f}" in written


def test_without_the_papers_values_sections_go_through_the_middle(predictions):
    found = cutoffs(predictions, neighbours=3, keep=[(0.4, 0.6)], majority=[0.6, 0.7, 0.8], cut=[0.4])
    assert [found.table.attrs[k] for k in ("keep", "majority", "cut")] == ["0.4-0.6", 0.7, 0.4]
    found.figure().canvas.draw()
    assert "with keep 0.4-0.6, majority 0.7 and cut 0.4" in found.to_text()
    assert "keep 0.4" not in found.to_text().splitlines()[-1]
