"""Predictions on window centres: against a plain loop, over chunkings, edges, gaps and the globe."""

import pickle
import threading
import weakref
from dataclasses import dataclass, replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import GridError, MagxrWarning, ModelError, ParameterError
from magxr.kernels.windows import centres
from magxr.models import worker
from magxr.models.spec import load
from magxr.steps.classify import Predictor, classify
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor


@dataclass
class Fake:
    """Answers from the values and their places, window by window, so that any mix-up changes the answer."""

    window: int = 12
    batch: int = 7
    spacing: tuple[float, float] | None = None
    seen: int = 0

    def predict(self, windows):
        assert windows.dtype == np.float32
        assert windows.shape[1:] == (self.window, self.window)
        assert 1 <= len(windows) <= self.batch
        self.seen += len(windows)
        return np.array([one(w) for w in windows], dtype=np.float32)


def one(w):
    weight = np.sin(np.arange(w.size)).reshape(w.shape)
    return np.float32(np.nansum(w.astype("f8") * weight) % 1.0)


def loop(values, size, stride, max_missing, filled=None, *, pad=False, wrap=False, column0=0):
    """Classify the obvious way: every window whose centre lies in the map, one after the other."""
    far = 3 * size
    modes = ("symmetric", "wrap" if wrap else "symmetric")
    missing = ~np.isfinite(values) | (np.zeros(values.shape, bool) if filled is None else filled == 1)

    def grown(a, mode):
        return np.pad(np.pad(a, ((far, far), (0, 0)), mode[0]), ((0, 0), (far, far)), mode[1])

    big, gone = grown(values, modes), grown(missing, modes)
    real = np.pad(np.ones(values.shape, bool), ((far, far), (0, 0)))
    real = np.pad(real, ((0, 0), (far, far)), mode="wrap" if wrap else "constant")
    middle = (size - stride) // 2
    shift = (stride - 1) / 2

    def starts(n, wrap, anchor):
        for k in range(-far // stride, (n + far) // stride):
            begin = k * stride - anchor
            if wrap and 0 <= begin + middle < n:
                yield begin
            if not wrap and 0 <= begin + middle + shift <= n - 1:
                yield begin

    rows = list(starts(values.shape[0], False, 0))
    columns = list(starts(values.shape[1], wrap, column0 % stride))
    p = np.full((len(rows), len(columns)), np.nan, "f4")
    share = p.copy()
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            at = (slice(far + r, far + r + size), slice(far + c, far + c + size))
            if not pad and not real[at].all():
                continue
            missing_here = (gone[at] & real[at]).sum() / real[at].sum()
            share[i, j] = missing_here
            if missing_here <= max_missing and np.isfinite(big[at]).any():
                p[i, j] = one(np.where(np.isfinite(big[at]), big[at], np.nan))
    return p, share


def holed(shape, seed, share=0.15):
    da = wavy_sea_floor(shape, seed=seed)
    rng = np.random.default_rng(seed)
    hole = rng.random(shape) < share
    hole[: shape[0] // 3, : shape[1] // 3] = True
    filled = (rng.random(shape) < 0.1).astype("i1")
    return da.where(~hole).assign_coords(filled=(da.dims, filled))


@pytest.mark.parametrize("edges", ["none", "pad"])
@pytest.mark.parametrize(("size", "stride"), [(12, 4), (12, 2), (11, 3), (13, 1), (10, 10), (12, 6)])
def test_equals_a_plain_loop(edges, size, stride):
    da = holed((37, 50), 1)
    out = classify(da, model=Fake(size), stride=stride, max_missing=0.4, edges=edges)
    p, share = loop(da.values, size, stride, 0.4, da.filled.values, pad=edges == "pad")
    np.testing.assert_array_equal(out.linear_probability, p)
    np.testing.assert_array_equal(out.missing_share, share)
    assert np.isfinite(p).any()
    assert np.isnan(p).any()


def test_the_papers_geometry():
    """250 x 250 windows at stride 10: prediction on the central 10 x 10 cells, no answer within 120."""
    da = wavy_sea_floor((300, 320), spacing=0.012)
    out = classify(da, model=Fake(250, 8), stride=10)
    p = out.linear_probability
    assert p.shape == (30, 32)
    assert int(p.notnull().sum()) == 6 * 8
    np.testing.assert_allclose(p.lat, da.lat.values.reshape(30, 10).mean(axis=1))
    np.testing.assert_allclose(p.lon, da.lon.values.reshape(32, 10).mean(axis=1))
    assert bool(p[12:18, 12:20].notnull().all())
    assert float(p[12, 12]) == one(da.values[:250, :250])
    padded = classify(da, model=Fake(250, 8), stride=30, edges="pad")
    assert bool(padded.linear_probability.notnull().all())
    assert padded.sizes == {"lat": 10, "lon": 10 + 1}


@given(seed=st.integers(0, 10_000), edges=st.sampled_from(["none", "pad"]), stride=st.sampled_from([2, 4, 6]))
def test_chunked_equals_whole(seed, edges, stride):
    da = holed((40, 52), seed)
    whole = classify(da, model=Fake(), stride=stride, max_missing=0.5, edges=edges)
    chunks = dict(zip(da.dims, random_chunks(da.shape, 1, seed), strict=True))
    with nothing_computes():
        lazy = classify(da.chunk(chunks), model=Fake(), stride=stride, max_missing=0.5, edges=edges)
    xr.testing.assert_identical(lazy.compute(scheduler="sync"), whole)


def test_blocks_of_many_windows_stay_small_and_few():
    da = wavy_sea_floor((200, 200)).chunk(100)
    out = classify(da, model=Fake(), stride=2)
    assert out.chunks["lat"] == (17,) * 5 + (14,)
    name = out.linear_probability.data.name
    graph = out.linear_probability.__dask_graph__()
    assert len([k for k in graph if k[0] == name]) == 36
    assert len(graph) - 36 - 4 * 2 <= 4 * 36
    whole = classify(da.compute(), model=Fake(), stride=2)
    xr.testing.assert_identical(out.compute(scheduler="threads"), whole)


def test_the_same_call_has_the_same_name():
    da = wavy_sea_floor((80, 90)).chunk(30)
    names = [classify(da, model=Fake(), stride=4).linear_probability.data.name for _ in range(2)]
    assert names[0] == names[1]
    other = classify(da, model=Fake(), stride=4, max_missing=0.3).linear_probability.data.name
    assert other != names[0]


def test_small_chunks_leave_room_for_the_vote():
    out = classify(wavy_sea_floor((400, 400)).chunk(30), model=Fake(), stride=4)
    assert min(out.chunks["lat"]) >= 12


def test_layouts():
    da = holed((40, 52), 3)
    want = classify(da, model=Fake(), stride=4).linear_probability
    for other in (da[::-1], da[:, ::-1], da.T, da[::-1].T):
        out = classify(other, model=Fake(), stride=4).linear_probability
        assert out.dims == other.dims
        assert (out.lat.values[0] < out.lat.values[-1]) == (other.lat.values[0] < other.lat.values[-1])
        xr.testing.assert_equal(out.sortby(["lat", "lon"]).transpose(*want.dims), want)


def globe(seed=0):
    lon = -180.0 + 4.0 * (np.arange(90) + 0.5)
    lat = 4.0 * (np.arange(30) - 14.5)
    values = np.random.default_rng(seed).normal(0, 100, size=(30, 90)).astype("f4")
    return xr.DataArray(
        values,
        {"latitude": lat, "longitude": lon},
        ("latitude", "longitude"),
        "anomaly",
        {"units": "nT", "registration": "pixel"},
    )


@pytest.mark.parametrize("stride", [2, 6, 10])
def test_rolled_in_rolled_out(stride):
    da = globe()
    out = classify(da, model=Fake(), stride=stride).linear_probability
    assert bool(out.notnull()[5:-5].all() if stride == 2 else out.notnull().any())
    assert out.sizes["longitude"] == 90 // stride
    want, _ = loop(da.values, 12, stride, 0.2, wrap=True, column0=45)
    np.testing.assert_array_equal(out, want)

    def eastward(p):
        return p.assign_coords(longitude=np.round(p.longitude % 360, 6)).sortby("longitude")

    for roll in (7, 45, 88):
        inside = da.roll(longitude=roll, roll_coords=True)
        for other in (eastward(da), inside, inside[:, ::-1]):
            got = classify(other, model=Fake(), stride=stride).linear_probability
            xr.testing.assert_equal(eastward(got), eastward(out))
    lazy = classify(da.chunk({"latitude": 11, "longitude": 17}), model=Fake(), stride=stride)
    np.testing.assert_array_equal(lazy.linear_probability.compute(scheduler="sync"), out)


def test_answers_are_asked_for_only_where_wanted():
    fake = Fake()
    da = holed((40, 52), 5)
    out = classify(da, model=fake, stride=4, max_missing=0.3)
    assert fake.seen == int(out.linear_probability.notnull().sum()) > 0
    assert bool((out.missing_share.where(out.linear_probability.isnull()) > 0.3).sum() > 0)


def test_no_answer_rules():
    da = wavy_sea_floor((24, 36)).copy()
    da[:, :12] = np.nan
    kept = da.assign_coords(filled=(da.dims, np.zeros(da.shape, "i1")))
    kept.coords["filled"][:, 12:18] = 1
    half = classify(kept, model=Fake(), stride=12, max_missing=0.5)
    np.testing.assert_array_equal(half.missing_share, np.float32([[1, 0.5, 0], [1, 0.5, 0]]))
    np.testing.assert_array_equal(half.linear_probability.isnull(), [[True, False, False]] * 2)
    strict = classify(kept, model=Fake(), stride=12, max_missing=0.49)
    np.testing.assert_array_equal(strict.linear_probability.isnull(), [[True, True, False]] * 2)
    # A window without a single value has no answer whatever is allowed.
    lax = classify(kept, model=Fake(), stride=12, max_missing=1.0)
    np.testing.assert_array_equal(lax.linear_probability.isnull(), [[True, False, False]] * 2)


def test_result_describes_itself():
    ds = wavy_sea_floor((30, 40)).to_dataset().assign_coords(spatial_ref=0)
    out = classify(ds, model=Fake(), stride=4)
    assert out.linear_probability.dtype == np.float32
    assert out.missing_share.dtype == np.float32
    assert "spatial_ref" in out.coords
    attrs = out.linear_probability.attrs
    assert (attrs["window"], attrs["stride"], attrs["max_missing"]) == (12, 4, 0.2)
    assert attrs["model"] == "Fake"
    assert "classify(" in attrs["history"]
    assert out.lat.attrs["units"] == "degrees_north"


def test_the_seam_is_a_protocol_and_the_graph_pickles_small():
    assert isinstance(Fake(), Predictor)
    out = classify(wavy_sea_floor((60, 60)).chunk(30), model=Fake(), stride=4)
    assert len(pickle.dumps(dict(out.missing_share.data.dask))) < 200_000


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"stride": 0}, ParameterError, r"stride is 0; it must be a whole number of cells, at least 1"),
        ({"stride": 13}, ParameterError, r"stride 13 is larger than the window of 12"),
        ({"stride": 5}, ParameterError, r"window of 12 has no central 5 x 5 cells.*use stride 4 or 6"),
        ({"model": Fake(64)}, GridError, r"window of 64 x 64 cells is larger than the map of 40 x 50"),
        ({"max_missing": 1.5}, ParameterError, r"max_missing is 1\.5; it is a share"),
        ({"edges": "shift"}, ParameterError, r"edges is 'shift'; use 'none'.*or 'pad'"),
        ({"batch": 0}, ParameterError, r"batch is 0; it must be a whole number of windows"),
        ({"size": 250}, ModelError, r"size is 250, but the model reads windows of 12 cells"),
        ({"model": 3.5}, ModelError, r"model is 3\.5, which is not a model"),
        ({"model": "no-such-model"}, ModelError, r"no-such-model"),
        (
            {"model": Fake(spacing=(0.2, 0.8))},
            ModelError,
            r"spacing is 1\.2 x 1\.2 arcmin, but the model expects 0\.2 to 0\.8",
        ),
        ({"check_spacing": "maybe"}, ParameterError, r"check_spacing is 'maybe'"),
    ],
)
def test_refused(arguments, error, match):
    told = {"model": Fake(), "stride": 4} | arguments
    with nothing_computes(), pytest.raises(error, match=match):
        classify(wavy_sea_floor((40, 50)).chunk(20), **told)


