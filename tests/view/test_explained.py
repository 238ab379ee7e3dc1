"""The figure of an explanation: the window, the contributions over it, the sum in words."""

import numpy as np
import pytest
from matplotlib.text import Text

from magxr.errors import ParameterError
from magxr.testing import wavy_sea_floor
from magxr.view import maps
from magxr.view.explained import explanation_figure


@pytest.fixture
def da():
    return wavy_sea_floor((40, 50))


def explained(da, method="additive"):
    window = da[5:25, 10:30]
    cells = np.linspace(-1, 3, 400).reshape(20, 20).astype("f4") / 1000
    attrs = {"method": method, "logit": 1.5, "elsewhere": 0.5, "probability": 0.818}
    return window.copy(data=np.abs(cells) if method == "gradcam" else cells).assign_attrs(attrs)


def test_contributions_over_the_window(da):
    found = explained(da)
    figure = explanation_figure(da, found)
    figure.canvas.draw()
    left, right = [a for a in figure.axes if a.get_images()][:2]
    np.testing.assert_array_equal(left.get_images()[0].get_array(), da[5:25, 10:30])
    grey, over = right.get_images()
    np.testing.assert_allclose(over.get_array(), found.values * 32**2, rtol=1e-6)
    low, high = over.get_clim()
    assert low == -high
    assert high == maps.symmetric_limit(found.values * 32**2)
    assert grey.get_array().max() <= 1
    assert [t.get_text() for t in left.texts][-1] == "probability of “linear” 0.818"
    assert [t.get_text() for t in right.texts] == [
        "logit +1.50: +1.00 from these cells, +0.50 without a place"
    ]


def test_gradcam_has_no_unit_and_one_colour(da):
    figure = explanation_figure(da, explained(da, "gradcam"), limit=0.002)
    figure.canvas.draw()
    right = [a for a in figure.axes if a.get_images()][1]
    np.testing.assert_allclose(right.get_images()[1].get_array(), explained(da, "gradcam"))
    assert right.get_title(loc="left") == "b  For linear (green)"


def test_occlusion_is_no_sum(da):
    found = explained(da, "occlusion").assign_attrs(elsewhere=float("nan"))
    figure = explanation_figure(da, found)
    figure.canvas.draw()
    right = [a for a in figure.axes if a.get_images()][1]
    np.testing.assert_allclose(right.get_images()[1].get_array(), found)
    assert [t.get_text() for t in right.texts] == ["logit +1.50; every part taken for missing in turn"]
    words = [t.get_text() for t in figure.findobj(Text)]
    assert "fall of the logit without the part" in words


def test_another_map_is_refused(da):
    with pytest.raises(ParameterError, match="the map does not hold the cells that were explained"):
        explanation_figure(da[:10], explained(da))
