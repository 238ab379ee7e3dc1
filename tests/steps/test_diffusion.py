"""Diffusion and orientation as steps: laziness, chunks, wrap, flips, labels, arguments, strikes."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from magxr.errors import ChunkError, GridError, MagxrError, MagxrWarning, ParameterError
from magxr.io.read import open_anomaly
from magxr.steps.diffusion import CONTRAST, diffuse, structure
from magxr.steps.outliers import remove_outliers
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor


@pytest.fixture(scope="module")
def floor():
    return wavy_sea_floor((96, 120))


@pytest.fixture(scope="module")
def holey(floor):
    gaps = np.random.default_rng(5).random(floor.shape) < 0.03
    gaps[40:60, 50:55] = True
    return floor.where(~gaps)


def globe(rows=40, columns=180, start=0.0, seed=0):
    rng = np.random.default_rng(seed)
    step = 360.0 / columns
    return xr.DataArray(
        rng.normal(0, 50, (rows, columns)).astype("f4"),
        dims=("latitude", "longitude"),
        coords={
            "latitude": -30.0 + 0.5 * np.arange(rows),
            "longitude": start + step * (np.arange(columns) + 0.5),
        },
        name="anomaly",
        attrs={"units": "nT"},
    )


def chunked(field, sizes):
    return field.chunk(dict(zip(field.dims, sizes, strict=True)))


@given(seed=st.integers(0, 1000), gaps=st.booleans(), steps=st.sampled_from([1, 4, 7]))
def test_chunked_equals_whole_bit_for_bit(floor, holey, seed, gaps, steps):
    field = holey if gaps else floor
    lazy = chunked(field, random_chunks(field.shape, 17, seed))
    with nothing_computes():
        result = diffuse(lazy, steps=steps)
    assert result.chunks == lazy.chunks
    np.testing.assert_array_equal(result.compute(scheduler="sync").values, diffuse(field, steps=steps).values)


@given(seed=st.integers(0, 1000), gaps=st.booleans())
def test_structure_chunked_equals_whole_bit_for_bit(floor, holey, seed, gaps):
    field = holey if gaps else floor
    lazy = chunked(field, random_chunks(field.shape, 17, seed))
    with nothing_computes():
        result = structure(lazy)
    assert result.chunks == {"lat": lazy.chunks[0], "lon": lazy.chunks[1]}
    xr.testing.assert_identical(result.compute(scheduler="sync"), structure(field))


def test_threads_do_not_change_a_bit(floor):
    lazy = chunked(floor, (24, 30))
    result = diffuse(lazy, steps=6).compute(scheduler="threads", num_workers=4)
    np.testing.assert_array_equal(result.values, diffuse(floor, steps=6).values)


@given(seed=st.integers(0, 1000), shift=st.integers(17, 163), gaps=st.booleans())
def test_rolled_in_is_rolled_out_on_a_globe(seed, shift, gaps):
    field = globe(seed=seed)
    if gaps:
        field = field.where(np.random.default_rng(seed).random(field.shape) > 0.02)
    whole, oriented = diffuse(field, steps=5), structure(field)
    rolled = field.roll(longitude=shift, roll_coords=True)
    xr.testing.assert_identical(diffuse(rolled, steps=5), whole.roll(longitude=shift, roll_coords=True))
    xr.testing.assert_identical(structure(rolled), oriented.roll(longitude=shift, roll_coords=True))
    # A globe is put back in order chunk by chunk: one chunk border lies where longitude jumps.
    lazy = chunked(rolled, (random_chunks(field.shape, 17, seed)[0], (shift, 180 - shift)))
    np.testing.assert_array_equal(
        diffuse(lazy, steps=5).compute(scheduler="sync").values,
        np.roll(whole.values, shift, axis=1),
    )


def test_a_globe_is_periodic_and_keeps_its_mean():
    field = globe()
    result = diffuse(field, steps=50)
    assert abs(result.mean(dtype="f8") - field.mean(dtype="f8")) <= 1e-8 * float(field.max() - field.min())
    # The seam is like any other place: columns cut out and shifted elsewhere come out the same.
    cut = diffuse(field.assign_coords(longitude=field.longitude * 0.5), steps=50)  # half a globe: edges
    assert np.abs(cut.values - result.values)[:, 0].max() > 1.0
    assert np.abs(cut.values - result.values)[:, 90].max() < 1e-3


def test_a_repeated_column_stays_repeated():
    field = globe(columns=90, start=-2.0)
    again = xr.concat(
        [field, field[:, :1].assign_coords(longitude=[field.longitude[0] + 360.0])], "longitude"
    )
    result = diffuse(again, steps=3)
    np.testing.assert_array_equal(result[:, 0].values, result[:, -1].values)
    np.testing.assert_array_equal(result[:, :-1].values, diffuse(field, steps=3).values)


@pytest.mark.parametrize(
    "turn",
    [
        lambda f: f.isel(lat=slice(None, None, -1)),
        lambda f: f.isel(lon=slice(None, None, -1)),
        lambda f: f.transpose("lon", "lat"),
    ],
)
def test_flipped_in_is_flipped_out(holey, turn):
    xr.testing.assert_identical(diffuse(turn(holey), steps=3), turn(diffuse(holey, steps=3)))
    xr.testing.assert_identical(structure(turn(holey)), turn(structure(holey)))


def test_labels_attrs_and_other_variables_survive(floor):
    data = xr.Dataset({"anomaly": floor.assign_attrs(long_name="m"), "depth": floor.rename("depth") * 0})
    data["depth"].attrs["units"] = "m"
    result = diffuse(data, steps=2, sigma=0.5)
    assert result["anomaly"].attrs["long_name"] == "m"
    assert result["anomaly"].dtype == np.float32
    assert "diffuse(sigma=0.5, rho=4.0, steps=2, tau=0.25" in result["anomaly"].attrs["history"]
    xr.testing.assert_identical(result["depth"], data["depth"])
    xr.testing.assert_equal(result["anomaly"], diffuse(data["anomaly"], steps=2, sigma=0.5))
    with pytest.raises(GridError, match="no variable 'b' in the dataset"):
        diffuse(data, variable="b")
    assert data["anomaly"].attrs.get("history") is None


def test_float64_stays_float64(floor):
    assert diffuse(floor.astype("f8"), steps=1).dtype == np.float64
    assert structure(floor.astype("f8"))["strike"].dtype == np.float64


def test_the_default_scale_is_the_interquartile_range_of_the_grid(floor):
    q1, q3 = np.quantile(floor.values.astype("f8"), [0.25, 0.75])
    expected = diffuse(floor, steps=2, scale=float(q3 - q1))
    np.testing.assert_array_equal(diffuse(floor, steps=2).values, expected.values)
    assert (diffuse(floor, steps=2, scale=1e4).values != expected.values).any()


def test_the_default_scale_is_the_one_of_remove_outliers_where_it_ran(floor):
    clean = remove_outliers(chunked(floor, (48, 60)), k=0.3)
    q1, q3 = np.quantile(floor.values.astype("f8"), [0.25, 0.75])
    with nothing_computes():
        result = diffuse(clean, steps=2)
    expected = diffuse(clean.compute(), steps=2, scale=float(q3 - q1))
    np.testing.assert_array_equal(result.compute(scheduler="sync").values, expected.values)
    # values in memory, coordinates still lazy
    mixed = clean.copy(data=clean.compute(scheduler="sync").values)
    assert dask.is_dask_collection(mixed.coords["first_quartile"].data)
    np.testing.assert_array_equal(diffuse(mixed, steps=2).values, expected.values)


def test_contrast_is_kroons_for_a_grid_of_four_interquartile_ranges():
    assert pytest.approx(1e-10 * 4.0**4) == CONTRAST


def test_time_is_steps_times_tau(floor):
    expected = diffuse(floor, steps=8, tau=0.25)
    xr.testing.assert_identical(diffuse(floor, time=2.0), expected)
    xr.testing.assert_identical(diffuse(floor, time=2.0, steps=8), expected)
    xr.testing.assert_identical(diffuse(floor), diffuse(floor, steps=20))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": -1}, r"sigma=-1 must be a number at least 0, pixels"),
        ({"sigma": "a"}, r"sigma='a' must be a number"),
        ({"rho": 0}, r"rho=0 must be a number greater than 0, pixels"),
        ({"rho": np.nan}, r"rho=nan must be a number"),
        ({"steps": 0}, r"steps=0 must be a whole number of at least 1"),
        ({"steps": 2.5}, r"steps=2.5 must be a whole number"),
        ({"steps": True}, r"steps=True must be a whole number"),
        ({"tau": 0.5}, r"tau=0.5 must be a number greater than 0 and at most 0.49, pixels².*stable"),
        ({"tau": 0}, r"tau=0 must be a number greater than 0"),
        ({"alpha": 0}, r"alpha=0 must be a number greater than 0 and less than 1"),
        ({"alpha": 1}, r"alpha=1 must be a number greater than 0 and less than 1"),
        ({"contrast": 0}, r"contrast=0 must be a number greater than 0"),
        ({"scale": 0}, r"scale=0 must be a number greater than 0, nT"),
        ({"time": -1}, r"time=-1 must be a number greater than 0"),
        (
            {"time": 3, "steps": 8, "tau": 0.25},
            r"time=3 is not steps \* tau = 8 \* 0.25 = 2; give one of them",
        ),
        (
            {"time": 1.1, "tau": 0.25},
            r"time=1.1 is not a whole number of steps of tau=0.25; use tau=0.22, which takes 5",
        ),
        ({"time": 9, "steps": 8}, r"time=9 in steps=8 makes tau=1.125.*stable up to 0.49.*steps=19"),
        ({"scheme": "aos"}, r"scheme='aos' is not known; the schemes are: 'cell', 'fed', 'nonneg"),
        ({"scheme": None}, r"scheme=None is not known"),
        ({"cycles": 3}, r"cycles=3 belongs to scheme='fed'; scheme='cell' takes steps of tau"),
        ({"cycles": 0, "scheme": "fed"}, r"cycles=0 must be a whole number of at least 1"),
        ({"metric": "sphere"}, r"metric='sphere' is not known; use 'pixel' or 'spherical'"),
        ({"metric": "spherical", "sigma": -1}, r"sigma=-1 must be a number at least 0, km"),
        ({"metric": "spherical", "tau": 9.0}, r"tau=9.0 must be a number greater than 0 and at most 1.*km²"),
        (
            {"metric": "spherical", "scheme": "nonnegative"},
            r"'nonnegative' knows the pixel grid only.*metric",
        ),
        ({"barrier": [[0, 0]], "scheme": "rotation_invariant"}, r"pixel grid only.*for barrier use"),
        ({"truncate": 0}, r"truncate=0 must be a number at least 1 and at most 10, standard deviations"),
        ({"truncate": (2, 3, 4)}, r"truncate=\(2, 3, 4\) must be one number or two"),
        ({"halo": "big"}, r"halo='big' must be 'exact', 'rule' or a whole number"),
        ({"halo": 0}, r"halo=0 must be"),
    ],
)
def test_arguments_out_of_range_say_so_before_any_work(floor, arguments, message):
    with nothing_computes(), pytest.raises(ParameterError, match=message):
        diffuse(chunked(floor, (48, 60)), **arguments)


@pytest.mark.parametrize("step", [diffuse, structure])
def test_an_integration_scale_below_the_noise_scale_warns(floor, step):
    with pytest.warns(MagxrWarning, match="rho=1 is less than sigma=2 pixels.*must not be underestimated"):
        step(floor, sigma=2.0, rho=1.0)
    with pytest.raises(ParameterError, match=r"rho=-1 must be a number greater than 0"):
        step(floor, rho=-1)


def test_chunks_smaller_than_one_step_looks_are_refused(floor):
    lazy = chunked(floor, ((80, 16), (60, 60)))
    diffuse(lazy, rho=3.0)
    for step, halo in ((diffuse, 18), (structure, 19)):
        message = rf"halo of {halo} cells along latitude.*smallest chunk there has 16"
        with pytest.raises(ChunkError, match=message):
            step(lazy, rho=4.5)
    with pytest.raises(ChunkError, match=r"diffuse needs a halo of 112 cells.*smallest chunk there has 16"):
        diffuse(lazy, halo="rule")
    with pytest.raises(ChunkError, match=r"halo of 16 columns, but the whole grid has only 12"):
        diffuse(globe(columns=12))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_cells_are_refused(floor, value):
    bad = floor.copy()
    bad[3, 4] = value
    with pytest.raises(GridError, match="has 1 infinite cells; mask them"):
        diffuse(bad, steps=1, scale=100.0)


def test_fill_values_are_refused_also_when_lazy(floor):
    bad = floor.copy()
    bad[3, 4] = 99999.0
    with pytest.raises(GridError, match=r"reaches 99999 nT, which is a fill value.*mask it"):
        diffuse(bad, steps=1)
    lazy = diffuse(chunked(bad, (48, 60)), steps=1)
    with pytest.raises(MagxrError, match="reaches 99999 nT"):
        lazy.compute(scheduler="sync")


@pytest.mark.parametrize("lazy", [False, True])
def test_a_constant_grid_comes_back_unchanged_and_an_empty_one_is_refused(floor, lazy):
    flat, empty = ((floor * factor + 5).assign_attrs(floor.attrs) for factor in (0, np.nan))
    if lazy:
        flat, empty = chunked(flat, (48, 60)), chunked(empty, (48, 60))
    np.testing.assert_array_equal(diffuse(flat).values, flat.values)
    with pytest.raises(GridError, match="no valid value"):
        diffuse(empty).compute(scheduler="sync")
    assert np.isnan(diffuse(empty, scale=100.0).values).all()
    flat = structure((floor * 0 + 5).assign_attrs(units="nT"))
    assert (flat["coherence"] == 0).all()
    assert flat["strike"].isnull().all()


def test_a_grid_without_spread_in_the_middle_asks_for_a_scale(floor):
    mostly = floor.where(np.arange(floor.shape[1]) > 100, 0.0)
    with pytest.raises(ParameterError, match=r"interquartile range of the anomaly is 0.0 nT.*pass scale="):
        diffuse(mostly)
    assert np.isfinite(diffuse(mostly, scale=200.0, steps=1)).all()


@pytest.mark.parametrize("shape", [(2, 2), (3, 60), (60, 3)])
def test_tiny_grids(shape):
    field = wavy_sea_floor(shape).astype("f8")
    result = diffuse(field)
    assert abs(float(result.mean(dtype="f8") - field.mean(dtype="f8"))) <= 1e-8 * float(
        field.max() - field.min()
    )
    assert np.isfinite(structure(field)["coherence"]).all()


@pytest.mark.parametrize(("steps", "tolerance"), [(20, 1e-6), (50, 1e-6)])
def test_the_halo_of_the_rule_keeps_1e6_of_the_range(steps, tolerance):
    field = wavy_sea_floor((260, 280)).astype("f8")
    field[100, 130] = 1e4
    whole = diffuse(field, steps=steps, scale=200.0)
    lazy = chunked(field, (130, 140))
    result = diffuse(lazy, steps=steps, scale=200.0, halo="rule")
    error = float(np.abs(result - whole).max())
    assert 0 < error <= tolerance * float(field.max() - field.min())
    with pytest.raises(ChunkError, match=r"halo of 10 x 10 cells differs from twice the halo by .*use halo="):
        diffuse(lazy, steps=steps, scale=200.0, halo=10).compute(scheduler="sync")
    exact = diffuse(lazy, steps=5, scale=200.0, halo=200)  # more than 5 steps can see: 80 will do
    np.testing.assert_array_equal(exact.values, diffuse(field, steps=5, scale=200.0).values)


def plane_wave(latitude, strike, wavelength=14.0, n=120):
    """Stripes of true azimuth ``strike``, ``wavelength`` rows wide, on a grid of equal degrees."""
    step = 0.02
    lat, lon = latitude + step * (np.arange(n) - n / 2), step * np.arange(n)
    north, east = np.meshgrid(lat / step, lon / step * np.cos(np.radians(latitude)), indexing="ij")
    azimuth = np.radians(strike)
    across = east * np.cos(azimuth) - north * np.sin(azimuth)
    return xr.DataArray(
        (100 * np.sin(2 * np.pi * across / wavelength)).astype("f4"),
        dims=("lat", "lon"),
        coords={"lat": lat, "lon": lon},
        attrs={"units": "nT"},
    )


@pytest.mark.parametrize("latitude", [-60.0, 0.0, 60.0])
@pytest.mark.parametrize("wavelength", [6.0, 8.0, 14.0])
def test_strike_is_the_true_azimuth_within_a_degree(latitude, wavelength):
    for strike in np.arange(0.0, 180.0, 15.0):
        found = structure(plane_wave(latitude, strike, wavelength)).isel(
            lat=slice(25, -25), lon=slice(25, -25)
        )
        assert float(found["coherence"].min()) > 0.7
        assert float(found["strike"].min()) >= 0.0
        assert float(found["strike"].max()) < 180.0
        off = (found["strike"] - strike + 90.0) % 180.0 - 90.0
        assert float(np.abs(off).max()) <= 1.0
        assert abs(float(off.mean())) <= 0.2


@pytest.mark.parametrize(("latitude", "noisy"), [(0.0, 20.0), (60.0, 5.0)])
def test_strike_is_within_a_degree_in_noise(latitude, noisy):
    for strike in np.arange(0.0, 180.0, 15.0):
        field = plane_wave(latitude, strike)
        field += np.random.default_rng(0).normal(0, noisy, field.shape).astype("f4")
        found = structure(field, rho=6.0).isel(lat=slice(25, -25), lon=slice(25, -25))
        sure = found["strike"].where(found["coherence"] > 0.7)
        assert sure.notnull().mean() > 0.9
        off = (sure - strike + 90.0) % 180.0 - 90.0
        assert float(np.abs(off).max()) <= 1.0


def test_structure_next_to_gaps_keeps_its_strike():
    field = plane_wave(0.0, 30.0)
    gaps = np.random.default_rng(3).random(field.shape) < 0.1
    found = structure(field.where(~gaps)).isel(lat=slice(25, -25), lon=slice(25, -25))
    off = (found["strike"] - 30.0 + 90.0) % 180.0 - 90.0
    assert float(np.abs(off).mean()) <= 1.0
    assert float(found["coherence"].mean()) > 0.9


def test_a_gap_in_stripes_closes():
    truth = plane_wave(0.0, 30.0)
    inside = dict(lat=slice(25, -25), lon=slice(57, 63))
    broken = truth.copy(deep=True)
    broken[:, 57:63] = 0.0

    def alike(field):
        return np.corrcoef(field.isel(inside).values.ravel(), truth.isel(inside).values.ravel())[0, 1]

    found = [alike(diffuse(broken, steps=n)) for n in (20, 60, 200)]
    assert found[0] > 0.75
    assert found[1] > 0.94
    assert found[2] > 0.99
    # It closes by what flows in: a third of the amplitude after 60 steps.
    filled = diffuse(broken, steps=60).isel(inside).std() / truth.isel(inside).std()
    assert 0.3 < float(filled) < 0.4


def test_a_gap_in_isotropic_noise_does_not_close():
    field = plane_wave(0.0, 30.0)  # for its grid
    inside = dict(lat=slice(25, -25), lon=slice(57, 63))
    alike = []
    for seed in range(8):
        noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=field.shape), 3.0)
        truth = field.copy(data=(70 * noise / noise.std()).astype("f4"))
        broken = truth.copy(deep=True)
        broken[:, 57:63] = 0.0
        closed = diffuse(broken, steps=60, scale=100.0)
        alike.append(np.corrcoef(*(f.isel(inside).values.ravel() for f in (closed, truth)))[0, 1])
    # What flows in is not what was there: in stripes of that width it is, to 0.94 and more (above).
    assert np.mean(alike) < 0.4
    assert np.median(alike) < 0.4


@pytest.mark.parametrize("seed", range(3))
def test_noise_gains_no_more_coherence_than_stated(seed):
    field = plane_wave(0.0, 30.0)  # for its grid
    noise = field.copy(data=np.random.default_rng(seed).normal(0, 50, field.shape).astype("f4"))
    before, after = structure(noise)["coherence"], structure(diffuse(noise))["coherence"]
    assert float(before.mean()) < 0.06
    assert float(after.mean()) < 0.5
    assert float((after > 0.7).mean()) < 0.17
    assert float(diffuse(noise).std()) < 0.36 * float(noise.std())


def test_coherence_tells_stripes_from_noise():
    stripes = structure(plane_wave(0.0, 30.0))["coherence"]
    assert float(stripes[20:-20, 20:-20].min()) > 0.95
    noise = stripes.copy(data=np.random.default_rng(1).normal(0, 50, stripes.shape)).assign_attrs(units="nT")
    assert float(structure(noise)["coherence"].mean()) < 0.15


def test_nan_in_is_nan_out(holey):
    found = structure(holey)
    for name in ("coherence", "strike", "strike_uncertainty"):
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(holey))
    assert found["strike"].attrs["units"] == "degrees"
    assert float(found["coherence"].max()) <= 1.0


def test_a_chain_of_steps_is_lazy_and_the_same(floor):
    lazy = remove_outliers(chunked(floor, (48, 60)))
    with nothing_computes():
        result = structure(diffuse(lazy, steps=3))
    assert isinstance(result["strike"].data, da.Array)
    xr.testing.assert_equal(
        result.compute(scheduler="sync"), structure(diffuse(remove_outliers(floor), steps=3))
    )


def test_a_real_tile_chunked_equals_whole(real_data):
    tile = open_anomaly(real_data / "emag2v3" / "chile_margin.nc", chunks={"lat": 200, "lon": 160})
    with nothing_computes():
        lazy = structure(diffuse(remove_outliers(tile), steps=5))
    whole = structure(diffuse(remove_outliers(tile.compute()), steps=5))
    xr.testing.assert_equal(lazy.compute(scheduler="sync"), whole)
    assert 0.2 < float(whole["coherence"].mean()) < 0.6