def test_spacing_may_be_overridden():
    fake = Fake(spacing=(0.2, 0.8))
    da = wavy_sea_floor((40, 50))
    with pytest.warns(MagxrWarning, match=r"the model expects 0\.2 to 0\.8"):
        classify(da, model=fake, stride=4, check_spacing="warn")
    classify(da, model=fake, stride=4, check_spacing=False)
    classify(da, model=Fake(spacing=(1.2, 1.2)), stride=4)


def test_refused_around_the_globe():
    with pytest.raises(ParameterError, match=r"stride 4 does not divide the 90 columns.*3, 5, 6"):
        classify(globe(), model=Fake(), stride=4)


def test_a_model_that_answers_nonsense():
    class Wrong(Fake):
        def predict(self, windows):
            return np.zeros((len(windows), 2), "f4")

    with pytest.raises(ModelError, match=r"answered shape \(7, 2\), not \(7,\)"):
        classify(wavy_sea_floor((40, 50)), model=Wrong(), stride=4)


def test_a_real_tile(real_data):
    """EMAG2v3 off Chile, 512 x 512 cells with holes: no answer over them, chunked equals whole."""
    ds = xr.open_dataset(real_data / "emag2v3" / "chile_margin.nc")
    da = ds["magnetic_anomaly"].assign_attrs(units="nT").load()
    told = {"model": Fake(64, 32), "stride": 16}
    whole = classify(da, **told)
    lazy = classify(da.chunk({"lat": 200, "lon": 130}), **told)
    xr.testing.assert_identical(lazy.compute(scheduler="sync"), whole)
    p, share = loop(da.values, 64, 16, 0.2)
    np.testing.assert_array_equal(whole.linear_probability, p)
    np.testing.assert_array_equal(whole.missing_share, share)


