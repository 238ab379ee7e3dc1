"""Windows cut on the network's device are those that are cut in memory. Here the device is the processor."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magxr import classify
from magxr.errors import ModelError
from magxr.models import engine, ondevice, spec, worker
from magxr.models.ahead import ready
from magxr.models.ondevice import Slicer, slicer
from magxr.testing import wavy_sea_floor


@pytest.fixture(scope="module")
def ops():
    return engine.start().ops


def places(rows, columns, size):
    return [np.s_[r : r + size, c : c + size] for r, c in zip(rows, columns, strict=True)]


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(24, 60), st.integers(24, 60)),
    size=st.integers(2, 24),
    gaps=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    scale=st.sampled_from([1e-30, 1.0, 300.0, 1e30]),
    count=st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_what_is_cut_there_is_what_is_cut_in_memory(ops, seed, shape, size, gaps, scale, count):
    rng = np.random.default_rng(seed)
    block = (scale * rng.normal(size=shape)).astype("f4")
    block[:12, :12] = 250.0  # flat windows
    block[rng.random(shape) < gaps] = np.nan
    rows = rng.integers(0, shape[0] - size + 1, count)
    columns = rng.integers(0, shape[1] - size + 1, count)
    windows = places(rows, columns, size)
    found = Slicer(ops, block, size, 5)(windows)
    expected = ready(np.stack([block[at] for at in windows]), 5)
    assert len(found) == len(expected) == count
    assert found.images.shape == expected.images.shape
    # XLA rounds some quotients the other way
    last_digit = 1 if engine.start().backend.backend() == "jax" else 0
    np.testing.assert_array_max_ulp(np.asarray(found.images)[:count], expected.images[:count], last_digit)


def test_a_block_goes_there_once_and_windows_do_not(ops):
    sent = []

    class Watched:
        def __getattr__(self, name):
            return getattr(ops, name)

        def convert_to_tensor(self, values, *given, **named):
            sent.append(np.asarray(values).size)
            return ops.convert_to_tensor(values, *given, **named)

    there = Slicer(Watched(), np.zeros((50, 60), "f4"), 20, 4)
    for n in range(3):
        there(places(np.arange(4) + n, np.arange(4), 20))
    assert sent == [50 * 60, 20 * 20, 4, 4, 4]


def test_on_the_processor_windows_are_cut_in_memory():
    assert not engine.accelerated()
    assert slicer(spec.load("transfer"), np.zeros((300, 300), "f4")) is None


def test_a_model_without_a_network_starts_no_keras(monkeypatch):
    monkeypatch.setattr(engine, "start", lambda: pytest.fail("Keras was started"))
    assert slicer(spec.load("default"), np.zeros((300, 300), "f4")) is None


def test_more_cells_than_integers_are_refused(ops, monkeypatch):
    monkeypatch.setattr(ondevice, "_MOST", 2500)
    with pytest.raises(ModelError, match=r"fewer than 2\^31 cells, not 50 x 50; .*chunk"):
        Slicer(ops, np.zeros((50, 50), "f4"), 20, 4)


@pytest.mark.network_model
def test_a_map_is_classified_alike(monkeypatch):
    da = wavy_sea_floor((270, 290))
    da[100:140, 30:60] = np.nan
    model = replace(spec.load("transfer"), batch=3)
    given = {"model": model, "stride": 10, "check_spacing": False}
    expected = classify(da, **given)
    made = []

    def forced(asked, block):
        made.append(block.shape)
        return Slicer(engine.start().ops, block, asked.window, asked.batch)

    monkeypatch.setattr(ondevice, "slicer", forced)
    monkeypatch.setattr(worker, "prepare", lambda *given: pytest.fail("windows were cut in memory"))
    found = classify(da, **given)
    assert len(made) == 1
    assert int(found.linear_probability.notnull().sum()) > 10
    np.testing.assert_array_equal(found.linear_probability, expected.linear_probability)
