"""Exact Gram matrices and products in a fixed order."""

from fractions import Fraction

import numpy as np
import pytest

from magxr.kernels import lowrank
from magxr.kernels.lowrank import Scale


def test_the_gram_matrix_does_not_depend_on_the_cut_or_the_order():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(20, 1500)) * 10.0 ** rng.integers(-4, 3, (20, 1500))).astype("f4")
    scale, bits = Scale(1.5, 13), lowrank.slice_bits(1500)
    whole = lowrank.gram([x], scale, bits)
    shuffled = lowrank.gram([x[:, rng.permutation(1500)]], scale, bits)
    parts = sum(
        lowrank.gram([x[:7, c], x[7:, c]], scale, bits) for c in (np.s_[700:], np.s_[:11], np.s_[11:700])
    )
    np.testing.assert_array_equal(shuffled, whole)
    np.testing.assert_array_equal(parts, whole)
    assert np.abs(whole).max() < 2**53
    np.testing.assert_array_equal(whole, np.rint(whole))


def test_the_gram_matrix_is_that_of_the_map():
    x = np.random.default_rng(0).normal(size=(6, 300)).astype("f4")
    x[2, 5] = np.nan
    scale, bits = Scale(0.25, 3), lowrank.slice_bits(300)
    high, cross = lowrank.gram([x], scale, bits)
    exact = [[Fraction(float(v)) - Fraction(1, 4) if v == v else Fraction(0) for v in row] for row in x]
    got = (high + cross * 2.0**-bits) * 2.0 ** (2 * scale.exponent - 2 * bits)
    want = [[float(sum(a * b for a, b in zip(r, s, strict=True))) for s in exact] for r in exact]
    np.testing.assert_allclose(got, want, atol=300 * 64 * 2.0 ** (-2 * bits))


@pytest.mark.parametrize("terms", [1, 2, 3, 4096, 4097, 100_000, 2**31])
def test_slices_are_as_wide_as_exact_sums_allow(terms):
    bits = lowrank.slice_bits(terms)
    assert terms * 2 ** (2 * bits) <= 2**53
    assert bits == 26 or terms * 2 ** (2 * bits + 2) > 2**52


def test_products_do_not_depend_on_the_blocks():
    rng = np.random.default_rng(2)
    vectors, block = rng.normal(size=(31, 5)), rng.normal(size=(31, 203))
    none = np.zeros((5, 203))
    whole = lowrank.project(none, vectors, block)
    south = lowrank.project(none, vectors[:9], block[:9])
    np.testing.assert_array_equal(lowrank.project(south, vectors[9:], block[9:]), whole)
    np.testing.assert_array_equal(lowrank.project(none[:, :77], vectors, block[:, 3:80]), whole[:, 3:80])
    np.testing.assert_allclose(whole, vectors.T @ block, rtol=1e-12, atol=1e-12)
    back = lowrank.expand(vectors, whole)
    np.testing.assert_array_equal(lowrank.expand(vectors[4:20], whole[:, 100:]), back[4:20, 100:])
    np.testing.assert_allclose(back, vectors @ whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("variance", "rank"), [(0.5, 1), (0.6, 1), (0.61, 2), (0.9, 2), (0.901, 3), (1.0, 3)]
)
def test_the_rank_is_the_least_that_holds_the_variance(variance, rank):
    squares = np.array([6.0, 3.0, 1.0, 0.0])
    assert lowrank.choose_rank(squares, variance, None)[0] == rank
    assert lowrank.choose_rank(squares, 0.98, 2) == (2, 0.9)
    assert lowrank.choose_rank(0 * squares, variance, None) == (0, 1.0)
