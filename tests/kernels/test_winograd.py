"""Convolutions by Winograd's filtering against sums in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magxr.kernels.plane import convolve_plane
from magxr.kernels.winograd import convolve, transformed


def direct(x, kernel, bias, dilation=1):
    rows, columns = (n - 2 * dilation for n in x.shape[:2])
    total = np.broadcast_to(bias.astype("f8"), (rows, columns, len(bias))).copy()
    for i in range(3):
        for j in range(3):
            part = x[dilation * i : dilation * i + rows, dilation * j : dilation * j + columns]
            total += part.astype("f8") @ kernel[i, j].astype("f8")
    return np.maximum(total, 0)


def layer(shape, channels, seed=0):
    rng = np.random.default_rng(seed)
    x = np.maximum(rng.normal(size=(*shape, channels[0])), 0).astype("f4")
    kernel = rng.normal(size=(3, 3, *channels)) / np.sqrt(4.5 * channels[0])
    return x, kernel.astype("f4"), rng.normal(size=channels[1]).astype("f4")


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 3),
    st.integers(0, 1),
    st.integers(1, 3),
    st.integers(0, 2**16),
)
def test_equals_the_sum_over_nine_cells(size, dilation, skip, threads, seed):
    shape = tuple(n + skip + 2 * dilation for n in size)
    x, kernel, bias = layer(shape, (7, 5), seed)
    got = convolve(x, transformed(kernel), bias, dilation=dilation, skip=skip, threads=threads)
    want = direct(x[skip:, skip:], kernel, bias, dilation)
    assert got.shape == (*size, 5)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=0, atol=3e-6 * max(want.max(), 1))


@pytest.mark.parametrize("size", [(2, 2), (8, 8), (9, 14), (3, 31)])
@pytest.mark.parametrize("skip", [0, 1])
def test_maxima_of_squares_are_those_of_what_is_not_pooled(size, skip):
    x, kernel, bias = layer(tuple(n + 2 + skip for n in size), (6, 4))
    whole = convolve(x, transformed(kernel), bias, skip=skip)
    rows, columns = (n // 2 for n in size)
    want = whole[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 4).max(axis=(1, 3))
    np.testing.assert_array_equal(convolve(x, transformed(kernel), bias, skip=skip, pool=True), want)


def test_rounding_stays_small_over_many_channels():
    """Off by 1.1e-6 of the size of values, root mean square; points 0, 1, -1, 2, -2 would give 2.5e-6."""
    x, kernel, bias = layer((34, 34), (256, 64))
    got, want = convolve(x, transformed(kernel), bias), direct(x, kernel, bias)
    assert np.sqrt(np.mean((got - want) ** 2)) < 1.8e-6 * want.std()


def test_many_groups_of_tiles_on_any_number_of_threads_give_the_same_bits():
    x, kernel, bias = layer((90, 130), (64, 64))
    one = convolve(x, transformed(kernel), bias)
    for threads in (2, 5):
        np.testing.assert_array_equal(convolve(x, transformed(kernel), bias, threads=threads), one)
    np.testing.assert_allclose(one, direct(x, kernel, bias), rtol=0, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_plane(threads):
    x, kernel, bias = layer((17, 23), (1, 8))
    got = convolve_plane(x[..., 0], kernel.reshape(9, 8), bias, threads=threads)
    np.testing.assert_allclose(got, direct(x, kernel, bias), rtol=0, atol=1e-6)


def test_what_is_not_finite_stays_where_it_is_read():
    x, kernel, bias = layer((20, 20), (3, 2))
    x[4, 5] = np.nan
    got = convolve(x, transformed(kernel), bias)
    spoilt = ~np.isfinite(got).all(axis=2)
    assert spoilt[2:5, 3:6].all()
    assert not spoilt[8:, :].any()
    assert not spoilt[:, 8:].any()
