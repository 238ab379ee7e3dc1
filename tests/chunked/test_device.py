"""Blocks that live on a device stay there: halos, statistics, checks, and diffusion as a step."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magxr.chunked.halo import map_halo
from magxr.chunked.quantiles import check_block, mean, quartiles
from magxr.errors import GridError, ParameterError
from magxr.kernels import device
from magxr.steps.diffusion import diffuse
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor
from tests.device_double import Array, CudaModule, Module, installed


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(params=["device", "cuda"])
def library(request, patch):
    return installed(patch, CudaModule() if request.param == "cuda" else Module())


def moved(x, library):
    """Send the blocks of a Dask array to the device."""
    return x.map_blocks(library.asarray, dtype=x.dtype, meta=library.asarray(np.empty((0, 0), x.dtype)))


def no_numpy(block):
    """Fail on a block that numpy has got hold of, else bring it back."""
    assert type(block) is Array
    return block.get()


def back(x):
    """Bring the blocks back, each of which must still be on the device."""
    assert type(x._meta) is Array
    return x.map_blocks(no_numpy, dtype=x.dtype, meta=np.empty((0, 0), x.dtype)).compute(scheduler="sync")


@given(
    seed=st.integers(0, 1000),
    wrap=st.booleans(),
    depth=st.integers(0, 3),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_halos_are_put_together_on_the_device(patch, seed, wrap, depth, dtype):
    library = installed(patch, Module())
    x = np.random.default_rng(seed).normal(size=(23, 31)).astype("f4")
    lazy = da.from_array(x, chunks=random_chunks(x.shape, 4, seed))
    seen = []

    def keep(block):
        seen.append(type(block))
        return block * 2

    how = {"depth": (depth, depth), "wrap": wrap, "step": "keep", "dtype": dtype}
    with nothing_computes():
        result = map_halo(keep, moved(lazy, library), **how)
    assert not seen
    assert result.dtype == dtype
    np.testing.assert_array_equal(back(result), 2 * x)
    assert set(seen) == {Array}
    whole = map_halo(keep, library.asarray(x), **how)
    assert type(whole) is Array
    np.testing.assert_array_equal(whole.get(), 2 * x)


def test_statistics_of_a_device_have_the_same_bits(patch):
    library = installed(patch, Module())
    x = np.random.default_rng(1).normal(size=(40, 50)).astype("f4")
    x[3:9, 4:30] = np.nan
    there = moved(da.from_array(x, chunks=17), library)
    for statistic in (quartiles, mean):
        found = statistic(there).compute(scheduler="sync")
        assert isinstance(found, (np.ndarray, np.generic))
        np.testing.assert_array_equal(found, statistic(x))


def test_fill_values_and_infinities_on_a_device_are_refused(patch):
    library = installed(patch, Module())
    x = np.ones((4, 5))
    x[0, 0] = np.nan
    check_block(library.asarray(x))
    for bad, message in ((99999.0, "reaches 99999 nT"), (np.inf, "has 1 infinite cells")):
        x[1, 2] = bad
        with pytest.raises(GridError, match=message):
            check_block(library.asarray(x))
    check_block(library.asarray(x), infinite=True)


HOW = [
    {},
    {"scale": 100.0, "sigma": 0.0, "rho": 1.0, "halo": "rule"},
    {"scheme": "fed", "rho": 2.0},
    {"scheme": "fed", "rho": 6.0, "sigma": 1.0, "metric": "spherical"},
]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("gaps", [False, True])
def test_diffusion_stays_on_the_device_and_equals_that_of_the_cpu(library, gaps, how):
    field = wavy_sea_floor((96, 120))
    if gaps:
        hidden = np.random.default_rng(5).random(field.shape) < 0.03
        hidden[40:60, 50:55] = True
        field = field.where(~hidden)[::-1]
    how = how | {"fixed": abs(field) > 150.0} if "scheme" in how else how
    lazy = field.chunk({"lat": (30, 40, 26), "lon": (70, 50)})
    there = lazy.copy(data=moved(lazy.data, library))
    with nothing_computes():
        result = diffuse(there, steps=4, **how)
    assert result.chunks == lazy.chunks
    assert result.dtype == np.float32
    got, expected = back(result.data), diffuse(lazy, steps=4, **how).compute(scheduler="sync").values
    span = float(field.max() - field.min())
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * span)
    assert isinstance(library, CudaModule) == bool(vars(library).get("started"))


def test_blocks_of_the_cuda_source_fit_together_bit_for_bit(patch):
    library = installed(patch, CudaModule())
    field = wavy_sea_floor((70, 80))
    results = []
    for chunks in ((70, 80), ((20, 50), (33, 28, 19))):
        lazy = da.from_array(field.values, chunks=chunks)
        there = field.copy(data=moved(lazy, library))
        results.append(back(diffuse(there, steps=3, rho=2.0, scale=100.0).data))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"scheme": "nonnegative"}, r"scheme='nonnegative' is for blocks on the CPU.*lives on a GPU"),
        ({"barrier": [(-109.5, -40.0), (-109.0, -38.0)]}, r"barrier is for blocks on the CPU"),
        ({"truncate": 2.0}, r"truncate=\(2.0, 2.0\) is for blocks on the CPU"),
    ],
)
def test_what_the_device_does_not_know_is_refused_before_any_work(library, how, message):
    lazy = wavy_sea_floor((96, 120)).chunk(48)
    with nothing_computes(), pytest.raises(ParameterError, match=message):
        diffuse(lazy.copy(data=moved(lazy.data, library)), **how)


def test_a_device_array_in_memory_is_diffused_there(library):
    field = wavy_sea_floor((40, 50))
    result = diffuse(field.copy(data=library.asarray(field.values)), steps=2)
    assert type(result.data) is Array
    expected = diffuse(field, steps=2).values
    np.testing.assert_allclose(result.data.get(), expected, rtol=0, atol=1e-5 * np.ptp(field.values))


@pytest.fixture(scope="module")
def cupy():
    found = pytest.importorskip("cupy", reason="CuPy is not installed (the extra cuda)", exc_type=ImportError)
    try:
        count = found.cuda.runtime.getDeviceCount()
    except found.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no CUDA device: {error}")
    if count == 0:
        pytest.skip("no CUDA device: CuPy counts none")
    return found


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("gaps", [False, True])
def test_diffusion_on_a_gpu_equals_that_of_the_cpu(cupy, gaps, dtype):
    field = wavy_sea_floor((300, 400)).astype(dtype)
    if gaps:
        field = field.where(np.random.default_rng(5).random(field.shape) > 0.03)
    lazy = field.chunk({"lat": 150, "lon": 200})
    result = diffuse(lazy.copy(data=lazy.data.map_blocks(cupy.asarray)), steps=5)
    assert type(result.data._meta) is cupy.ndarray
    got = result.data.compute(scheduler="sync")
    assert device.array_module(got) is cupy
    span = float(field.max() - field.min())
    np.testing.assert_allclose(got.get(), diffuse(field, steps=5).values, rtol=0, atol=1e-5 * span)
    whole = diffuse(field.copy(data=cupy.asarray(field.values)), steps=5)
    np.testing.assert_array_equal(got.get(), whole.data.get())
