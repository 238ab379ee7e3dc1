"""The cache of features: each window once, whatever it comes in and however often."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

from magxr.errors import GridError, ModelError, StoreError
from magxr.models import features as module
from magxr.steps.features import features

RNG = np.random.default_rng(0)
WINDOWS = RNG.normal(size=(150, 8, 8)).astype("f4")


@pytest.fixture
def trunk(monkeypatch):
    """A trunk that takes no time and counts what it sees."""
    seen = []

    def cheap(name, windows, *, kind, **_):
        seen.extend(range(len(windows)))
        return windows.reshape(len(windows), -1)[:, : 4 if kind == "pooled" else 16].astype("f4") + 1

    monkeypatch.setattr(module.worker, "features", cheap)
    return seen


def expected(windows=WINDOWS, n=4):
    return windows.reshape(len(windows), -1)[:, :n] + 1


def test_computed_once_found_again_and_equal(trunk, tmp_path):
    first = features(WINDOWS, cache=tmp_path / "c")
    assert (first.hits, first.computed, first.duplicates, len(trunk)) == (0, 150, 0, 150)
    again = features(WINDOWS, cache=tmp_path / "c")
    assert (again.hits, again.computed, len(trunk)) == (150, 0, 150)
    for made in (first, again):
        assert made.shape == (150, 4)
        np.testing.assert_array_equal(made.read(), expected())
        np.testing.assert_array_equal(np.asarray(made), expected())
        rows = np.array([140, 3, 3, 77])
        np.testing.assert_array_equal(made.read(rows), expected()[rows])
        np.testing.assert_array_equal(np.concatenate(list(made.blocks(64))), expected())
        lazy = made.dask(64)
        assert lazy.chunks == ((64, 64, 22), (4,))
        np.testing.assert_array_equal(lazy.compute(), expected())


def test_other_windows_other_kinds_and_other_sizes_are_other_features(trunk, tmp_path):
    features(WINDOWS, cache=tmp_path / "c")
    more = features(np.concatenate([WINDOWS[:10], WINDOWS[:5] ** 2]), cache=tmp_path / "c")
    assert (more.hits, more.computed) == (10, 5)
    assert features(WINDOWS, kind="flat", cache=tmp_path / "c").computed == 150
    assert features(WINDOWS, dtype="float16", cache=tmp_path / "c").computed == 150
    assert features(WINDOWS[:, :7, :7], cache=tmp_path / "c").computed == 150


def test_copies_are_computed_once(trunk, tmp_path):
    doubled = np.concatenate([WINDOWS[:20], 4 * WINDOWS[:20], WINDOWS[:3]])
    made = features(doubled, cache=tmp_path / "c")
    assert (made.hits, made.computed, made.duplicates) == (0, 20, 23)
    np.testing.assert_array_equal(made.place[:20], made.place[20:40])
    assert made.keys[0] == made.keys[20] == made.keys[40] != made.keys[1]


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_dask_arrays_and_labelled_ones_give_the_same(trunk, tmp_path, scheduler):
    lazy = xr.DataArray(da.from_array(WINDOWS, chunks=(33, 8, 8)), dims=("window", "row", "column"))
    with dask.config.set(scheduler=scheduler):
        made = features(lazy, cache=tmp_path / "c")
    assert made.computed == 150
    np.testing.assert_array_equal(made.read(), expected())
    assert features(WINDOWS, cache=tmp_path / "c").hits == 150
    apart = features(da.from_array(WINDOWS, chunks=(33, 4, 8)), cache=tmp_path / "c")
    assert apart.hits == 150


def test_workers_of_a_cluster_fill_the_same_folder(trunk, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None):
        made = features(da.from_array(WINDOWS, chunks=(40, 8, 8)), cache=tmp_path / "c")
    assert made.computed == 150
    np.testing.assert_array_equal(made.read(), expected())


def test_an_iterable_is_gone_through_once(trunk, tmp_path):
    given = (WINDOWS[i : i + 40] for i in range(0, 150, 40))
    made = features(given, cache=tmp_path / "c")
    assert (made.computed, made.shape) == (150, (150, 4))
    np.testing.assert_array_equal(made.read(), expected())
    assert features((WINDOWS[i : i + 7] for i in range(0, 70, 7)), cache=tmp_path / "c").hits == 70


def test_without_a_cache_features_stay_in_memory(trunk):
    made = features(WINDOWS)
    assert (made.hits, made.computed) == (0, 150)
    np.testing.assert_array_equal(made.read(), expected())


def test_an_interrupted_computation_goes_on(trunk, tmp_path, monkeypatch):
    real, calls = module.worker.features, []

    def dies(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(module.worker, "features", dies)
    with dask.config.set(scheduler="sync"), pytest.raises(KeyboardInterrupt):
        features(WINDOWS, cache=tmp_path / "c")
    made = features(WINDOWS, cache=tmp_path / "c")
    assert made.hits in (128, 86)  # two segments of at most 64 were done
    assert made.computed == 150 - made.hits
    np.testing.assert_array_equal(made.read(), expected())


def test_a_torn_chunk_is_computed_again(trunk, tmp_path, caplog):
    made = features(WINDOWS, cache=tmp_path / "c")
    path = made.segments[0].path
    chunk = next(p for p in (path / "c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-30])
    with pytest.raises(StoreError, match="is damaged"):
        made.read()
    with caplog.at_level("WARNING", logger="magxr.features"):
        again = features(WINDOWS, cache=tmp_path / "c")
    lost = len(made.segments[0])
    assert (again.hits, again.computed) == (150 - lost, lost)
    assert f"computing the features of {lost} windows again" in caplog.text
    np.testing.assert_array_equal(again.read(), expected())


def test_float16_is_refused_where_it_is_too_narrow(trunk, tmp_path):
    made = features(WINDOWS, dtype="float16", cache=tmp_path / "c")
    assert made.dtype == np.float16
    np.testing.assert_array_equal(made.read(), expected().astype("f2"))
    with pytest.raises(ModelError, match="that float16 does not hold; keep them as float32"):
        features(1e6 * WINDOWS + 1e6, dtype="float16")


def test_bad_input(trunk, tmp_path):
    with pytest.raises(GridError, match="there are no windows"):
        features(WINDOWS[:0])
    with pytest.raises(GridError, match="there are no windows"):
        features(iter([]))
    with pytest.raises(ModelError, match="expected float windows"):
        features(WINDOWS[0])
    with pytest.raises(ModelError, match="unknown kind of features 'deep'; there are"):
        features(WINDOWS, kind="deep")
    with pytest.raises(ModelError, match="unknown trunk"):
        features(WINDOWS, trunk="vgg11")
    with pytest.raises(ValueError, match="dtype='int8'"):
        features(WINDOWS, dtype="int8")
    assert trunk == []


@pytest.mark.network_model
def test_the_real_trunk_gives_what_the_worker_gives(tmp_path):
    from magxr.models import worker

    windows = RNG.normal(size=(3, 40, 40)).astype("f4")
    flat = features(windows, kind="flat", cache=tmp_path / "c")
    pooled = features(windows, cache=tmp_path / "c")
    np.testing.assert_array_equal(pooled.read(), worker.features("vgg16-hed", windows))
    maps = flat.read().reshape(3, -1, 512).astype("f8")
    np.testing.assert_allclose(maps.mean(axis=1), pooled.read()[:, :512], rtol=1e-4, atol=1e-4)
