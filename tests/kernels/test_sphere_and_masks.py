"""Kernels with stretched rows, held pixels and barriers against the oracle, and blocks against the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.kernels import diffusion, fed
from magxr.kernels.cycles import plan_cycles
from magxr.kernels.metric import LARGEST, Metric, pixel_metric
from tests.kernels.oracle import oracle
from tests.kernels.test_diffusion import noise, span

RULE = {"alpha": 1e-3, "contrast": 2.56e-8, "scale": 70.0}


def sphere(rows, south=55.0, step=0.25):
    latitude = np.radians(south + step * np.arange(rows))
    between = 1 / np.cos(0.5 * (latitude[:-1] + latitude[1:]))
    return Metric(1 / np.cos(latitude), np.pad(between, 1, mode="edge"))


def barrier(shape, seed=0, share=0.03):
    rng = np.random.default_rng(seed)
    shut = rng.random((shape[0] + 1, shape[1] + 1)) < share
    shut[:, shape[1] // 3] = True
    return shut


def both(u, metric, **more):
    """Return two explicit steps and two cycles with their oracles."""
    tau = 0.9 * metric.tau
    cycles = plan_cycles(20 * tau, 2, metric.tau)
    oracle_more = {k: v for k, v in more.items() if k != "fixed"} | {
        "pixels": metric.pixels,
        "cells": metric.cells,
    }
    held = more.get("fixed")
    first = diffusion.diffuse(u, steps=2, tau=tau, sigma=0.8, rho=1.5, metric=metric, **RULE, **more)
    second = fed.fed(u, cycles=cycles, sigma=0.8, rho=1.5, metric=metric, **RULE, **more)
    found = [
        oracle(u, cycles=c, sigma=0.8, rho=1.5, fixed=held, **RULE, **oracle_more)
        for c in (((tau,),) * 2, cycles)
    ]
    return [(first, found[0]), (second, found[1])]


@pytest.mark.parametrize("shape", [(30, 41), (5, 60), (40, 4), (2, 2)])
@pytest.mark.parametrize("gaps", [0.0, 0.15])
@pytest.mark.parametrize("what", ["sphere", "barrier", "fixed", "all"])
def test_kernels_equal_the_oracle(shape, gaps, what):
    u = noise(shape, gaps=gaps)
    metric = sphere(shape[0]) if what in ("sphere", "all") else pixel_metric(shape[0])
    more = {}
    if what in ("barrier", "all"):
        more["shut"] = barrier(shape)
    if what in ("fixed", "all"):
        more["fixed"] = np.random.default_rng(3).random(shape) < 0.2
    for got, expected in both(u, metric, **more):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11 * span(u))
        if "fixed" in more:
            held = more["fixed"] & np.isfinite(u)
            np.testing.assert_array_equal(got[held], u[held])


@given(seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.02]), dtype=st.sampled_from(["f4", "f8"]))
def test_any_block_with_halo_equals_the_whole_bit_for_bit(seed, gaps, dtype):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, (90, 600)))
    u = noise(shape, seed, gaps, dtype)
    metric, shut, fixed = sphere(shape[0]), barrier(shape, seed, 0.01), rng.random(shape) < 0.1
    tau, cycles = 0.9 * metric.tau, plan_cycles(20 * metric.tau, 2, metric.tau)
    scales = {"sigma": 0.7, "rho": 1.2}
    r0, c0 = (int(rng.integers(0, n)) for n in shape)
    r1, c1 = (int(rng.integers(a + 1, n + 1)) for a, n in zip((r0, c0), shape, strict=True))
    down, along = (diffusion.radius(0.7, 1.2, stretch=s) for s in (1.0, metric.widest))
    for kernel, times, more in (
        (diffusion.diffuse, [1, 1], {"steps": 2, "tau": tau}),
        (fed.fed, [len(c) for c in cycles], {"cycles": cycles}),
    ):
        deep, wide = (sum(reach + n - 1 for n in times) for reach in (down, along))
        halo = min(r0, deep), min(shape[0] - r1, deep), min(c0, wide), min(shape[1] - c1, wide)
        rows, cols = slice(r0 - halo[0], r1 + halo[1]), slice(c0 - halo[2], c1 + halo[3])
        whole = kernel(u, metric=metric, shut=shut, fixed=fixed, **scales, **RULE, **more)
        got = kernel(
            u[rows, cols],
            metric=metric.rows(rows.start, rows.stop - rows.start),
            shut=shut[rows.start : rows.stop + 1, cols.start : cols.stop + 1],
            fixed=fixed[rows, cols],
            halo=halo,
            **scales,
            **RULE,
            **more,
        )
        np.testing.assert_array_equal(got, whole[r0:r1, c0:c1])


@pytest.mark.parametrize("gaps", [0.0, 0.15])
def test_the_mean_by_area_is_kept(gaps):
    u = noise((80, 90), gaps=gaps)
    metric = sphere(80)
    area = 1 / metric.pixels[:, None] * np.isfinite(u)
    for got in (
        diffusion.diffuse(u, steps=50, tau=metric.tau, sigma=1.0, rho=4.0, metric=metric, **RULE),
        fed.fed(u, cycles=plan_cycles(5.0, 3, metric.tau), sigma=1.0, rho=4.0, metric=metric, **RULE),
    ):
        drift = (np.nansum(got * area) - np.nansum(u * area)) / area.sum()
        assert abs(drift) <= 1e-8 * span(u)
        assert np.nansum(area * got**2) < np.nansum(area * u**2)


@pytest.mark.parametrize("seed", range(2))
def test_energy_never_grows_at_the_largest_step_of_the_sphere(seed):
    u, metric = noise((60, 60), seed), sphere(60, 70.0, 0.15)
    assert metric.tau < 0.49 * np.cos(np.radians(78.0)) ** 2
    area = 1 / metric.pixels[:, None]
    energy = [np.sum(area * u**2)]
    for _ in range(40):
        u = diffusion.diffuse(u, steps=1, tau=metric.tau, sigma=1.0, rho=2.0, metric=metric, **RULE)
        energy.append(np.sum(area * u**2))
    assert (np.diff(energy) <= 0).all()


def test_nothing_flows_across_a_barrier_and_its_step_is_no_stripe():
    u = noise((60, 80), 1) * 0.2
    u[:, 40:] += 500.0
    shut = np.zeros((61, 81), bool)
    shut[:, 40] = True  # between columns 39 and 40
    for kernel, more in (
        (diffusion.diffuse, {"steps": 60, "tau": 0.25}),
        (fed.fed, {"cycles": plan_cycles(15.0, 3, LARGEST)}),
    ):
        got = kernel(u, shut=shut, sigma=1.0, rho=4.0, **RULE, **more)
        for side in (np.s_[:, :40], np.s_[:, 40:]):
            assert abs(got[side].mean() - u[side].mean()) <= 1e-9 * span(u)
        # Without the step: the same but for rounding.
        plain = kernel(u - 500.0 * (np.arange(80) >= 40), shut=shut, sigma=1.0, rho=4.0, **RULE, **more)
        np.testing.assert_allclose(got - 500.0 * (np.arange(80) >= 40), plain, rtol=0, atol=1e-9)
        leaky = kernel(u, sigma=1.0, rho=4.0, **RULE, **more)
        assert abs(leaky[:, :40].mean() - u[:, :40].mean()) > 0.01


def test_square_pixels_give_the_same_bits_with_and_without_a_metric():
    u = noise((40, 50), gaps=0.02, dtype="f4")
    rule = {"steps": 3, "tau": 0.25, "sigma": 1.0, "rho": 2.0, **RULE}
    plain = diffusion.diffuse(u, **rule)
    np.testing.assert_array_equal(diffusion.diffuse(u, metric=pixel_metric(40), **rule), plain)
    nothing = {"shut": np.zeros((41, 51), bool), "fixed": np.zeros((40, 50), bool)}
    np.testing.assert_array_equal(diffusion.diffuse(u, **nothing, **rule), plain)
