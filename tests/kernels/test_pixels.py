"""The schemes with the tensor at pixels: against a slow oracle, what they keep, blocks against the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ParameterError
from magxr.kernels import pixels
from magxr.kernels.pixels import TAU_MAX, diffuse_pixels, tau_max
from tests.kernels import kroon

SCHEMES = sorted(TAU_MAX)
PARAMETERS = {"tau": 0.25, "alpha": 1e-3, "contrast": 2.56e-8, "scale": 70.0}
both = pytest.mark.parametrize("scheme", SCHEMES)


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


@both
@pytest.mark.parametrize("shape", [(37, 45), (3, 40), (40, 3), (2, 2), (1, 20), (20, 1)])
@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.2])
@pytest.mark.parametrize(("sigma", "rho"), [(1.0, 2.0), (0.0, 0.5), (0.6, 4.0), (2.0, 1.7)])
def test_steps_equal_the_oracle(scheme, shape, gaps, sigma, rho):
    u = noise(shape, gaps=gaps)
    given_ = PARAMETERS | {"scheme": scheme, "steps": 3, "sigma": sigma, "rho": rho}
    expected = kroon.diffuse(u, **given_)
    got = diffuse_pixels(u, **given_)
    single = diffuse_pixels(u.astype("f4"), **given_)
    assert got.dtype == np.float64
    assert single.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * span(u))
    np.testing.assert_allclose(single, expected, rtol=0, atol=2e-6 * span(u))


@both
def test_a_grid_wider_than_two_strips_equals_the_oracle(scheme):
    u = noise((12, 1100), gaps=0.02)
    given_ = PARAMETERS | {"scheme": scheme, "steps": 1, "sigma": 1.0, "rho": 1.5}
    np.testing.assert_allclose(
        diffuse_pixels(u, **given_), kroon.diffuse(u, **given_), rtol=0, atol=1e-12 * span(u)
    )


@both
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_interior_is_that_of_kroon_and_slump(scheme, dtype):
    """Their Gaussians, contrast and step for values of 800 nT; the border is treated otherwise."""
    u = stripes((110, 124), noisy=20.0, dtype=dtype)
    theirs = {"steps": 3, "sigma": 1.0, "rho": 4.0, "tau": 0.15, "alpha": 1e-3, "contrast": 1e-10}
    theirs |= {"scheme": scheme, "scale": 800.0, "truncate": (2.0, 3.0)}
    expected = kroon.diffuse(u, border="edge", **theirs)
    got = diffuse_pixels(u, **theirs)
    inside = np.s_[48:-48, 48:-48]
    np.testing.assert_allclose(got[inside], expected[inside], rtol=0, atol=1e-6 * span(u))
    assert np.abs(got - expected).max() > 1e-5 * span(u)
    assert np.abs(got - u)[inside].max() > 1e-2 * span(u)


@given(
    scheme=st.sampled_from(SCHEMES),
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.002, 0.2]),
    dtype=st.sampled_from(["f4", "f8"]),
    sigma=st.sampled_from([0.0, 0.7, 1.0]),
    rho=st.sampled_from([0.4, 1.0, 2.0]),
    steps=st.integers(1, 3),
)
def test_any_block_with_halo_equals_the_whole_bit_for_bit(scheme, seed, gaps, dtype, sigma, rho, steps):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, (90, 700)))
    u = noise(shape, seed, gaps, dtype)
    held = rng.random(shape) < 0.1
    given_ = PARAMETERS | {"scheme": scheme, "steps": steps, "sigma": sigma, "rho": rho}
    whole = diffuse_pixels(u, fixed=held, **given_)
    depth = steps * pixels.radius(sigma, rho)
    r0, c0 = (int(rng.integers(0, n)) for n in shape)
    r1, c1 = (int(rng.integers(a + 1, n + 1)) for a, n in zip((r0, c0), shape, strict=True))
    halo = min(r0, depth), min(shape[0] - r1, depth), min(c0, depth), min(shape[1] - c1, depth)
    seen = np.s_[r0 - halo[0] : r1 + halo[1], c0 - halo[2] : c1 + halo[3]]
    got = diffuse_pixels(u[seen], halo=halo, fixed=held[seen], **given_)
    np.testing.assert_array_equal(got, whole[r0:r1, c0:c1])


@both
@pytest.mark.parametrize(("truncate", "reach"), [((3.0, 3.0), 3 + 12 + 2), ((2.0, 3.0), 2 + 12 + 2)])
def test_the_reach_of_a_step_is_exactly_as_stated(scheme, truncate, reach):
    assert pixels.radius(1.0, 4.0, truncate=truncate) == reach
    u = noise((80, 80))
    poked = u.copy()
    poked[40, 40] += 1e4
    given_ = PARAMETERS | {"scheme": scheme, "steps": 1, "sigma": 1.0, "rho": 4.0, "truncate": truncate}
    rows, cols = np.nonzero(diffuse_pixels(u, **given_) != diffuse_pixels(poked, **given_))
    assert (rows.min(), rows.max()) == (40 - reach, 40 + reach)
    assert (cols.min(), cols.max()) == (40 - reach, 40 + reach)


@both
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.3])
def test_a_constant_stays_as_it_is(scheme, dtype, gaps):
    u = noise((30, 40), gaps=gaps, dtype=dtype) * 0 + np.dtype(dtype).type(-123.4)
    got = diffuse_pixels(u, scheme=scheme, steps=5, sigma=1.0, rho=4.0, **PARAMETERS)
    np.testing.assert_array_equal(got, u)


@both
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("gaps", [0.0, 0.02, 0.15])
@pytest.mark.parametrize("noisy", [0.0, 20.0])
def test_the_mean_is_kept_to_1e8_of_the_range(scheme, dtype, gaps, noisy):
    u = stripes((150, 170), noisy=noisy, dtype=dtype)
    if gaps:
        u[np.isnan(noise(u.shape, 3, gaps))] = np.nan
    got = diffuse_pixels(u, scheme=scheme, steps=50, sigma=1.0, rho=4.0, **PARAMETERS)
    drift = np.nanmean(got, dtype="f8") - np.nanmean(u, dtype="f8")
    assert abs(drift) <= 1e-8 * span(u)
    assert np.nanstd(got) < np.nanstd(u)


@both
def test_gaps_stay_gaps_and_let_nothing_through(scheme):
    u = stripes((60, 80), noisy=20.0)
    wall = np.eye(60, 80, 10, dtype=bool)  # land that touches by its corners
    u[wall] = np.nan
    u[10:14, 50:54] = np.nan
    u[30, 60] = np.inf  # left alone
    got = diffuse_pixels(u, scheme=scheme, steps=30, sigma=1.0, rho=4.0, **PARAMETERS)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(u))
    assert got[30, 60] == np.inf
    west = np.tri(60, 80, 10, dtype=bool)
    for side in (west, ~west):
        inside = side & np.isfinite(u)
        assert np.abs(got[inside] - u[inside]).max() > 10.0
        assert abs(got[inside].mean() - u[inside].mean()) <= 1e-10 * np.ptp(u[inside])


def strait(width):
    """Return two seas joined by a strait along which the anomaly rises ever faster."""
    u = np.full((40, 15), np.nan)
    u[:15] = 0.0
    u[25:] = 100.0
    u[15:25, 7 : 7 + width] = np.linspace(0.0, 100.0, 10)[:, None] ** 2 / 100.0
    return u


@both
@pytest.mark.parametrize("width", [1, 2, 3])
def test_straits_are_open_from_as_many_pixels_on_as_stated(scheme, width):
    u = strait(width)
    got = diffuse_pixels(u, scheme=scheme, steps=5, sigma=0.5, rho=1.0, **PARAMETERS)
    middle = np.s_[18:22, 7 : 7 + width]
    is_open = width >= (1 if scheme == "nonnegative" else 3)
    assert bool((got[middle] != u[middle]).any()) is is_open


@both
def test_a_cell_alone_in_a_gap_keeps_its_value(scheme):
    u = noise((20, 20))
    u[5:14, 5:14] = np.nan
    u[9, 9] = 77.0
    got = diffuse_pixels(u, scheme=scheme, steps=4, sigma=1.0, rho=2.0, **PARAMETERS)
    assert got[9, 9] == 77.0


@both
def test_held_pixels_keep_their_value_and_still_give(scheme):
    u = noise((40, 50), dtype="f4")
    held = np.random.default_rng(1).random(u.shape) < 0.2
    given_ = PARAMETERS | {"scheme": scheme, "steps": 6, "sigma": 1.0, "rho": 2.0}
    got = diffuse_pixels(u, fixed=held.astype("i1"), **given_)
    np.testing.assert_array_equal(got[held], u[held])
    assert (got[~held] != u[~held]).mean() > 0.99
    assert not np.array_equal(got, np.where(held, u, diffuse_pixels(u, **given_)))


# Scheme, time step, what edges overshoot by at most over all angles, of their height.
OVERSHOOT = [
    ("nonnegative", 0.25, 0.05, 0.06),
    ("nonnegative", 0.4, 0.07, 0.085),
    ("rotation_invariant", 0.25, 0.17, 0.20),
    ("rotation_invariant", 1.9, 0.25, 0.28),
]


@pytest.mark.parametrize(("scheme", "tau", "least", "most"), OVERSHOOT)
def test_edges_overshoot_by_what_the_scheme_is_stated_to_allow(scheme, tau, least, most):
    y, x = np.mgrid[:128, :128]
    given_ = PARAMETERS | {"scheme": scheme, "tau": tau, "scale": 200.0, "sigma": 1.0, "rho": 4.0}
    over = []
    for angle in np.radians([0.0, 15.0, 22.5, 30.0, 45.0]):
        phase = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / 24 + 0.3
        u = np.where(np.sin(phase) > 0, 400.0, -400.0)
        for _ in range(30):
            u = diffuse_pixels(u, steps=1, **given_)
            over.append((np.abs(u).max() - 400.0) / 800.0)
    assert least < max(over) <= most


@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_nothing_leaves_the_range_where_weights_are_not_negative(gaps):
    y, x = np.mgrid[:96, :96]
    given_ = PARAMETERS | {"scheme": "nonnegative", "scale": 200.0, "sigma": 1.0, "rho": 2.0}
    largest = {0.172: [], 1e-3: []}
    for angle in np.radians([0.0, 15.0, 22.5, 45.0]):
        u = np.where(np.sin((x * np.cos(angle) + y * np.sin(angle)) / 4) > 0, 400.0, -400.0)
        u[np.isnan(noise(u.shape, 3, gaps))] = np.nan
        for alpha, found in largest.items():
            got = diffuse_pixels(u, steps=25, **given_ | {"alpha": alpha})
            found.append(np.nanmax(np.abs(got)))
    assert max(largest[0.172]) <= 400.0 * (1 + 1e-14)
    assert max(largest[1e-3]) > 410.0


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 0.999])
@pytest.mark.parametrize("gaps", [0.0, 0.05])
@both
def test_energy_never_grows_up_to_the_largest_step(scheme, gaps, alpha):
    """Guaranteed for one scheme; for the other, slightly indefinite, what is seen on noise."""
    u = noise((70, 70), 5, gaps)
    rough = PARAMETERS | {"tau": tau_max(scheme, alpha), "alpha": alpha}
    energy = [np.nansum((u - np.nanmean(u)) ** 2)]
    for _ in range(40):
        u = diffuse_pixels(u, scheme=scheme, steps=1, sigma=1.0, rho=2.0, **rough)
        energy.append(np.nansum((u - np.nanmean(u)) ** 2))
    assert (np.diff(energy) <= 0).all()


@pytest.mark.parametrize(("scheme", "tau"), [("nonnegative", 0.26), ("rotation_invariant", 2.1)])
def test_a_longer_step_is_not_stable(scheme, tau):
    u = noise((70, 70))
    wild = PARAMETERS | {"tau": tau, "alpha": 0.999}
    assert tau > tau_max(scheme, 0.999)
    got = diffuse_pixels(u, scheme=scheme, steps=200, sigma=1.0, rho=2.0, **wild)
    assert np.abs(got).max() > 10 * np.abs(u).max()


@both
@pytest.mark.parametrize("steps", [1, 20, 50])
def test_float32_is_within_1e6_of_the_range_of_float64(scheme, steps):
    u = stripes((160, 160), noisy=20.0, dtype="f4")
    given_ = PARAMETERS | {"scheme": scheme, "steps": steps, "sigma": 1.0, "rho": 4.0}
    one, two = diffuse_pixels(u, **given_), diffuse_pixels(u.astype("f8"), **given_)
    assert np.abs(one - two).max() <= 1e-6 * span(u)


@both
@pytest.mark.parametrize("factor", [-1.0, 2.0**20, 2.0**-30])
def test_sign_and_scale_commute_bit_for_bit(scheme, factor):
    u = noise((40, 50), gaps=0.02, dtype="f4")
    given_ = PARAMETERS | {"scheme": scheme, "steps": 3, "sigma": 1.0, "rho": 2.0}
    got = diffuse_pixels(u * np.float32(factor), **given_ | {"scale": 70.0 * abs(factor)})
    np.testing.assert_array_equal(got, diffuse_pixels(u, **given_) * np.float32(factor))


@both
@pytest.mark.parametrize("turn", [lambda u: u[::-1], lambda u: u[:, ::-1], np.transpose, np.rot90])
def test_flips_and_quarter_turns_commute(scheme, turn):
    u = noise((40, 50), gaps=0.02)
    given_ = PARAMETERS | {"scheme": scheme, "steps": 3, "sigma": 1.0, "rho": 2.0}
    got = diffuse_pixels(np.ascontiguousarray(turn(u)), **given_)
    np.testing.assert_allclose(got, turn(diffuse_pixels(u, **given_)), rtol=0, atol=1e-11 * span(u))


@both
def test_a_contrast_without_scale_is_refused_unless_nothing_can_change(scheme):
    u = noise((20, 20))
    given_ = PARAMETERS | {"scheme": scheme, "steps": 1, "sigma": 1.0, "rho": 2.0, "scale": 0.0}
    with pytest.raises(ParameterError, match=r"interquartile range of the anomaly is 0.0 nT.*pass scale="):
        diffuse_pixels(u, **given_)
    flat = np.where(u > 0, 5.0, np.nan)
    np.testing.assert_array_equal(diffuse_pixels(flat, **given_), flat)


def test_another_scheme_is_refused():
    with pytest.raises(ParameterError, match=r"no scheme 'standard'.*nonnegative, rotation_invariant"):
        diffuse_pixels(noise((4, 4)), scheme="standard", steps=1, sigma=1.0, rho=2.0, **PARAMETERS)
