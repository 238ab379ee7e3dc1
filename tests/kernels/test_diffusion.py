"""The diffusion kernel against a slow float64 oracle, what it keeps, and blocks against the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ParameterError
from magxr.kernels import diffusion, structure
from tests.kernels.oracle import oracle, tensor

PARAMETERS = {"tau": 0.25, "alpha": 1e-3, "contrast": 2.56e-8, "scale": 70.0}


def explicit(u, steps, **more):
    """Return what the oracle makes of ``steps`` steps."""
    rule = {k: v for k, v in PARAMETERS.items() if k != "tau"}
    return oracle(u, cycles=((PARAMETERS["tau"],),) * steps, **rule, **more)


def noise(shape, seed=0, gaps=0.0, dtype="f8"):
    rng = np.random.default_rng(seed)
    u = rng.normal(0, 50, shape)
    u[rng.random(shape) < gaps] = np.nan
    return u.astype(dtype)


def stripes(shape, *, noisy, seed=0, dtype="f8"):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    across = x * np.cos(np.radians(25.0)) - y * np.sin(np.radians(25.0)) + 6 * np.sin(y / 40.0)
    wave = 150 * np.sin(across * 2 * np.pi / 14) + 60 * np.sin(across * 2 * np.pi / 33)
    return (wave + rng.normal(0, noisy, shape)).astype(dtype)


def span(u):
    return float(np.nanmax(u) - np.nanmin(u))


@pytest.mark.parametrize("shape", [(37, 45), (3, 40), (40, 3), (2, 2), (1, 20)])
@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize(("sigma", "rho"), [(1.0, 2.0), (0.0, 0.5), (0.6, 4.0), (2.0, 1.7)])
def test_steps_equal_the_oracle(shape, gaps, sigma, rho):
    u = noise(shape, gaps=gaps)
    expected = explicit(u, 3, sigma=sigma, rho=rho)
    got = diffusion.diffuse(u, steps=3, sigma=sigma, rho=rho, **PARAMETERS)
    single = diffusion.diffuse(u.astype("f4"), steps=3, sigma=sigma, rho=rho, **PARAMETERS)
    assert got.dtype == np.float64
    assert single.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * span(u))
    np.testing.assert_allclose(single, expected, rtol=0, atol=2e-6 * span(u))


def test_a_grid_wider_than_two_strips_equals_the_oracle():
    u = noise((12, 1100), gaps=0.05)
    expected = explicit(u, 1, sigma=1.0, rho=1.5)
    got = diffusion.diffuse(u, steps=1, sigma=1.0, rho=1.5, **PARAMETERS)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * span(u))


@given(
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.002, 0.2]),
    dtype=st.sampled_from(["f4", "f8"]),
    sigma=st.sampled_from([0.0, 0.7, 1.0]),
    rho=st.sampled_from([0.4, 1.0, 2.0]),
    steps=st.integers(1, 3),
)
def test_any_block_with_halo_equals_the_whole_bit_for_bit(seed, gaps, dtype, sigma, rho, steps):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, (90, 700)))
    u = noise(shape, seed, gaps, dtype)
    whole = diffusion.diffuse(u, steps=steps, sigma=sigma, rho=rho, **PARAMETERS)
    depth = steps * diffusion.radius(sigma, rho)
    r0, c0 = (int(rng.integers(0, n)) for n in shape)
    r1, c1 = (int(rng.integers(a + 1, n + 1)) for a, n in zip((r0, c0), shape, strict=True))
    halo = min(r0, depth), min(shape[0] - r1, depth), min(c0, depth), min(shape[1] - c1, depth)
    block = u[r0 - halo[0] : r1 + halo[1], c0 - halo[2] : c1 + halo[3]]
    got = diffusion.diffuse(block, steps=steps, sigma=sigma, rho=rho, halo=halo, **PARAMETERS)
    np.testing.assert_array_equal(got, whole[r0:r1, c0:c1])


def test_the_reach_of_a_step_is_as_stated_and_no_more():
    sigma, rho = 1.0, 4.0
    reach = diffusion.radius(sigma, rho)
    assert reach == 3 + 12 + 1
    u = noise((80, 80))
    poked = u.copy()
    poked[40, 40] += 1e4
    before, after = (diffusion.diffuse(v, steps=1, sigma=sigma, rho=rho, **PARAMETERS) for v in (u, poked))
    rows, cols = np.nonzero(before != after)
    assert rows.min() >= 40 - reach
    assert rows.max() <= 40 + reach
    assert cols.min() >= 40 - reach
    assert cols.max() <= 40 + reach
    assert cols.max() - cols.min() >= 2 * reach - 2


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
def test_a_constant_stays_as_it_is(dtype, gaps):
    u = noise((30, 40), gaps=gaps, dtype=dtype) * 0 + np.dtype(dtype).type(-123.4)
    got = diffusion.diffuse(u, steps=5, sigma=1.0, rho=4.0, **PARAMETERS)
    np.testing.assert_array_equal(got, u)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("gaps", [0.0, 0.15])
@pytest.mark.parametrize("noisy", [0.0, 20.0])
def test_the_mean_is_kept_to_1e8_of_the_range(dtype, gaps, noisy):
    u = stripes((150, 170), noisy=noisy, dtype=dtype)
    if gaps:
        u[np.isnan(noise(u.shape, 3, gaps))] = np.nan
    got = diffusion.diffuse(u, steps=50, sigma=1.0, rho=4.0, **PARAMETERS)
    drift = np.nanmean(got, dtype="f8") - np.nanmean(u, dtype="f8")
    assert abs(drift) <= 1e-8 * span(u)
    assert np.nanstd(got) < np.nanstd(u)


def test_gaps_stay_gaps_and_let_nothing_through():
    u = stripes((60, 80), noisy=20.0)
    u[:, 40] = np.nan  # land one cell wide
    u[10:14, 10:14] = np.nan
    u[30, 60] = np.inf  # left alone
    got = diffusion.diffuse(u, steps=30, sigma=1.0, rho=4.0, **PARAMETERS)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(u))
    assert got[30, 60] == np.inf
    for side in (np.s_[:, :40], np.s_[:, 41:]):
        inside = np.isfinite(u[side])
        drift = got[side][inside].mean() - u[side][inside].mean()
        assert abs(drift) <= 1e-10 * span(stripes((60, 80), noisy=20.0))


def test_a_cell_alone_in_a_gap_keeps_its_value():
    u = noise((20, 20))
    u[5:14, 5:14] = np.nan
    u[9, 9] = 77.0
    got = diffusion.diffuse(u, steps=4, sigma=1.0, rho=2.0, **PARAMETERS)
    assert got[9, 9] == 77.0


def test_extremes_grow_by_at_most_what_the_scheme_is_stated_to_allow():
    y, x = np.mgrid[:128, :128]
    scaled = PARAMETERS | {"scale": 200.0}
    over = []
    for angle in np.radians([0.0, 15.0, 30.0, 45.0]):
        u = np.where(
            np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / 24 + 0.3) > 0, 400.0, -400.0
        )
        for _ in range(25):
            u = diffusion.diffuse(u, steps=1, sigma=1.0, rho=4.0, **scaled)
            over.append(np.abs(u).max() - 400.0)
    assert 0.08 < max(over) / 800.0 <= 0.11
    u = stripes((160, 160), noisy=20.0)
    got = diffusion.diffuse(u, steps=30, sigma=1.0, rho=4.0, **scaled)
    assert got.max() <= u.max()
    assert got.min() >= u.min()


@pytest.mark.parametrize("seed", range(3))
def test_energy_never_grows_up_to_the_largest_step(seed):
    u = noise((70, 70), seed)
    rough = PARAMETERS | {"tau": diffusion.TAU_MAX, "alpha": 0.999 if seed == 2 else 1e-3}
    energy = [np.sum((u - u.mean()) ** 2)]
    for _ in range(40):
        u = diffusion.diffuse(u, steps=1, sigma=1.0, rho=2.0, **rough)
        energy.append(np.sum((u - u.mean()) ** 2))
    assert (np.diff(energy) <= 0).all()


@pytest.mark.parametrize("steps", [1, 20, 50])
def test_float32_is_within_1e6_of_the_range_of_float64(steps):
    u = stripes((160, 160), noisy=20.0, dtype="f4")
    one = diffusion.diffuse(u, steps=steps, sigma=1.0, rho=4.0, **PARAMETERS)
    two = diffusion.diffuse(u.astype("f8"), steps=steps, sigma=1.0, rho=4.0, **PARAMETERS)
    assert np.abs(one - two).max() <= 1e-6 * span(u)


@pytest.mark.parametrize("factor", [-1.0, 2.0**20, 2.0**-30])
def test_sign_and_scale_commute_bit_for_bit(factor):
    u = noise((40, 50), dtype="f4")
    both = PARAMETERS | {"scale": 70.0 * abs(factor)}
    got = diffusion.diffuse(u * np.float32(factor), steps=3, sigma=1.0, rho=2.0, **both)
    expected = diffusion.diffuse(u, steps=3, sigma=1.0, rho=2.0, **PARAMETERS)
    np.testing.assert_array_equal(got, expected * np.float32(factor))


@pytest.mark.parametrize("turn", [lambda u: u[::-1], lambda u: u[:, ::-1], np.transpose, np.rot90])
def test_flips_and_quarter_turns_commute(turn):
    u = noise((40, 50), gaps=0.02)
    got = diffusion.diffuse(np.ascontiguousarray(turn(u)), steps=3, sigma=1.0, rho=2.0, **PARAMETERS)
    expected = turn(diffusion.diffuse(u, steps=3, sigma=1.0, rho=2.0, **PARAMETERS))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11 * span(u))


def test_a_contrast_without_scale_is_refused_unless_nothing_can_change():
    u = noise((20, 20))
    with pytest.raises(ParameterError, match=r"interquartile range of the anomaly is 0.0 nT.*pass scale="):
        diffusion.diffuse(u, steps=1, sigma=1.0, rho=2.0, **PARAMETERS | {"scale": 0.0})
    flat = np.where(u > 0, 5.0, np.nan)
    got = diffusion.diffuse(flat, steps=1, sigma=1.0, rho=2.0, **PARAMETERS | {"scale": 0.0})
    np.testing.assert_array_equal(got, flat)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_the_tensor_equals_the_oracle(gaps):
    u = noise((30, 41), gaps=gaps)
    got = structure.tensor(u, 1.0, 2.0)
    expected, weight, open_cells = tensor(u, 1.0, 2.0)
    for part, j in zip(got, expected, strict=True):
        np.testing.assert_allclose(part[open_cells], (j * weight)[open_cells], atol=1e-9)
