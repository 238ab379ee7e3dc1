"""Figure of window sizes: what it draws is what the table holds, and what is not trusted looks so."""

import numpy as np
import pytest
import xarray as xr

from magxr.view.sizes import window_sizes_figure


def made(trained, places=(3, 4), stable=2.0, suggested=1.5):
    size = np.array([1.0, 2.0, 3.0, 4.0])
    percent = np.array([10.0, 60.0, 62.0, 61.0])
    rows = {"percent_linear": percent, "low": percent - 10, "high": percent + 5, "width": 100 * size}
    rows |= {"spacing": 0.24 * size, "no_answer_share": 0.1 * size}
    table = xr.Dataset(
        {k: ("size", v) for k, v in rows.items()},
        coords={"size": size, "trained": ("size", trained)},
        attrs={"stable_size": stable, "suggested_size": suggested, "waves": 4.0, "compared": 12},
    )
    waves = np.arange(float(np.prod(places))).reshape(places) + 20
    coords = {"latitude": np.arange(places[0]) * 0.5, "longitude": np.arange(places[1]) * 0.5}
    answers = xr.Dataset({"wavelength": (("latitude", "longitude"), waves)}, coords=coords)
    return table, answers


def test_a_curve_beside_the_local_suggestion():
    table, answers = made([False, True, True, False])
    figure = window_sizes_figure(table, answers)
    figure.canvas.draw()
    left, right = figure.axes[:2]
    lines = {line.get_label(): line for line in left.lines}
    np.testing.assert_array_equal(lines["linear"].get_ydata(), [60, 62])
    np.testing.assert_array_equal(lines["linear, not trained for"].get_ydata(), [10, 61])
    np.testing.assert_allclose(lines["no answer"].get_ydata(), [10, 20, 30, 40])
    assert lines["smallest stable: 2°"].get_xdata()[0] == 2.0
    assert lines["suggested: 1.5°"].get_xdata()[0] == 1.5
    grey = [p.get_x() + np.array([0, p.get_width()]) for p in left.patches]
    np.testing.assert_allclose(grey, [[0, 1.5], [3.5, 4.2]])
    np.testing.assert_allclose(right.get_images()[0].get_array(), 4 * answers.wavelength / 100, rtol=1e-6)


@pytest.mark.parametrize("places", [(1, 4), (3, 4)])
def test_without_a_map_or_a_line(places):
    table, answers = made([False] * 4, places, np.nan, np.nan)
    if places[0] > 1:
        answers = answers.where(False)
    figure = window_sizes_figure(table, answers)
    figure.canvas.draw()
    assert len(figure.axes) == 1
    labels = [line.get_label() for line in figure.axes[0].lines]
    assert not any("stable" in k or "suggested" in k for k in labels)
    assert len(figure.axes[0].patches) == 1
