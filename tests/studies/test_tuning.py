"""Tuning: rules from the wavelength, hidden cells, labels, what is chosen and when nothing is, refusals."""

import json

import numpy as np
import pytest
import xarray as xr

import magxr
from magxr.errors import GridError, MagxrWarning, ParameterError
from magxr.kernels.alignment import alignment
from magxr.models.split import LEFT_OUT, TEST, TRAIN
from magxr.steps.windows import windows
from magxr.studies import candidates, choosing, crossing, hiding, judges, tallies, tuning
from magxr.studies.candidates import Candidate, by_rule
from magxr.studies.features import extractor
from magxr.studies.judges import Verdict
from magxr.studies.stripes import best_part, stripes
from magxr.testing import nothing_computes

SMALL = {"size": 64, "stride": 16, "seeds": (0, 1)}
WAVE = 16.0


def map_of(values):
    """Cells of 0.72 arcmin at the equator."""
    lat, lon = ((np.arange(n) - 0.5 * (n - 1)) * 0.012 for n in values.shape)
    coords = {"lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon, {"units": "degrees_east"})}
    attrs = {"units": "nT", "registration": "pixel"}
    return xr.DataArray(values.astype("f4"), coords, ("lat", "lon"), "anomaly", attrs)


def striped(shape, strike=30.0, wave=WAVE):
    y, x = np.mgrid[: shape[0], : shape[1]]
    across = x * np.cos(np.radians(strike)) - y * np.sin(np.radians(strike))
    return 100.0 * np.sin(2 * np.pi * across / wave)


def noise(shape, level, seed=0):
    return level * np.random.default_rng(seed).normal(size=shape)


@pytest.fixture(scope="module")
def noisy():
    shape = (128, 144)
    return map_of(striped(shape) + noise(shape, 60.0))


@pytest.fixture(scope="module")
def found(noisy):
    return magxr.tune(noisy, **SMALL)


def test_scales_follow_from_the_wavelength():
    rule = by_rule(32.0)
    assert len(rule) == 7
    assert rule["rho 1/4, along 1/4"] == {"sigma": 2.0, "rho": 8.0, "steps": 128, "scheme": "fed"}
    assert rule["rho 1/2, along 1/8"] == {"sigma": 2.0, "rho": 16.0, "steps": 32, "scheme": "fed"}
    assert rule["defaults"] == {"sigma": 1.0, "rho": 4.0, "steps": 20}
    assert by_rule(4.0)["rho 1/4, along 1/8"]["sigma"] == 0.5


@pytest.mark.parametrize("share", candidates.LENGTHS)
def test_steps_smooth_along_stripes_as_far_as_stated(share):
    """A ripple along a stripe shrinks by exp(-L² k² / 2)."""
    wave, ripple = 32.0, 24.0
    y, x = np.mgrid[:192, :64]
    field = map_of(100 * np.sin(2 * np.pi * x / wave) + 1.0 * np.sin(2 * np.pi * y / ripple))
    how = by_rule(wave)[f"rho 1/4, along 1/{round(1 / share)}"]
    made = magxr.diffuse(field, **how).values[72:120]
    left = made.mean(axis=1) @ np.sin(2 * np.pi * y[72:120, 0] / ripple) * 2 / 48
    want = np.exp(-0.5 * (share * wave * 2 * np.pi / ripple) ** 2)
    assert left == pytest.approx(want, abs=0.06)


def test_the_slope_modulation_is_what_the_rule_states():
    for rho, want in ((1 / 8, 0.29), (1 / 4, 0.007)):
        assert np.exp(-8 * np.pi**2 * rho**2) == pytest.approx(want, rel=0.05)
    assert np.exp(-2 * np.pi**2 * candidates.NOISE_SCALE**2) == pytest.approx(0.93, abs=0.005)


def test_noisy_stripes_are_diffused_and_come_nearer_to_the_truth(noisy, found):
    assert found.chosen is not None
    assert found.gain[1] > 0
    assert found.stripes.cells == pytest.approx(WAVE, rel=0.03)
    at = found.table.isel(
        candidate=[json.loads(d) == found.chosen for d in found.table.diffuse.values].index(True)
    )
    assert float(at.noise_high) <= 0.05
    truth = striped(noisy.shape)
    cleaned = noisy if found.variance is None else magxr.denoise(noisy, variance=found.variance)
    after = magxr.diffuse(cleaned, **found.chosen)
    assert np.std(after - truth) < 0.7 * np.std(noisy - truth)


def test_stripes_without_noise_are_left_alone():
    rng = np.random.default_rng(3)
    bent = striped((128, 144)) * (1 + 0.5 * striped((128, 144), strike=rng.uniform(110, 130), wave=60) / 100)
    told = magxr.tune(map_of(bent), variances=(), **SMALL)
    assert told.chosen is None
    assert told.variance is None
    assert "not shown to help" in told.reason
    assert np.isnan(told.gain).all()
    assert (told.table.gain_low <= 0).all()


def test_noise_alone_has_nothing_to_tune_by():
    told = magxr.tune(map_of(noise((96, 96), 50.0)), **SMALL)
    assert told.chosen is None
    assert told.table.sizes["candidate"] == 0
    assert "dominant wavelength" in told.reason
    assert "No diffusion" in told.report()
    with pytest.raises(ParameterError, match="no candidate"):
        told.figure()


def test_what_makes_up_too_much_is_not_chosen(noisy, found):
    told = magxr.tune(noisy, made_up=0.0, variances=(), **SMALL)
    honest = told.table.noise_high == 0
    if told.chosen is None:
        assert "draw lines into more than 0 % of noise" in told.reason
    else:
        assert honest.values[[json.loads(d) == told.chosen for d in told.table.diffuse.values]].all()
    best = int(np.argmax(found.table.gain.values))
    passed_over = float(found.table.noise_high[best]) > 0.05
    assert ("Passed over" in found.reason) == passed_over


@pytest.mark.parametrize(("again", "kept"), [(0.02, True), (-0.02, False)])
def test_a_gain_must_be_found_again(again, kept):
    class Once:
        measure = ""

        def confirm(self, chosen, base):
            return Verdict(again + 0.03, again, again + 0.06)

    tried = [Candidate("a", {"rho": 4}), Candidate("b", {"rho": 8})]
    verdicts = [Verdict(0.1, 0.05, 0.15), Verdict(0.2, 0.1, 0.3)]
    meters = xr.Dataset({k: ("candidate", [0.01, 0.02]) for k in tallies.METER})
    table = tallies.by_candidate(tried, verdicts, meters, {"seeds": [0, 1]})
    chosen, gain, reason = choosing.choose(Once(), tried, verdicts, table, Candidate("off", None), 0.05)
    assert (chosen is tried[1]) == kept
    assert ("not chosen by" in reason) == (not kept)
    if kept:
        assert gain == pytest.approx((0.05, 0.02, 0.08))


def test_hidden_sets_share_no_cell_and_leak_nothing(noisy):
    known = np.ones(noisy.shape, bool)
    known[20:30, 40:60] = False
    da = noisy.where(xr.DataArray(known, dims=noisy.dims))
    one, two = hiding.hold_outs(da, WAVE, 100.0, 0)
    assert not (one.scored & two.scored).any()
    for of in (one, two):
        assert 0.07 < of.scored.mean() < 0.12
        assert not of.scored[~known].any()
        np.testing.assert_array_equal(np.isnan(of.filled.values), ~known)
        changed = da.copy(data=np.where(of.scored, da.values + 1000, da.values))
        again = hiding.hold_outs(changed, WAVE, 100.0, 0)[0 if of is one else 1]
        np.testing.assert_array_equal(again.filled.values[of.scored], of.filled.values[of.scored])
        np.testing.assert_allclose(again.truth - of.truth, 1000, rtol=1e-4)


def test_interpolated_cells_do_not_judge(noisy):
    flag = np.zeros(noisy.shape, np.int8)
    flag[:, :70] = 1
    da = noisy.assign_coords(filled=(noisy.dims, flag))
    for of in hiding.hold_outs(da, WAVE, 100.0, 0):
        assert of.scored.any()
        assert not of.scored[:, :70].any()


def test_what_was_interpolated_between_tracks_tells_nothing(noisy):
    """Only measured cells are scored, and what fills the discs has seen measured cells alone."""
    tracks = np.zeros(noisy.shape, bool)
    tracks[::6] = True
    changed = noisy.copy(data=np.where(tracks, noisy.values, noisy.values + 500))
    pair = [hiding.hold_outs(da, WAVE, 100.0, 0, tracks) for da in (noisy, changed)]
    for one, other in zip(*pair, strict=True):
        assert one.scored.any()
        assert not one.scored[~tracks].any()
        np.testing.assert_array_equal(one.filled, other.filled)
        np.testing.assert_array_equal(one.truth, other.truth)
    wider = hiding.hold_outs(noisy, WAVE, 100.0, 0)[0].scored[::6]
    assert 7 <= longest_run(pair[0][0].scored[::6]) <= 9  # twice a quarter of a wave
    assert longest_run(wider) <= 5


def longest_run(cells):
    """Longest run of cells along a row."""
    return max(len(run) for row in cells for run in "".join("x" if c else " " for c in row).split())


def test_measured_cells_reach_the_judge(noisy, monkeypatch):
    seen = []

    def spy(*arguments):
        seen.append(arguments[-1])
        raise GridError("far enough")

    monkeypatch.setattr(tuning, "hold_outs", spy)
    tracks = xr.zeros_like(noisy, bool)
    tracks[:, 10:20] = True
    with pytest.raises(GridError, match="far enough"):
        magxr.tune(noisy, measured=tracks[::-1], **SMALL)
    np.testing.assert_array_equal(seen[0], tracks.values)


def test_errors_are_those_of_hidden_cells(noisy):
    of = hiding.hold_outs(noisy, WAVE, 100.0, 0)[0]
    how = Candidate("d", {"rho": 4, "steps": 3})
    made = magxr.diffuse(of.filled, rho=4, steps=3, scale=100.0).values[of.scored]
    want = np.sum((made.astype("f8") - noisy.values[of.scored]) ** 2)
    assert of.errors(how).sum() == pytest.approx(want)
    assert hiding.gain(of.errors(how), of.errors(how))[0] == 0
    half = hiding.gain(np.full(20, 4.0), np.full(20, 1.0))
    assert half == pytest.approx((0.5, 0.5, 0.5))


def test_the_part_with_most_stripes_is_taken():
    values = noise((64, 192), 30.0)
    values[:, 96:] += striped((64, 96))
    lazy = map_of(values).chunk({"lat": 64, "lon": 96})
    for da, dim in ((lazy, "lon"), (lazy.T, "lon")):
        part, found = best_part(da, size=32, stride=8, side=96)
        assert part.sizes[dim] == 96
        assert float(part.lon.min()) > float(lazy.lon[64])
        assert stripes(found, part).answered > 10


@pytest.mark.parametrize("strike", [0.0, 90.0, 40.0])
def test_wavelengths_are_in_cells_of_the_pixel_grid_at_any_latitude(strike):
    da = map_of(striped((128, 128), strike, wave=12.0))
    north = da.assign_coords(lat=da.lat + 60.0)
    found = magxr.wavelength(north, size=64, stride=16)
    assert stripes(found, north).cells == pytest.approx(12.0, rel=0.03)


def test_dask_and_flips_change_nothing(noisy):
    how = {**SMALL, "variances": (), "candidates": {"one": {"rho": 8, "steps": 10}}}
    one = magxr.tune(noisy, **how)
    again = magxr.tune(noisy.chunk({"lat": 64, "lon": 72}), **how)
    xr.testing.assert_identical(again.table, one.table)
    assert again.chosen == one.chosen == how["candidates"]["one"]
    other = magxr.tune(noisy[::-1].T, **how)
    np.testing.assert_allclose(other.table.gain, one.table.gain)


def labelled_map():
    """Noisy stripes in the west, noise of the same strength in the east; one label each 64 cells."""
    shape = (320, 512)
    values = noise(shape, 75.0)
    values[:, :256] = 0.5 * striped(shape)[:, :256] + noise(shape, 65.0, 1)[:, :256]
    da = map_of(values)
    cut = windows(da, size=64, stride=64)
    mask = xr.zeros_like(da).astype("f4")
    mask[:, :256] = 1
    mask.attrs = {}
    return da, magxr.label_windows(cut, mask=mask)


LABELS = {"size": 64, "stride": 64, "seeds": (0, 1), "variances": ()}


def test_labels_judge_by_windows_that_were_not_trained_on():
    da, table = labelled_map()
    own = {"weak": {"sigma": 1, "rho": 4, "steps": 1}, "rule": by_rule(WAVE)["rho 1/2, along 1/4"]}
    told = magxr.tune(da, table, candidates=own, **LABELS)
    assert told.table.candidate.values.tolist() == ["weak", "rule"]
    assert (told.table.balanced_accuracy > 0.5).all()
    assert (told.table.balanced_accuracy_low <= told.table.balanced_accuracy).all()
    assert "balanced accuracy" in told.report()
    off = told.table.attrs["off"][0]
    np.testing.assert_allclose(told.table.balanced_accuracy - off, told.table.gain)
    assert f"| off | {off:.3f} (" in told.report()
    assert (told.chosen is None) == (
        not bool(((told.table.gain_low > 0) & (told.table.noise_high <= 0.05)).any())
    )
    shuffled = table.copy()
    shuffled["label"] = table.label.copy(data=np.random.default_rng(0).permutation(table.label.values))
    chance = magxr.tune(da, shuffled, candidates=own, **LABELS)
    assert chance.chosen is None
    assert (abs(chance.table.balanced_accuracy - 0.5) < 0.25).all()


def test_features_may_be_a_function_and_see_diffused_windows():
    da, table = labelled_map()
    seen = []

    def spread(cut):
        seen.append(cut)
        return cut.std(axis=(1, 2))[:, None]

    magxr.tune(da, table, features=spread, candidates={"one": {"steps": 2}}, **LABELS)
    before, after = (np.concatenate(s) for s in (seen[: len(seen) // 2], seen[len(seen) // 2 :]))
    assert before.shape == (40, 64, 64)
    diffused = windows(magxr.diffuse(da, steps=2), size=64, stride=64)
    np.testing.assert_array_equal(after, diffused.anomaly.values)
    with pytest.raises(ParameterError, match="one row of finite numbers"):
        magxr.tune(da, table, features=lambda w: w[:3, 0], candidates={"one": {"steps": 2}}, **LABELS)


def blocks_of_five():
    """Twelve blocks of five windows of both classes, side by side."""
    truth = np.tile([0, 1, 1, 0, 1], 12)
    return truth, np.repeat(np.arange(12), 5), np.column_stack([np.arange(60), np.zeros(60, int)])


def test_folds_keep_blocks_whole_and_windows_that_touch_apart():
    truth, blocks, positions = blocks_of_five()
    codes = crossing.codes_of(truth, blocks, positions * 10, 11, folds=4, seed=0)
    assert ((codes == TEST).sum(axis=0) == 1).all()
    for own in codes:
        assert set(own) == {TEST, TRAIN, LEFT_OUT}
        assert all(len(set(own[blocks == b] == TEST)) == 1 for b in range(12))
        beside = np.convolve(own == TEST, [1, 0, 1], "same") > 0
        np.testing.assert_array_equal(own == LEFT_OUT, beside & (own != TEST))
    with pytest.raises(ParameterError, match="share no cell"):
        crossing.codes_of(truth, blocks, positions, 100, folds=4, seed=0)


def test_heads_answer_for_windows_of_blocks_they_have_not_seen():
    truth, blocks, positions = blocks_of_five()
    codes = crossing.codes_of(truth, blocks, positions * 10, 10, folds=4, seed=0)
    values = truth[:, None] + np.random.default_rng(0).normal(0, 0.1, (60, 3))
    assert ((crossing.out_of_fold(values, truth, codes) > 0.5) == truth).all()
    tested = codes[1] == TEST
    other = np.where(tested, 1 - truth, truth)
    np.testing.assert_array_equal(
        crossing.out_of_fold(values, other, codes)[tested], crossing.out_of_fold(values, truth, codes)[tested]
    )


def test_features_that_tell_nothing_in_a_fold_answer_a_half_there():
    truth, blocks, positions = blocks_of_five()
    codes = crossing.codes_of(truth, blocks, positions * 10, 10, folds=4, seed=0)
    values = np.where(codes[2] == TEST, truth, 3.0)[:, None]
    with pytest.warns(MagxrWarning, match="collapsed: every training window gets the same"):
        told = crossing.out_of_fold(values, truth, codes)
    np.testing.assert_array_equal(told == 0.5, codes[2] == TEST)


def test_paired_gains_do_not_widen_by_what_both_miss():
    rng = np.random.default_rng(2)
    blocks, truth = np.repeat(np.arange(20), 4), np.tile([0, 1], 40)
    hard = np.isin(blocks, rng.choice(20, 10, replace=False))
    right = np.where(truth == 1, 0.9, 0.1)
    both = np.where(hard, 1 - right, right)
    assert crossing.paired_gain(truth, both, both, blocks) == (0, 0, 0)
    gain, low, high = crossing.paired_gain(truth, both, right, blocks)
    assert gain == pytest.approx(0.5)
    assert low < 0.5 < high
    assert low > 0.2


def test_features_are_the_aligned_models_or_a_trunks_or_own():
    cut = np.stack([striped((64, 64)), noise((64, 64), 50.0)])
    np.testing.assert_array_equal(extractor("alignment", 64)(cut), alignment(cut))
    assert extractor(np.std, 8) is np.std


def test_report_and_figure_hold_every_candidate(found):
    text = found.report()
    figure = found.figure()
    shown = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    for name in found.table.candidate.values:
        assert f"| {name} | " in text
        assert name in shown
    assert "diffuse(sigma=1.0" in text
    assert found.to_text().splitlines()[1] == found.reason


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"seeds": (1,)}, r"seeds=\(1,\) must be at least two"),
        ({"made_up": 2}, "made_up=2 must be a number"),
        ({"variances": (1.5,)}, "variances=1.5 must be a number"),
        ({"folds": 2}, "folds=2 must be a whole number of at least 3"),
        ({"side": 32}, "side=32 must be a whole number of at least 64"),
        ({"block": 0}, "block=0 must be a whole number"),
        ({"candidates": {}}, "at least one diffusion"),
        ({"candidates": {"off": {}}}, "none 'off'"),
        ({"candidates": {"a": 3}}, "candidate 'a' is 3"),
        ({"candidates": {"a": {"rho": -1}}}, "rho=-1"),
        ({"labels": "t.csv", "features": 3}, "features=3 must be 'alignment', the name of a trunk"),
        ({"labels": "t.csv", "features": "orientation"}, "features='orientation' must be 'alignment'"),
        ({"labels": "t.csv", "size": 63}, "size=63: features='alignment' needs windows of 64 cells or more"),
    ],
)
def test_refused_before_any_work(noisy, arguments, match):
    with nothing_computes(), pytest.raises(ParameterError, match=match):
        magxr.tune(noisy.chunk(), **{**SMALL, **arguments})