def test_the_default_model_on_chunks():
    da = wavy_sea_floor((270, 310), spacing=0.012)
    whole = classify(da, stride=20, doubt=True)
    assert int(whole.linear_probability.notnull().sum()) == 2 * 4
    with nothing_computes():
        lazy = classify(da.chunk({"lat": 100, "lon": 170}), stride=20, batch=3, doubt=True)
    xr.testing.assert_equal(lazy.compute(scheduler="threads", num_workers=2), whole)


@pytest.mark.network_model
def test_the_transfer_model_on_chunks():
    """The network itself: chunked equals whole within 1e-5, and no class flips beyond that."""
    pytest.importorskip("tensorflow", reason="the transfer model needs magxr[tensorflow]")
    da = wavy_sea_floor((270, 310), spacing=0.012)
    whole = classify(da, model="transfer", stride=20).linear_probability
    assert int(whole.notnull().sum()) == 2 * 4
    lazy = classify(da.chunk({"lat": 100, "lon": 170}), model="transfer", stride=20, batch=3)
    lazy = lazy.linear_probability
    with nothing_computes():
        classify(da.chunk(90), model="transfer", stride=20)
    got = lazy.compute(scheduler="threads", num_workers=2)
    np.testing.assert_allclose(got, whole, rtol=0, atol=1e-5)
    for cut in (0.3, 0.5, 0.7):
        flips = ((got > cut) != (whole > cut)) & (abs(whole - cut) > 1e-5)
        assert not bool(flips.any())
    assert got.attrs["sha256"] == whole.attrs["sha256"]


