"""One pass over the map: against a pass over the whole, over tiles and chunkings, holes, edges, the globe."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from magxr.errors import GridError, ModelError, ParameterError
from magxr.kernels.localscale import localscale, margin
from magxr.models import engine, heads, weights
from magxr.models.backbones import backbone
from magxr.models.dense_trunk import assemble_part
from magxr.models.second import add_dense
from magxr.models.trained import TrainedModel
from magxr.steps import dense_cells
from magxr.steps.classify import classify
from magxr.steps.dense_features import dense_features
from magxr.testing import nothing_computes, random_chunks, wavy_sea_floor
from tests.steps.test_classify import Fake

WINDOW = 64
network_model = pytest.mark.network_model


def small_model(folder, kind="pooled", *, trunk="vgg16-hed", trunk_weights=None, form="dense", beside=None):
    """A model for windows of 64 px whose head weighs the trunk's features at random, but not at will."""
    rng, channels = np.random.default_rng(6), backbone(trunk).channels
    if kind == "pooled":
        size = (2 * channels,)
        head = heads.PooledHead(
            rng.uniform(0, 1, size).astype("f4"), rng.uniform(0.5, 1.5, size).astype("f4"),
            rng.normal(0, 0.004, size).astype("f4"), 0.0,
        )  # fmt: skip
    else:
        widths = (channels * backbone(trunk).cells(WINDOW) ** 2, 100, 100, 10, 1)
        head = heads.DenseHead(
            tuple(
                (rng.normal(0, np.sqrt(0.5 / a), (a, b)).astype("f4"), np.zeros(b, "f4"))
                for a, b in pairwise(widths)
            )
        )
    report = {"head": kind, "parameters": 1, "protocol": {"epochs": 25}, "optimiser": "none"}
    features = "pooled" if kind == "pooled" else "flat"
    made = TrainedModel(head, trunk, trunk_weights, WINDOW, report, features=features, form=form)
    if beside is not None:
        return made, folder
    return made.save(folder, spacing=(0.5, 2), trained_on="nothing: a test")


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("models") / "pooled")


@pytest.fixture(scope="module")
def flattened(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("models") / "dense", "dense")


@pytest.fixture(scope="module")
def holed():
    da = wavy_sea_floor((190, 214), seed=2)
    rng = np.random.default_rng(2)
    hole = rng.random(da.shape) < 0.03
    hole[60:100, 90:150] = True
    filled = (rng.random(da.shape) < 0.02).astype("i1")
    return da.where(~hole).assign_coords(filled=(da.dims, filled))


@pytest.fixture
def tiles(monkeypatch):
    """Set the sides between which tiles are made."""

    def use(least, most):
        monkeypatch.setattr(dense_cells, "LEAST", least)
        monkeypatch.setattr(dense_cells, "MOST", most)

    return use


