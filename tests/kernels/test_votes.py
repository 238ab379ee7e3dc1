"""The neighbour vote against the obvious implementation, and against passes over the whole map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magxr.kernels.areas import areas
from magxr.kernels.votes import vote
from tests.kernels import ballots

RULE = {"neighbours": 3, "keep": (0.3, 0.7), "majority": 0.5, "cut": 0.5, "to": "certain", "ties": "keep"}


def slowly(p, where=None, sides=None, *, neighbours, keep, majority, cut, to, ties):
    """Read the rule aloud, one prediction at a time."""
    half = neighbours // 2
    out = p.copy()
    low, high, middle = np.float32(keep[0]), np.float32(keep[1]), np.float32(cut)
    for i, j in np.ndindex(p.shape):
        if np.isnan(p[i, j]) or p[i, j] > high or p[i, j] < low:
            continue
        if where is not None and not where[i, j]:
            continue
        box = (slice(max(0, i - half), i + half + 1), slice(max(0, j - half), j + half + 1))
        voters = p[box] if sides is None else p[box][sides[box] == sides[i, j]]
        voters = voters[~np.isnan(voters)]
        above = (voters > middle).sum() / voters.size >= majority
        below = (voters < middle).sum() / voters.size >= majority
        top, bottom = (1.0, 0.0) if to == "certain" else (voters.max(), voters.min())
        if above and below:
            out[i, j] = {"keep": p[i, j], "linear": top, "nonlinear": bottom}[ties]
        elif above:
            out[i, j] = top
        elif below:
            out[i, j] = bottom
    return out


@given(
    seed=st.integers(0, 10_000),
    neighbours=st.sampled_from([1, 3, 5, 25]),
    majority=st.sampled_from([0.5, 0.4, 0.7, 1.0]),
    to=st.sampled_from(["certain", "extreme"]),
    ties=st.sampled_from(["keep", "linear", "nonlinear"]),
    parted=st.booleans(),
    somewhere=st.booleans(),
)
def test_equals_the_obvious(seed, neighbours, majority, to, ties, parted, somewhere):
    rng = np.random.default_rng(seed)
    p = rng.choice(np.float32([0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, np.nan]), size=(11, 14))
    where = rng.random(p.shape) < 0.5 if somewhere else None
    sides = rng.integers(0, 3, p.shape) if parted else None
    rule = {
        "neighbours": neighbours,
        "keep": (0.3, 0.7),
        "majority": majority,
        "cut": 0.5,
        "to": to,
        "ties": ties,
    }
    got = vote(p, where, sides, **rule)
    np.testing.assert_array_equal(got, slowly(p, where, sides, **rule))
    assert got.dtype == np.float32


def labels_of(kind, shape, rng):
    """Nothing, noise, bands, areas with holes in them, or labels that are hard to compare."""
    rows, cols = np.indices(shape)
    if kind == "noise":
        return rng.integers(0, rng.integers(1, 60), shape)
    if kind == "bands":
        return np.floor((rows * rng.random() + cols * rng.random()) / rng.integers(1, 6)).astype("f4")
    if kind == "areas":
        y, x = rng.random((2, rng.integers(1, 9), 1, 1)) * np.reshape(shape, (2, 1, 1, 1))
        found = ((rows - y) ** 2 + (cols - x) ** 2).argmin(axis=0).astype("f8")
        return np.where(rng.random(shape) < 0.1, np.nan, found)
    if kind == "odd":
        return rng.choice([np.nan, -np.inf, np.inf, 0.0, -0.0, 3.5], size=shape)
    return None


@settings(max_examples=300)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    neighbours=st.integers(0, 15).map(lambda half: 2 * half + 1),
    keep=st.one_of(st.just((0.3, 0.7)), st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)),
    majority=st.one_of(st.sampled_from([0.5, 0.55, 1.0]), st.floats(0, 1, exclude_min=True)),
    cut=st.one_of(st.just(0.5), st.floats(0, 1)),
    to=st.sampled_from(["certain", "extreme"]),
    ties=st.sampled_from(["keep", "linear", "nonlinear"]),
    kind=st.sampled_from(["none", "noise", "bands", "areas", "odd"]),
    holes=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
    few=st.booleans(),
    somewhere=st.booleans(),
)
def test_equals_passes_over_the_map(seed, shape, kind, holes, few, somewhere, **rule):
    rng = np.random.default_rng(seed)
    p = rng.random(shape, dtype="f4")
    if few:
        p = rng.choice(np.float32([0.0, 0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 1.0]), size=shape)
    p[rng.random(shape) < holes] = np.nan
    where = np.where(rng.random(shape) < 0.1, np.nan, rng.random(shape) < 0.6) if somewhere else None
    sides = labels_of(kind, shape, rng)
    got = vote(p, where, sides, **rule)
    np.testing.assert_array_equal(got.view("u4"), ballots.vote(p, where, sides, **rule).view("u4"))


@pytest.mark.parametrize("to", ["certain", "extreme"])
@pytest.mark.parametrize("kind", ["none", "noise", "bands", "areas"])
def test_a_box_larger_than_the_map_holds_all_of_it(kind, to):
    rng = np.random.default_rng(5)
    p = rng.random((21, 33), dtype="f4")
    sides = labels_of(kind, p.shape, rng)
    rule = RULE | {"neighbours": 201, "to": to}
    np.testing.assert_array_equal(vote(p, None, sides, **rule), ballots.vote(p, None, sides, **rule))


def test_other_layouts_and_dtypes():
    rng = np.random.default_rng(6)
    p, sides = rng.random((30, 50)), rng.integers(0, 5, (30, 50)).astype("u1")
    for values, labels in ((p.T, sides.T), (p[::-2], sides[::-2]), (p.astype("f4"), sides % 2 == 0)):
        rule = RULE | {"neighbours": 5, "to": "extreme"}
        got = vote(values, None, labels, **rule)
        np.testing.assert_array_equal(got, ballots.vote(values, None, labels, **rule))
        assert got.dtype == values.dtype


def test_areas_list_the_columns_that_are_used():
    labels = np.array([[7.0, np.nan, 7.0], [7.0, 2.0, np.nan]])
    used = np.int8([[1, 1, 1], [1, 1, 0]])
    found = areas(labels, used)
    np.testing.assert_array_equal(found.number, [[2, 0, 2], [2, 1, 0]])
    np.testing.assert_array_equal(found.first, [0, 1, 2, 4])
    np.testing.assert_array_equal(found.columns, [1, 1, 0, 2])
    np.testing.assert_array_equal(found.slot[used == 1], [2, 0, 3, 2, 1])
    assert areas(np.full((2, 3), np.nan), used) is None


def test_the_papers_625_votes():
    p = np.full((25, 25), 0.4, "f4")
    p.ravel()[:313] = 0.6
    p[12, 12] = 0.65
    above = int((p > 0.5).sum())
    assert above in (313, 314)
    rule = RULE | {"neighbours": 25}
    assert vote(p, **rule)[12, 12] == 1.0
    # 312 of 625 are less than half: the other side has the majority.
    p.ravel()[np.flatnonzero(p.ravel() == np.float32(0.6))[: above - 312]] = 0.4
    assert (p > 0.5).sum() == 312
    assert vote(p, **rule)[12, 12] == 0.0


@pytest.mark.parametrize(("p", "stays"), [(0.3, False), (0.7, False), (0.29, True), (0.71, True)])
def test_the_limits_of_certainty_are_uncertain(p, stays):
    field = np.full((3, 3), 0.9, "f4")
    field[1, 1] = p
    assert (vote(field, **RULE)[1, 1] == np.float32(p)) == stays


@pytest.mark.parametrize(("ties", "want"), [("keep", 0.6), ("linear", 1.0), ("nonlinear", 0.0)])
def test_ties(ties, want):
    p = np.float32([[0.6, 0.4]])
    assert vote(p, **RULE | {"ties": ties})[0, 0] == np.float32(want)


def test_nobody_decides():
    p = np.full((5, 5), 0.5, "f4")
    for ties in ("keep", "linear", "nonlinear"):
        np.testing.assert_array_equal(vote(p, **RULE | {"ties": ties}), p)


def test_extremes_come_from_the_neighbours():
    p = np.float32([[0.9, 0.6, 0.6, 0.1, 0.2]])
    got = vote(p, **RULE | {"to": "extreme"})
    np.testing.assert_array_equal(got, np.float32([[0.9, 0.9, 0.6, 0.1, 0.2]]))


def test_a_share_that_does_not_round_is_still_reached():
    # 11 of 20 is 0.55, but 0.55 * 20 is 11.000000000000002.
    p = np.full((4, 5), 0.4, "f4")
    p.ravel()[:11] = 0.6
    assert vote(p, **RULE | {"neighbours": 9, "majority": 0.55})[0, 0] == 1.0


def test_sides_without_a_name_are_a_side():
    p = np.float32([[0.6, 0.1, 0.1]])
    got = vote(p, None, np.float32([[np.nan, 1, 1]]), **RULE)
    assert got[0, 0] == 1.0


@pytest.mark.parametrize("sides", [None, np.array([[1, 1, 2]])])
def test_a_majority_of_nobody_still_has_an_extreme(sides):
    p = np.float32([[0.4, 0.45, 0.35]])
    rule = RULE | {"majority": 1e-12, "to": "extreme", "ties": "linear"}
    want = [[0.45, 0.45, 0.45]] if sides is None else [[0.45, 0.45, 0.35]]
    np.testing.assert_array_equal(vote(p, None, sides, **rule), np.float32(want))
