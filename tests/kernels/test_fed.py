"""Fast explicit diffusion: its cycles, the oracle, blocks and the whole, what it keeps, how far it is off."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.kernels import diffusion, fed
from magxr.kernels.cycles import plan_cycles
from magxr.kernels.metric import LARGEST
from tests.kernels.oracle import oracle
from tests.kernels.test_diffusion import noise, span, stripes

RULE = {"alpha": 1e-3, "contrast": 2.56e-8, "scale": 70.0}


@pytest.mark.parametrize("time", [0.1, 5.0, 50.0, 400.0])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_cycles_add_up_and_are_stable(time, count):
    cycles = plan_cycles(time, count, LARGEST)
    assert len(cycles) == count
    assert math.fsum(map(math.fsum, cycles)) == pytest.approx(time, rel=1e-12)
    rates = np.linspace(0.0, 2.0 / LARGEST, 2001)
    for cycle in cycles:
        # A cycle multiplies a component of decay rate r by prod(1 - tau r): at most 1 up to the fastest rate.
        whole = np.prod([1.0 - tau * rates for tau in cycle], axis=0)
        assert np.abs(whole).max() <= 1.0 + 1e-9
        n = len(cycle)
        assert math.fsum(cycle) <= LARGEST * (n * n + n) / 3 * (1 + 1e-9)
        assert n == 1 or math.fsum(cycle) > LARGEST * (n * n - n) / 3 * (1 - 1e-9)  # no step too many


def test_the_order_of_steps_amplifies_nothing_by_much():
    (cycle,) = plan_cycles(LARGEST * (40**2 + 40) / 3, 1, LARGEST)
    assert len(cycle) == 40
    rates = np.linspace(0.0, 2.0 / LARGEST, 2001)

    def most(steps):
        return np.abs(np.cumprod([1.0 - tau * rates for tau in steps], axis=0)).max()

    # What is there is amplified by the first steps, what rounding adds on the way by the last.
    assert most(cycle) < 1e3
    assert most(cycle[::-1]) < 1e3
    assert most(sorted(cycle, reverse=True)) > 1e9


@pytest.mark.parametrize("shape", [(37, 45), (3, 40), (40, 3), (2, 2), (1, 20)])
@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize(("sigma", "rho"), [(1.0, 2.0), (0.0, 0.5), (0.6, 4.0)])
def test_cycles_equal_the_oracle(shape, gaps, sigma, rho):
    u = noise(shape, gaps=gaps)
    cycles = plan_cycles(6.0, 2, LARGEST)
    expected = oracle(u, cycles=cycles, sigma=sigma, rho=rho, **RULE)
    got = fed.fed(u, cycles=cycles, sigma=sigma, rho=rho, **RULE)
    single = fed.fed(u.astype("f4"), cycles=cycles, sigma=sigma, rho=rho, **RULE)
    assert got.dtype == np.float64
    assert single.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11 * span(u))
    # White noise next to gaps has no direction, and rounding turns what there is.
    np.testing.assert_allclose(single, expected, rtol=0, atol=3e-5 * span(u))


def test_more_steps_than_one_sweep_takes_and_more_columns_than_a_strip():
    u = noise((14, 1100), gaps=0.02)
    cycles = plan_cycles(13.0, 1, LARGEST)
    assert len(cycles[0]) > 2 * fed.TOGETHER
    expected = oracle(u, cycles=cycles, sigma=1.0, rho=1.0, **RULE)
    got = fed.fed(u, cycles=cycles, sigma=1.0, rho=1.0, **RULE)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11 * span(u))


@given(
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.002, 0.2]),
    dtype=st.sampled_from(["f4", "f8"]),
    time=st.sampled_from([0.4, 3.0, 9.0]),
    count=st.integers(1, 3),
)
def test_any_block_with_halo_equals_the_whole_bit_for_bit(seed, gaps, dtype, time, count):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, (90, 700)))
    u = noise(shape, seed, gaps, dtype)
    cycles = plan_cycles(time, count, LARGEST)
    whole = fed.fed(u, cycles=cycles, sigma=1.0, rho=1.0, **RULE)
    depth = sum(fed.reach(cycle, 1.0, 1.0) for cycle in cycles)
    r0, c0 = (int(rng.integers(0, n)) for n in shape)
    r1, c1 = (int(rng.integers(a + 1, n + 1)) for a, n in zip((r0, c0), shape, strict=True))
    halo = min(r0, depth), min(shape[0] - r1, depth), min(c0, depth), min(shape[1] - c1, depth)
    block = u[r0 - halo[0] : r1 + halo[1], c0 - halo[2] : c1 + halo[3]]
    got = fed.fed(block, cycles=cycles, sigma=1.0, rho=1.0, halo=halo, **RULE)
    np.testing.assert_array_equal(got, whole[r0:r1, c0:c1])


def test_the_reach_of_a_cycle_is_as_stated_and_no_more():
    (cycle,) = plan_cycles(4.0, 1, LARGEST)
    reach = fed.reach(cycle, 1.0, 4.0)
    assert reach == 3 + 12 + len(cycle)
    u = noise((100, 100))
    poked = u.copy()
    poked[50, 50] += 1e4
    before, after = (fed.fed(v, cycles=(cycle,), sigma=1.0, rho=4.0, **RULE) for v in (u, poked))
    rows, cols = np.nonzero(before != after)
    assert max(50 - rows.min(), rows.max() - 50, 50 - cols.min(), cols.max() - 50) <= reach
    assert cols.max() - cols.min() >= 2 * reach - 2


def test_one_cycle_of_one_step_is_one_explicit_step_bit_for_bit():
    u = noise((60, 70), gaps=0.02, dtype="f4")
    explicit = diffusion.diffuse(u, steps=1, tau=0.25, sigma=1.0, rho=2.0, **RULE)
    np.testing.assert_array_equal(fed.fed(u, cycles=((0.25,),), sigma=1.0, rho=2.0, **RULE), explicit)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_the_mean_is_kept_and_the_energy_falls(dtype, gaps):
    u = stripes((150, 170), noisy=20.0, dtype=dtype)
    if gaps:
        u[np.isnan(noise(u.shape, 3, gaps))] = np.nan
    got = fed.fed(u, cycles=plan_cycles(25.0, 5, LARGEST), sigma=1.0, rho=4.0, **RULE)
    drift = np.nanmean(got, dtype="f8") - np.nanmean(u, dtype="f8")
    assert abs(drift) <= 1e-8 * span(u)
    assert np.nanstd(got) < np.nanstd(u)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(u))


def test_it_differs_from_many_small_steps_by_what_is_stated():
    # The share of the change that three (two, five) cycles get wrong, on noisy stripes.
    u = stripes((300, 300), noisy=20.0)
    fine = diffusion.diffuse(u, steps=100, tau=0.05, sigma=1.0, rho=4.0, **RULE)
    whole = np.std(fine - u)
    off = [
        np.std(fed.fed(u, cycles=plan_cycles(5.0, n, LARGEST), sigma=1.0, rho=4.0, **RULE) - fine) / whole
        for n in (1, 3, 5)
    ]
    assert off[0] > off[1] > off[2]
    assert off[1] <= 0.05
    coarse = diffusion.diffuse(u, steps=20, tau=0.25, sigma=1.0, rho=4.0, **RULE)
    assert np.std(coarse - fine) / whole < off[2]


@pytest.mark.parametrize(("count", "most"), [(1, 0.14), (3, 0.12), (5, 0.115)])
def test_extremes_grow_by_at_most_what_is_stated(count, most):
    y, x = np.mgrid[:128, :128]
    over = []
    for angle in np.radians([0.0, 15.0, 30.0, 45.0]):
        across = x * np.cos(angle) + y * np.sin(angle)
        u = np.where(np.sin(across * 2 * np.pi / 24 + 0.3) > 0, 400.0, -400.0)
        for time in (1.0, 5.0, 20.0):
            cycles = plan_cycles(time, count, LARGEST)
            got = fed.fed(u, cycles=cycles, sigma=1.0, rho=4.0, alpha=1e-3, contrast=2.56e-8, scale=200.0)
            over.append(np.abs(got).max() - 400.0)
    assert 0.08 < max(over) / 800.0 <= most


def test_golden_values():
    # Of its own: they change only with the scheme.
    y, x = np.mgrid[:64, :64]
    u = 100 * np.sin((x + 2 * y) / 5.0) + 30 * np.cos(x * y / 150.0)
    got = fed.fed(
        u, cycles=plan_cycles(5.0, 3, LARGEST), sigma=1.0, rho=4.0, alpha=1e-3, contrast=2.56e-8, scale=100.0
    )
    expected = [
        [62.64467049, -41.65185256, 107.90146639, -5.60608202],
        [99.6214875, -25.64176866, -60.99370683, 70.30827197],
        [-72.96942746, 107.70251257, 26.83332579, -78.31210981],
        [58.58352442, -99.869508, 79.32459588, -4.05205762],
    ]
    np.testing.assert_allclose(got[::21, ::21], expected, rtol=0, atol=1e-7)