def whole_map(values):
    """The dense map by one network over the map and all that is missing around it."""
    chosen = backbone("vgg16-hed")
    path = chosen.weights_file()
    form = chosen.form(path)
    keras = engine.start()
    from magxr.models.trunks.atrous import plan

    parts = plan(form.sketch)
    tile = tuple(n // 8 for n in values.shape)
    tensors = weights.read_layers(path, form.layers, form.sketch.stored_order())
    far = assemble_part(keras, parts.far, tensors, tile, channels=256)
    near = assemble_part(keras, parts.near, tensors, far.input.shape[1:3], scaling=form.scaling)
    rim = margin(WINDOW)
    pads = [
        (rim - parts.reads[0], rim + parts.reads[1] + 1 - 8 + 8 * cells - length)
        for cells, length in zip(tile, values.shape, strict=True)
    ]
    around = np.pad(values, [(low, max(high, 0)) for low, high in pads], constant_values=np.nan)
    image = localscale(around, WINDOW)[: near.input.shape[1], : near.input.shape[2]]
    return np.asarray(far(near(image[None, ..., None])))[0]


def answers_of(cells, head, stride, size):
    """What a pooled head says of every crop, one by one."""
    step = stride // 8
    out = []
    for i in range(0, (size[0] - WINDOW) // 8 + 1, step):
        line = []
        for j in range(0, (size[1] - WINDOW) // 8 + 1, step):
            crop = cells[i : i + 5, j : j + 5].astype("f8").reshape(25, -1)
            line.append(head.probability(np.concatenate([crop.mean(axis=0), crop.std(axis=0)])[None])[0])
        out.append(line)
    return np.array(out, "f4")


@network_model
@pytest.mark.parametrize("stride", [8, 24])
def test_equals_one_network_over_the_whole_map(pooled, holed, tiles, stride):
    tiles(9, 13)
    out = classify(holed, model=pooled, mode="dense", stride=stride, max_missing=1.0).linear_probability
    want = answers_of(whole_map(holed.values), heads.read_head(pooled.head_file()), stride, holed.shape)
    got = out.values[np.isfinite(out.values)].reshape(want.shape)
    assert np.ptp(want) > 0.02
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-6)


@network_model
def test_dense_and_window_form_answer_the_same_cells(pooled, holed):
    for stride in (8, 16, 24):
        told = {"stride": stride, "max_missing": 0.3}
        dense = classify(holed, model=pooled, mode="dense", **told)
        windows = classify(holed, model=Fake(WINDOW, 16), **told)
        assert dense.linear_probability.dims == windows.linear_probability.dims
        xr.testing.assert_equal(dense.missing_share, windows.missing_share)
        xr.testing.assert_equal(dense.linear_probability.isnull(), windows.linear_probability.isnull())
        assert bool(dense.linear_probability.isnull().any())


@network_model
@pytest.mark.parametrize("kind", ["pooled", "flattened"])
def test_chunked_equals_whole_whatever_the_tiles(kind, holed, tiles, request):
    model = request.getfixturevalue(kind)
    told = {"model": model, "mode": "dense", "stride": 8, "max_missing": 0.4}
    whole = classify(holed, **told).linear_probability
    assert float(whole.std()) > 1e-3
    for seed, sides in enumerate([(3, 5), (7, 12), (12, 20)]):
        tiles(*sides)
        chunks = dict(zip(holed.dims, random_chunks(holed.shape, 20, seed), strict=True))
        with nothing_computes():
            lazy = classify(holed.chunk(chunks), **told).linear_probability
        got = lazy.compute(scheduler="threads", num_workers=2)
        np.testing.assert_allclose(got, whole, rtol=0, atol=1e-5)
        for cut in (0.3, 0.5, 0.7):
            flips = ((got > cut) != (whole > cut)) & (abs(whole - cut) > 1e-5)
            assert not bool(flips.any())


@network_model
def test_the_halo_is_not_a_cell_wider_than_it_must_be(pooled, tiles, monkeypatch):
    """A tile that is given a cell less of its neighbours makes a cell less; nothing is filled in quietly."""
    tiles(3, 5)
    da = wavy_sea_floor((150, 160))
    told = {"model": pooled, "mode": "dense", "stride": 8}
    classify(da, **told)
    real = dense_cells._read
    monkeypatch.setattr(dense_cells, "_read", lambda start, stop, *more: real(start, stop - 1, *more))
    with pytest.raises(ValueError, match=r"broadcast|shape"):
        classify(da, **told)


@network_model
def test_layouts(pooled, holed):
    told = {"model": pooled, "mode": "dense", "stride": 16}
    want = classify(holed, **told).linear_probability
    for other in (holed[::-1], holed[:, ::-1].T):
        out = classify(other, **told).linear_probability
        assert out.dims == other.dims
        xr.testing.assert_equal(out.sortby(["lat", "lon"]).transpose(*want.dims), want)


@network_model
def test_rolled_in_rolled_out(pooled, tiles):
    """Windows go round the globe, and so do the cells; 45 columns before longitude 0 are no multiple of 8."""
    tiles(9, 13)
    lat, lon = 2.0 * (np.arange(80) - 39.5), -180.0 + 2.0 * (np.arange(180) + 0.5)
    values = np.random.default_rng(0).normal(0, 100, (80, 180)).astype("f4")
    values = sum(np.roll(values, s, axis=1) for s in range(4))
    da = xr.DataArray(
        values[:, :176], {"latitude": lat, "longitude": 360 / 176 * (np.arange(176) + 0.5) - 180},
        ("latitude", "longitude"), "anomaly", {"units": "nT", "registration": "pixel"},
    )  # fmt: skip
    assert lon.size == 180
    told = {"model": pooled, "mode": "dense", "stride": 8, "check_spacing": False}
    out = classify(da, **told).linear_probability
    assert out.sizes["longitude"] == 22
    assert bool(out.notnull().any("latitude").all())

    def eastward(p):
        return p.assign_coords(longitude=np.round(p.longitude % 360, 6)).sortby("longitude")

    for roll in (7, 100):
        got = classify(da.roll(longitude=roll, roll_coords=True), **told).linear_probability
        xr.testing.assert_allclose(eastward(got), eastward(out), rtol=0, atol=1e-5)
    lazy = classify(da.chunk({"latitude": 50, "longitude": 60}), **told).linear_probability
    np.testing.assert_allclose(lazy.compute(), out, rtol=0, atol=1e-5)


@network_model
def test_training_features_are_those_that_are_classified(pooled, flattened, holed):
    places = np.array([[0, 0], [8, 120], [126, 150], [50, 51], [120, 3]])
    nearest = [(0, 0), (1, 15), (15, 18), (6, 6), (15, 0)]
    for model, kind in ((pooled, "pooled"), (flattened, "flat")):
        made = dense_features(holed, places, window=WINDOW, kind=kind)
        assert made.recipe.normalisation == "local"
        got = heads.read_head(model.head_file()).probability(np.asarray(made))
        told = {"mode": "dense", "stride": 8, "max_missing": 1.0}
        out = classify(holed, model=model, **told).linear_probability.values
        first = np.argwhere(np.isfinite(out))[0]
        want = [out[first[0] + i, first[1] + j] for i, j in nearest]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
        lazy = dense_features(holed.chunk({"lat": 77, "lon": 90}), places, window=WINDOW, kind=kind)
        np.testing.assert_allclose(np.asarray(lazy), np.asarray(made), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("places", "error", "match"),
    [
        ([[0, 151]], GridError, r"at row 0 and column 151 does not lie in the map of 190 x 214"),
        (np.empty((0, 2), int), GridError, r"give first row and column of each window"),
        ([[0.5, 1]], GridError, r"places are float64"),
    ],
)
def test_features_refused(holed, places, error, match):
    with pytest.raises(error, match=match):
        dense_features(holed, places, window=WINDOW)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"mode": "fast"}, ParameterError, r"mode is 'fast'; use 'windows'.*'dense'.*or 'auto'"),
        ({"stride": 10}, ParameterError, r"stride 10 does not fit the dense form.*e\.g\. 8, 16, 24"),
        ({"stride": 20}, ParameterError, r"stride 20 does not fit the dense form.*e\.g\. 8, 16, 24"),
        ({"edges": "pad"}, ParameterError, r"edges is 'pad', which mode='dense' does not have; leave it"),
        ({"doubt": True}, ParameterError, r"doubt is True, which mode='dense' does not have"),
        ({"model": "default"}, ModelError, r"'default' has no dense form: it has no trunk"),
        ({"model": Fake(WINDOW)}, ModelError, r"a Fake answers for windows only; mode='dense' needs"),
        ({"mode": "windows"}, ModelError, r"is for the dense form, not for windows; use classify"),
        ({"mode": "auto"}, ModelError, r"has a head for the dense form only; mode='auto' needs"),
        ({"uncertain": (0.7, 0.3)}, ParameterError, r"uncertain is \(0\.7, 0\.3\); give the least"),
        ({"uncertain": 0.5}, ParameterError, r"uncertain is 0\.5; give the least"),
    ],
)  # fmt: skip
def test_refused(pooled, arguments, error, match):
    told = {"model": pooled, "mode": "dense", "stride": 8, "check_spacing": False} | arguments
    da = wavy_sea_floor((300, 300)) if told["model"] == "default" else wavy_sea_floor((100, 120))
    with nothing_computes(), pytest.raises(error, match=match):
        classify(da.chunk(60), **told)


