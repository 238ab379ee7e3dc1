"""Diffusion in array operations and as CUDA source: the CPU's kernel, a slow oracle, cycles, the sphere."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.errors import ParameterError
from magxr.kernels import diffusion, diffusion_array, diffusion_cuda, diffusion_parts
from magxr.testing import random_chunks
from tests.device_double import Array, CudaModule, Module, installed

PARAMETERS = {"tau": 0.25, "alpha": 1e-3, "contrast": 2.56e-8, "scale": 70.0}


@pytest.fixture(params=["numpy", "device", "cuda"])
def run(request, monkeypatch):
    """Call a function of the module with an array of one library, and bring the result back."""
    if request.param == "numpy":
        return lambda function, u, **how: function(u, **how)
    module = installed(monkeypatch, CudaModule() if request.param == "cuda" else Module())

    def there_and_back(function, u, **how):
        if how.get("fixed") is not None:
            how["fixed"] = module.asarray(how["fixed"])
        result = function(module.asarray(u), **how)
        assert type(result) is Array
        assert (
            request.param == "device" or module.started or not np.isfinite(how["scale"]) or not how["scale"]
        )
        return result.get()

    return there_and_back


def noise(shape, seed=0, gaps=0.0, dtype="f8"):
    rng = np.random.default_rng(seed)
    u = rng.normal(0, 50, shape)
    u[rng.random(shape) < gaps] = np.nan
    return u.astype(dtype)


def span(u):
    return float(np.nanmax(u) - np.nanmin(u))


@pytest.mark.parametrize("shape", [(37, 45), (3, 40), (40, 3), (2, 2), (1, 20), (1, 1)])
@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize(("sigma", "rho"), [(1.0, 2.0), (0.0, 0.5), (0.6, 4.0)])
def test_steps_equal_those_of_the_cpu(run, shape, gaps, sigma, rho):
    u = noise(shape, 1, gaps)
    for dtype, share in (("f8", 1e-12), ("f4", 1e-5)):
        v = u.astype(dtype)
        expected = diffusion.diffuse(v, steps=3, sigma=sigma, rho=rho, **PARAMETERS)
        got = run(diffusion_array.diffuse, v, steps=3, sigma=sigma, rho=rho, **PARAMETERS)
        assert got.dtype == dtype
        atol = share * max(span(u), 1.0)
        np.testing.assert_allclose(got, expected, rtol=0, atol=atol, equal_nan=True)


def test_twenty_steps_at_the_defaults_are_within_1e5_of_the_range(run):
    y, x = np.mgrid[:90, :110]
    u = (150 * np.sin((x - 0.4 * y) * 2 * np.pi / 14) + noise(x.shape, 2) * 0.4).astype("f4")
    u[30:38, 50:80] = np.nan
    how = {**PARAMETERS, "steps": 20, "sigma": 1.0, "rho": 4.0}
    got = run(diffusion_array.diffuse, u, **how)
    assert np.nanmax(np.abs(got - u)) > 0.05 * span(u)
    np.testing.assert_allclose(got, diffusion.diffuse(u, **how), rtol=0, atol=1e-5 * span(u))


# A slow oracle in float64 for what the CPU's kernel does not do: the grid is mirrored so far out that the
# edges need no thought, every row is convolved alone, and D is made with eigenvectors.


def gaussian(sigma):
    if sigma == 0:
        return np.ones(1)
    r = int(np.ceil(3 * sigma - 1e-9))
    w = np.exp(-(np.arange(-r, r + 1) ** 2) / (2.0 * sigma**2))
    return w / w.sum()


def columns(x, sigma):
    return np.stack([np.convolve(c, gaussian(sigma), mode="same") for c in x.T], axis=1)


def rows(x, sigmas):
    return np.stack([np.convolve(r, gaussian(s), mode="same") for r, s in zip(x, sigmas, strict=True)])


def corners(u):
    return u[:-1, :-1], u[:-1, 1:], u[1:, :-1], u[1:, 1:]


def oracle(
    u, *, cycles, sigma, rho, alpha, contrast, scale, stretch, cell_weight, pixel_weight, along, over, fixed
):
    n, m = u.shape
    far = 40
    pixels = np.pad(np.arange(n), far, mode="symmetric")
    cells = np.pad(np.arange(n + 1), far - 1, mode="reflect")
    s, k = stretch[cells][:, None], cell_weight[cells][:, None]
    core = slice(far, far + n), slice(far, far + m)
    for taus in cycles:
        wide = np.pad(u, far, mode="symmetric")
        valid = np.isfinite(wide)
        with np.errstate(invalid="ignore", divide="ignore"):
            us = rows(columns(np.where(valid, wide, 0.0), sigma), along[pixels])
            us = us / rows(columns(valid.astype(float), sigma), along[pixels])
        four = np.logical_and.reduce(corners(valid))
        a, b, c, d = corners(us)
        gx = np.where(four, s * (b - a + d - c) / 2, 0.0)
        gy = np.where(four, (c - a + d - b) / 2, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            weight = columns(rows(four.astype(float), over[cells]), rho)
            j = [columns(rows(p, over[cells]), rho) / weight for p in (gx * gx, gx * gy, gy * gy)]
        tensor = np.zeros((3, *four.shape))
        for at in np.argwhere(four):
            i = tuple(at)
            mu, v = np.linalg.eigh([[j[0][i], j[1][i]], [j[1][i], j[2][i]]])
            gap = (mu[1] - mu[0]) ** 2
            one = alpha + (1 - alpha) * np.exp(-contrast * scale**4 / gap) if gap > 0 else alpha
            found = one * np.outer(v[:, 0], v[:, 0]) + alpha * np.outer(v[:, 1], v[:, 1])
            tensor[(slice(None), *i)] = found[0, 0], found[0, 1], found[1, 1]
        t11, t12, t22 = k * s * s * tensor[0], k * s * tensor[1], k * tensor[2]
        for tau in taus:
            wide = np.pad(np.where(np.isfinite(u), u, 0.0), far, mode="symmetric")
            a, b, c, d = corners(wide)
            dx, dy = (b - a + d - c) / 2, (c - a + d - b) / 2
            fx, fy = (t11 * dx + t12 * dy) / 2, (t12 * dx + t22 * dy) / 2
            h = (1 - 2 * 0.4) * (t11 + t22) / 4 * (d - c - b + a)
            change = np.zeros_like(wide)
            change[:-1, :-1] += -fx - fy + h
            change[:-1, 1:] += fx - fy - h
            change[1:, :-1] += -fx + fy - h
            change[1:, 1:] += fx + fy + h
            u = np.where(np.isfinite(u) & ~fixed, u - tau * change[core] / pixel_weight[:, None], u)
    return u


def fed_steps(n, largest=0.4):
    i = np.arange(n)
    return tuple(largest / (2 * np.cos(np.pi * (2 * i + 1) / (4 * n + 2)) ** 2))


def sphere(n):
    """Weights of rows that run from 60 to 80 degrees north, exaggerated."""
    rng = np.random.default_rng(3)
    latitude = np.radians(np.linspace(60.0, 80.0, 2 * n + 1))
    k = np.cos(latitude) / np.cos(latitude[n])
    return {
        "stretch": 1.0 / k[::2],
        "cell_weight": k[::2],
        "pixel_weight": k[1::2],
        "sigma_along": 0.8 / k[1::2],
        "rho_along": 1.6 / k[::2] + 0.3 * rng.random(n + 1),
    }


PLAIN = {"stretch": None, "cell_weight": None, "pixel_weight": None, "sigma_along": None, "rho_along": None}


@pytest.mark.parametrize("gaps", [0.0, 0.1])
@pytest.mark.parametrize("round_earth", [False, True])
def test_cycles_on_plane_and_sphere_equal_the_oracle(run, gaps, round_earth):
    u, fixed = noise((13, 17), 4, gaps), noise((13, 17), 5) > 40
    n = len(u)
    metric = sphere(n) if round_earth else PLAIN
    how = {"sigma": 0.8, "rho": 1.6, "alpha": 1e-2, "contrast": 1e-6, "scale": 70.0, "fixed": fixed}
    cycles = (fed_steps(3), (0.2,), fed_steps(2))
    flat = dict(zip(PLAIN, (1, 1, 1, 0.8, 1.6), strict=True))
    full = {
        name: np.full(n + (name in ("stretch", "cell_weight", "rho_along")), float(flat[name]))
        if values is None
        else values
        for name, values in metric.items()
    }
    along, over = full.pop("sigma_along"), full.pop("rho_along")
    expected = oracle(u, cycles=cycles, along=along, over=over, **full, **how)
    for dtype, share in (("f8", 1e-12), ("f4", 1e-5)):
        got = run(diffusion_array.fed, u.astype(dtype), cycles=cycles, **metric, **how)
        np.testing.assert_allclose(got, expected, rtol=0, atol=share * span(u))
        np.testing.assert_array_equal(got[fixed], u.astype(dtype)[fixed])
    assert np.nanmax(np.abs(expected - u)) > 0.05 * span(u)


def test_the_weighted_mean_is_kept_on_the_sphere(run):
    u = noise((30, 40), 6, 0.1)
    metric = sphere(30)
    how = {**PARAMETERS, "sigma": 0.8, "rho": 1.6, "steps": 10, "tau": 0.05}
    got = run(diffusion_array.diffuse, u, **metric, **how)
    weight = metric["pixel_weight"][:, None] * np.isfinite(u)
    drift = np.nansum(weight * (got - u)) / weight.sum()
    assert abs(drift) <= 1e-12 * span(u)


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_the_mean_is_kept_to_1e8_of_the_range(run, gaps):
    u = noise((80, 90), 7, gaps, "f4")
    got = run(diffusion_array.diffuse, u, **PARAMETERS, sigma=1.0, rho=2.0, steps=20)
    drift = np.nanmean(got, dtype="f8") - np.nanmean(u, dtype="f8")
    assert abs(drift) <= 1e-8 * span(u)


@pytest.mark.parametrize("parts", [diffusion_parts, diffusion_cuda])
@pytest.mark.parametrize("round_earth", [False, True])
def test_a_flux_along_the_edge_drives_none_across_it(monkeypatch, parts, round_earth):
    module = installed(monkeypatch, CudaModule() if parts is diffusion_cuda else Module())
    tensors = []
    updated = parts.updated
    monkeypatch.setattr(parts, "updated", lambda u, d, *more: tensors.append(d) or updated(u, d, *more))
    u = module.asarray(noise((40, 50), 11, 0.02, "f4"))
    metric = sphere(40) if round_earth else {}
    diffusion_array.diffuse(u, **{**PARAMETERS, "tau": 0.05}, sigma=0.8, rho=1.6, steps=2, **metric)
    assert len(tensors) == 2
    for tensor in tensors:
        d12 = tensor.get()[1]
        assert not np.concatenate([d12[0], d12[-1], d12[:, 0], d12[:, -1]]).any()
        assert d12.any()


@given(seed=st.integers(0, 1000), gaps=st.sampled_from([0.0, 0.01, 0.2]), cycles=st.integers(1, 3))
def test_any_block_with_halo_equals_the_whole(seed, gaps, cycles):
    rng = np.random.default_rng(seed)
    u = noise((70, 90), seed, gaps)
    metric = sphere(len(u)) | {"rho_along": np.full(71, 2.0)}
    how = {"sigma": 0.8, "rho": 1.0, "alpha": 1e-2, "contrast": 1e-6, "scale": 70.0}
    plan = tuple(fed_steps(int(rng.integers(1, 4))) for _ in range(cycles))
    whole = diffusion_array.fed(u, cycles=plan, **metric, **how)
    reach = np.sum(
        [
            diffusion_array.radius(0.8, 1.0, metric["sigma_along"], metric["rho_along"], steps=len(c))
            for c in plan
        ],
        axis=0,
    )
    (r0, *_), (c0, *_) = (np.cumsum(c) for c in random_chunks((60, 80), 15, seed))
    r1, c1 = min(70, r0 + 10), min(90, c0 + 10)
    halo = [min(int(a), int(b)) for a, b in zip((r0, 70 - r1, c0, 90 - c1), np.repeat(reach, 2), strict=True)]
    part = slice(r0 - halo[0], r1 + halo[1]), slice(c0 - halo[2], c1 + halo[3])
    cut = {
        name: values[part[0].start : part[0].stop + (len(values) == 71)] for name, values in metric.items()
    }
    # The widest row, which says how far a block looks, may lie outside of this block.
    got = diffusion_array.fed(u[part], cycles=plan, halo=tuple(halo), **cut, **how)
    np.testing.assert_allclose(got, whole[r0:r1, c0:c1], rtol=0, atol=1e-12 * span(u))


def test_the_reach_is_as_stated_and_no_more(run):
    how = {"sigma": 0.8, "rho": 1.0, "alpha": 1e-2, "contrast": 1e-6, "scale": 70.0}
    plan = ((0.3, 0.2), (0.1,))
    reach = sum(diffusion_array.radius(0.8, 1.0, steps=len(c))[0] for c in plan)
    assert reach == 2 * (3 + 3) + 3
    u = noise((61, 61), 8)
    poked = u.copy()
    poked[30, 30] += 1e4
    before, after = (run(diffusion_array.fed, v, cycles=plan, **how) for v in (u, poked))
    rows_, cols = np.nonzero(before != after)
    assert 2 * reach - 4 <= cols.max() - cols.min() <= 2 * reach
    assert abs(rows_ - 30).max() <= reach


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_blocks_of_the_cuda_source_equal_the_whole_bit_for_bit(monkeypatch, dtype):
    module = installed(monkeypatch, CudaModule())
    u = noise((60, 75), 9, 0.05, dtype)
    how = {**PARAMETERS, "sigma": 0.7, "rho": 1.0, "steps": 2}
    whole = diffusion_array.diffuse(module.asarray(u), **how).get()
    deep = 2 * diffusion.radius(0.7, 1.0)
    halo = deep, 0, deep, deep
    block = module.asarray(u[31 - deep :, 25 - deep : 44 + deep])
    got = diffusion_array.diffuse(block, halo=halo, **how).get()
    np.testing.assert_array_equal(got, whole[31:, 25:44])
    assert set(module.started) == {"along", "down", "products", "diffusivity", "updated"}


@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize("generation", ["sm_80", "sm_90"])
def test_nvidias_compiler_takes_the_source(real, generation):
    why = "CuPy is not installed (the extra cuda)"
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason=why, exc_type=ImportError)
    try:
        nvrtc.getVersion()
    except RuntimeError as error:
        pytest.skip(f"no NVRTC: {error}")
    program = nvrtc.createProgram(diffusion_cuda.SOURCE, "diffusion.cu", (), ())
    # CuPy adds the last two.
    nvrtc.compileProgram(program, (*diffusion_cuda.options(real), f"-arch={generation}", "-ftz=true"))
    code = nvrtc.getCUBIN(program)
    for name in ("along", "down", "products", "diffusivity", "updated"):
        assert f".text.{name}".encode() in code


@pytest.mark.parametrize("gaps", [0.0, 0.05])
def test_the_cuda_source_takes_at_most_sixteen_times_the_memory_of_a_block(monkeypatch, gaps):
    module = installed(monkeypatch, CudaModule())
    u = module.asarray(noise((500, 500), 10, gaps, "f4"))
    tracemalloc.start()
    diffusion_array.diffuse(u, **PARAMETERS, sigma=1.0, rho=4.0, steps=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 5 * u.nbytes < peak + u.nbytes <= 16 * u.nbytes


def test_a_contrast_without_scale_is_refused_unless_nothing_can_change(run):
    how = {**PARAMETERS, "steps": 1, "sigma": 1.0, "rho": 2.0, "scale": 0.0}
    u = noise((20, 20))
    with pytest.raises(ParameterError, match=r"interquartile range of the anomaly is 0.0 nT.*pass scale="):
        run(diffusion_array.diffuse, u, **how)
    flat = np.where(u > 0, 5.0, np.nan)
    np.testing.assert_array_equal(run(diffusion_array.diffuse, flat, **how), flat)
