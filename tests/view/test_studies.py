"""Figures of studies: each panel shows the field it names, each line the score it is labelled with."""

import numpy as np
import pytest
import xarray as xr

from magxr.testing import wavy_sea_floor
from magxr.view.studies import gaps_figure, hallucination_figure


@pytest.fixture
def measured():
    """What `hallucination` returns: shares and example."""
    da = wavy_sea_floor((40, 50))
    stage = ["before", "after"]
    fields = {}
    for number, name in enumerate(("map", "noise")):
        pair = [da + 10 * number, da / 2 + 10 * number]
        fields[name] = xr.concat(pair, dim="stage").assign_coords(stage=stage)
        fields[f"{name}_coherence"] = (abs(fields[name]) / 400).clip(0, 1)
    shares = xr.Dataset(
        {
            "map_coherent_share": ("stage", [0.5, 0.75]),
            "coherent_share": (("seed", "stage"), [[0.0, 0.1], [0.02, 0.3]]),
        },
        coords={"stage": stage},
        attrs={"coherent": 0.7},
    )
    return shares, xr.Dataset({k: v.drop_attrs() for k, v in fields.items()})


def test_noise_beside_the_map_above_their_coherence(measured):
    shares, example = measured
    figure = hallucination_figure(shares, example)
    axes = [a for a in figure.axes if a.get_images()]
    assert len(axes) == 8
    order = [(f, s) for f in ("map", "noise") for s in ("before", "after")]
    for number, (field, stage) in enumerate(order):
        for ax, name in ((axes[number], field), (axes[number + 4], f"{field}_coherence")):
            np.testing.assert_array_equal(ax.get_images()[0].get_array(), example[name].sel(stage=stage))
    assert len({a.get_images()[0].get_clim() for a in axes[:4]}) == 1
    told = [[t.get_text() for t in a.texts if "coherence" in t.get_text()] for a in axes[4:]]
    want = [[f"coherence > 0.7: {p} % of the area"] for p in ("50.0", "75.0", "1.0", "20.0")]
    assert told == want
    assert [a.get_title(loc="left")[:1] for a in axes[:4]] == list("abcd")
    figure.canvas.draw()


def test_scores_against_gap_width():
    da = wavy_sea_floor((40, 50))
    names = ["splines", "splines + diffusion"]
    example = xr.Dataset(
        {
            "truth": da,
            "holed": da.where(da > 0),
            "filled": xr.concat([da / 2, da / 4], dim="variant").assign_coords(variant=names),
        },
        attrs={"width": 8},
    )
    variants = [*names, "not hidden"]
    mean = np.linspace(0.5, 0.9, 6).reshape(2, 3)
    ends = ("width", "variant", "estimate")
    scores = xr.Dataset(
        {
            f"{k}_interval": (ends, np.stack([mean, mean - 0.1, mean + 0.05], axis=-1))
            for k in ("correlation", "correlation_gain", "rms")
        },
        coords={"width": [4, 8], "variant": variants, "estimate": ["mean", "low", "high"]},
    )
    figure = gaps_figure(scores, example)
    figure.canvas.draw()
    maps = [a for a in figure.axes if a.get_images()]
    assert [a.get_title(loc="left")[3:] for a in maps] == [
        "Truth",
        "Tracks, 8 cells apart",
        "Splines",
        "Splines + diffusion",
    ]
    np.testing.assert_array_equal(maps[3].get_images()[0].get_array(), da / 4)
    curves = {a.get_title(loc="left"): a for a in figure.axes if a.containers}
    assert list(curves) == [
        "correlation in gaps",
        "gain in correlation over splines",
        "rms departure in gaps, nT",
    ]
    drawn = curves["correlation in gaps"].containers
    assert [c.get_label() for c in drawn] == variants
    for number, bars in enumerate(drawn):
        np.testing.assert_allclose(bars.lines[0].get_ydata(), mean[:, number])
        ends = bars.lines[2][0].get_segments()
        np.testing.assert_allclose([s[:, 1] for s in ends], mean[:, number, None] + [-0.1, 0.05])
    assert [c.get_label() for c in curves["gain in correlation over splines"].containers] == names