def test_trunks_and_heads_without_a_dense_form_are_refused(tmp_path):
    da = wavy_sea_floor((100, 120)).chunk(60)
    told = {"mode": "dense", "stride": 8}
    windows = small_model(tmp_path / "windows", form="windows")
    with pytest.raises(ModelError, match=r"no head for the dense form: its head reads windows; train one"):
        classify(da, model=windows, **told)
    alexnet = small_model(tmp_path / "alexnet", trunk="alexnet", trunk_weights="untrained")
    with pytest.raises(ModelError, match=r"'alexnet' has no dense form: its reductions take no padding"):
        classify(da, model=alexnet, **told)
    other, _ = small_model(tmp_path, "pooled", beside=True)
    short = heads.PooledHead(*(a[:512] for a in (other.head.mean, other.head.scale, other.head.weights)), 0.0)
    wrong = replace(other, head=short).save(tmp_path / "short", spacing=(0.5, 2), trained_on="nothing")
    with pytest.raises(ModelError, match=r"takes 512 features, but the dense map of 'vgg16-hed' gives 1024"):
        classify(da, model=wrong, **told)


@network_model
def test_auto_asks_windows_where_dense_doubts(tmp_path, holed):
    own, _ = small_model(tmp_path, form="windows", beside=True)
    second, _ = small_model(tmp_path, beside=True)
    own.save(tmp_path / "both", spacing=(0.5, 2), trained_on="nothing")
    spec = add_dense(tmp_path / "both", second)
    told = {"model": spec, "stride": 16, "max_missing": 0.3}
    dense = classify(holed, mode="dense", **told).linear_probability
    windows = classify(holed, **told).linear_probability
    band = tuple(np.nanquantile(dense, [0.3, 0.7]).tolist())
    doubted = (dense >= band[0]) & (dense <= band[1])
    got = classify(holed, mode="auto", uncertain=band, **told)
    want = xr.where(doubted, windows, dense)
    assert float(abs(windows - dense).where(doubted).max()) > 1e-3
    np.testing.assert_allclose(got.linear_probability, want, rtol=0, atol=1e-5)
    assert float(got.recomputed) == int(doubted.sum()) / int(dense.notnull().sum())
    assert 0.3 < float(got.recomputed) < 0.5
    with nothing_computes():
        lazy = classify(holed.chunk({"lat": 100, "lon": 80}), mode="auto", uncertain=band, **told)
    assert lazy.recomputed.chunks is not None
    lazy = lazy.compute()
    np.testing.assert_allclose(lazy.linear_probability, want, rtol=0, atol=1e-5)
    assert float(lazy.recomputed) == pytest.approx(float(got.recomputed), abs=0.02)
