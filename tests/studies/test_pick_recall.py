import numpy as np
import pytest
import xarray as xr

from magxr.errors import GridError, ParameterError, StoreError
from magxr.io.picks import picks
from magxr.studies import pick_recall

LAT = -20.0 + 0.1 * np.arange(60)
LON = 178.0 + 0.1 * np.arange(80)  # across 180


def answers(linear):
    attrs = {"registration": "pixel"}
    data = xr.DataArray(linear.astype("int8"), {"lat": LAT, "lon": LON}, ("lat", "lon"), attrs=attrs)
    return xr.Dataset({"linear": data})


def west_linear():
    linear = np.zeros((60, 80))
    linear[:, :40] = 1
    linear[:5] = -1
    return linear


def points(rng, count, west, east):
    found = np.column_stack([rng.uniform(west, east, count), rng.uniform(-19.0, -15.0, count)])
    found[:, 0] = (found[:, 0] + 180.0) % 360.0 - 180.0
    return found


def test_picks_where_it_is_linear_are_found_and_chance_finds_half():
    found = pick_recall(answers(west_linear()), points(np.random.default_rng(0), 60, 178.1, 181.8))
    assert found["answered"] == found["picks"] == 60
    assert found["recall"] == 1.0
    assert found["null"] == pytest.approx(0.5, abs=0.05)
    assert found["null_high"] < found["recall"]
    assert found["linear"] == pytest.approx(0.5)
    assert found["no_answer"] == pytest.approx(5 / 60)


def test_picks_at_random_are_no_better_than_chance():
    found = pick_recall(answers(west_linear()), points(np.random.default_rng(1), 200, 178.1, 185.8))
    assert found["null_low"] <= found["recall"] <= found["null_high"]


def test_what_lies_along_an_edge_wins_nothing():
    # everything within three cells of the edge is called linear, and picks crowd there
    linear = np.zeros((60, 80))
    linear[:3] = linear[-3:] = 1
    linear[:, :3] = linear[:, -3:] = 1
    rng = np.random.default_rng(2)
    edge = np.column_stack([rng.uniform(-179.5, -176.0, 50), np.full(50, -19.9)])
    found = pick_recall(answers(linear), edge)
    assert found["recall"] == 1.0
    assert found["null"] > 0.9


def test_picks_without_an_answer_or_outside_are_not_counted():
    given = np.array([[178.5, -19.9], [178.5, -16.0], [0.0, 0.0]])  # no answer, answered, outside
    found = pick_recall(answers(west_linear()), given)
    assert (found["picks"], found["answered"], found["recall"]) == (2, 1, 1.0)


def test_land_is_told_and_random_points_avoid_it():
    linear = west_linear()
    land = answers(np.zeros((60, 80)))["linear"].astype(bool)
    land[:, 40:] = True  # all that is not linear
    given = points(np.random.default_rng(3), 30, 178.1, 181.8)
    found = pick_recall(answers(linear), given, land=land)
    assert found["on_land"] == 0.0
    assert found["null"] == 1.0


def test_the_layout_of_the_map_does_not_matter():
    rng = np.random.default_rng(4)
    linear = rng.integers(-1, 2, (60, 80))
    given = points(rng, 40, 178.1, 185.8)
    ds = answers(linear)
    turned = ds.transpose("lon", "lat").isel(lat=slice(None, None, -1))
    assert pick_recall(ds, given) == pick_recall(turned, given)


def test_without_any_pick_nothing_is_claimed():
    found = pick_recall(answers(west_linear()), np.empty((0, 2)))
    assert found["recall"] is None
    assert found["null"] is None


@pytest.mark.parametrize(
    ("given", "arguments", "message"),
    [
        (np.zeros((3, 3)), {}, r"picks have the shape \(3, 3\); they must be \(n, 2\)"),
        (np.zeros((3, 2)), {"draws": 0}, "draws is 0; it must be a whole number"),
        (np.zeros((3, 2)), {"land": xr.DataArray(np.zeros((2, 2)))}, "it must be bool on the cells"),
    ],
)
def test_bad_arguments(given, arguments, message):
    with pytest.raises(ParameterError, match=message):
        pick_recall(answers(west_linear()), given, **arguments)


def test_a_result_that_was_not_calibrated():
    with pytest.raises(GridError, match=r"has no variable 'linear'.*run calibrate first"):
        pick_recall(xr.Dataset({"linear_probability": ("x", [0.5])}), np.zeros((1, 2)))


def test_picks_are_read_from_a_file_and_from_a_folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.gmt").write_text("# @VGMT1.0 @GPOINT\n# @DC13n|y\n190.5\t-54.9\n>\n-16.6 -54.95 3\n")
    (tmp_path / "deep" / "b.gmt").write_text("1.0 2.0\n")
    np.testing.assert_allclose(picks(tmp_path), [[-169.5, -54.9], [-16.6, -54.95], [1.0, 2.0]])
    assert len(picks(tmp_path / "a.gmt")) == 2


def test_picks_that_cannot_be_read(tmp_path):
    with pytest.raises(StoreError, match=r"neither a \.gmt file of picks nor a folder"):
        picks(tmp_path)
    (tmp_path / "a.gmt").write_text("1.0 2.0\nC13n 4\n")
    with pytest.raises(StoreError, match=r"a.gmt, line 2: 'C13n 4' does not begin with a longitude"):
        picks(tmp_path / "a.gmt")