def test_refused_maps_and_labels(noisy):
    with pytest.raises((GridError, ParameterError), match="500"):
        magxr.tune(noisy, size=500)
    for empty in (noisy * np.nan, (noisy * np.nan).chunk()):
        with pytest.raises(GridError, match=r"no data|missing"):
            magxr.tune(empty.assign_attrs(noisy.attrs), **SMALL)
    da, table = labelled_map()
    one = table.copy()
    one["label"] = xr.ones_like(table.label)
    with pytest.raises(ParameterError, match="both classes"):
        magxr.tune(da, one, **LABELS)
    with pytest.raises(ParameterError, match="4 groups for folds=5"):
        magxr.tune(da, table, block=256, **LABELS)
    with pytest.raises(ParameterError, match=r"other windows|outside the region"):
        magxr.tune(da[:96], table, **LABELS)
    with pytest.raises(ParameterError, match="leave one of them out"):
        magxr.tune(da, table, measured=da.notnull(), **LABELS)
    with pytest.raises(ParameterError, match="truth values"):
        magxr.tune(noisy, measured=noisy, **SMALL)
    with pytest.raises(GridError, match="measured has no cell"):
        magxr.tune(noisy, measured=noisy.notnull()[:90], **SMALL)
    few = noisy.where(noisy.lat < noisy.lat[12])
    with pytest.raises(GridError, match="lie in 5 blocks of 32 x 32 cells, too few"):
        hiding.hold_outs(few, WAVE, 100.0, 0)


def test_judges_keep_what_they_know():
    """Every candidate's windows are cut and judged once, however often it is asked for."""
    da, table = labelled_map()
    calls = []

    def counted(cut):
        calls.append(len(cut))
        return np.random.default_rng(0).normal(size=(len(cut), 2))

    judge = judges.LabelledWindows.of(
        da, labels=table, features=counted, size=64, stride=64, block=None, folds=5, seed=0
    )
    off, one = Candidate("off", None), Candidate("one", {"steps": 1})
    judge.compare([one], off)
    judge.compare([one], off)
    assert sum(calls) == 80