@pytest.mark.network_model
def test_the_transfer_model_gets_the_same_batches_of_the_same_windows():
    """Cutting and scaling ahead change no bit of the answer."""
    pytest.importorskip("tensorflow", reason="the transfer model needs magxr[tensorflow]")
    da = wavy_sea_floor((270, 310), spacing=0.012)
    da[100:120, 50:90] = np.nan
    found = classify(da, model="transfer", stride=20, batch=3).linear_probability.values
    rows, columns = (centres(cells, 250, 20) for cells in da.shape)
    cut = [
        da.values[r : r + 250, c : c + 250]
        for r in map(rows.start, range(*rows.fits))
        for c in map(columns.start, range(*columns.fits))
    ]
    assert len(cut) == 8
    model = replace(load("transfer"), batch=3)
    expected = [worker.predict(model, np.stack(cut[n : n + 3])) for n in range(0, 8, 3)]
    np.testing.assert_array_equal(found[np.isfinite(found)], np.concatenate(expected))


def test_two_batches_exist_at_a_time():
    made, most, coming = [], [], threading.Semaphore(0)

    class Counting(Fake):
        def prepare(self, windows):
            made.append(weakref.ref(windows))
            most.append(sum(one() is not None for one in made))
            coming.release()
            return windows

        def predict(self, windows):
            while len(made) < min(self.seen // 7 + 2, 4):  # the next is there before this one goes
                assert coming.acquire(timeout=60)
            return super().predict(windows)

    classify(wavy_sea_floor((24, 36)), model=Counting(), stride=4)
    assert most == [1, 2, 2, 2]


class Failing(Fake):
    def prepare(self, windows):
        self.prepared = getattr(self, "prepared", 0) + 1
        if self.prepared == 3:
            raise ZeroDivisionError("the third batch")
        return windows


def test_an_error_in_a_batch_made_ahead_surfaces():
    model = Failing()
    with pytest.raises(ZeroDivisionError, match="the third batch"):
        classify(wavy_sea_floor((40, 50)), model=model, stride=4)
    assert model.seen == 2 * model.batch
    assert not [t for t in threading.enumerate() if t.name.startswith("magxr-ahead")]


def test_the_next_batch_is_cut_while_the_model_is_at_this_one():
    cut, seen = [threading.Event() for _ in range(4)], []

    class Slow(Fake):
        def prepare(self, windows):
            cut[len(seen_by_prepare)].set()
            seen_by_prepare.append(len(windows))
            return windows

        def predict(self, windows):
            seen.append(cut[min(len(seen) + 1, 3)].wait(60))
            return super().predict(windows)

    seen_by_prepare = []
    da = wavy_sea_floor((24, 36))
    assert int(classify(da, model=Slow(), stride=4).linear_probability.notnull().sum()) == 4 * 7
    assert seen == [True] * 4
    assert seen_by_prepare == [7] * 4
