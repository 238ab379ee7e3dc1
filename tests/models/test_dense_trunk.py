"""Trunks a trous: the plain trunk's cells among them, what a cell reads, and nothing compiled twice."""

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models import dense, engine, untrained
from magxr.models.assemble import assemble
from magxr.models.backbones import BACKBONES
from magxr.models.dense_chain import chained, is_chain
from magxr.models.dense_trunk import assemble_part
from magxr.models.trunks.atrous import CELL, plan
from magxr.models.trunks.form import Form
from magxr.models.trunks.sketch import Sketch

TILE = (5, 9)
SLOW = {"resnet34", "resnet101"}
FORMS = [
    pytest.param(b.name, i, id=f"{b.name}-{f.files}", marks=[pytest.mark.slow] if b.name in SLOW else [])
    for b in BACKBONES.values()
    if b.dense
    for i, f in enumerate(b.forms)
]


@pytest.fixture(scope="module")
def keras():
    return engine.start()


def random_tensors(form, seed=0):
    """Weights that keep signals at their size, for a form that no file is at hand for."""
    rng, made = np.random.default_rng(seed), {}
    branches = sum(op.kind == "add" for op in form.sketch.ops)
    for layer in form.layers:
        values = []
        for t in layer.tensors:
            if t.part == "kernel":
                read = np.prod(t.shape[:2] if layer.kind == "depthwise" else t.shape[:3])
                values.append(rng.normal(0, np.sqrt(2 / read), t.shape))
            else:
                one = {"gamma": 1 / max(branches, 1) ** 0.25, "variance": 1.0}.get(t.part, 0.0)
                values.append(np.full(t.shape, one) + (0.01 * rng.random(t.shape)))
        made[layer.name] = tuple(v.astype("f4") for v in values)
    return made


def both(keras, form, tensors, tile=TILE):
    """Return both parts, put together: from pixels to the dense map."""
    parts = plan(form.sketch)
    given = tuple(map(parts.far.given, tile))
    near = assemble_part(keras, parts.near, tensors, given, scaling=form.scaling)
    far = assemble_part(keras, parts.far, tensors, tile, channels=near.output.shape[-1])
    return lambda image: np.asarray(far(near(image[None, ..., None])))[0]


def pixels(parts, tile):
    return tuple(parts.near.given(parts.far.given(n)) for n in tile)


@pytest.mark.network_model
@pytest.mark.parametrize(("name", "number"), FORMS)
def test_every_fourth_cell_is_the_plain_trunks(keras, name, number):
    form = BACKBONES[name].forms[number]
    parts = plan(form.sketch)
    tensors = random_tensors(form)
    low, high = parts.reads
    inside = -(low // 32)  # the first plain cell all of whose pixels lie in the tile
    rows, columns = (32 * -(-(32 * inside + CELL * (n - 1) + high + 1) // 32) for n in TILE)
    image = np.random.default_rng(1).random((rows, columns), dtype="f4")
    begin = 32 * inside + low
    tall, wide = pixels(parts, TILE)
    got = both(keras, form, tensors)(image[begin : begin + tall, begin : begin + wide])
    plain = _rectangular(keras, form, tensors, (rows, columns))(image[None, ..., None])
    want = np.asarray(plain)[0, inside : inside + 2, inside : inside + 3]
    assert got.shape == (*TILE, form.sketch.channels)
    assert want.std() > 0.01 * np.abs(want).max()
    assert np.abs(got[::4, ::4] - want).max() <= 1e-4 * np.abs(want).max()


def _rectangular(keras, form, tensors, shape):
    """The trunk as assembled for square windows, on the larger side, cut: nothing else is padded alike."""
    side = max(shape)
    model = assemble(keras, form, tensors, side, "plain")

    def run(image):
        full = np.zeros((1, side, side, 1), "f4")
        full[:, : shape[0], : shape[1]] = image
        return model(full)

    return run


@pytest.mark.network_model
@pytest.mark.parametrize("name", ["vgg16", "mobilenet", "resnet18"])
def test_a_cell_reads_what_the_drawing_says_and_no_pixel_less(keras, name):
    form = BACKBONES[name].forms[0]
    parts = plan(form.sketch)
    one = both(keras, form, untrained.tensors(name), (1, 1))
    image = np.random.default_rng(2).random(pixels(parts, (1, 1)), dtype="f4")
    assert image.shape[0] == parts.reads[1] - parts.reads[0] + 1
    before = one(image)
    assert before.shape == (1, 1, form.sketch.channels)
    for edge in (np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]):
        changed = image.copy()
        changed[edge] = 1 - changed[edge]
        assert np.abs(one(changed) - before).max() > 0


def test_reads_of_known_trunks():
    """VGG16's last pool sees 212 pixels, VGG19's 268 (Araujo et al., Distill 2019, for the same layers)."""
    found = {n: plan(BACKBONES[n].forms[0].sketch) for n, b in BACKBONES.items() if b.dense}
    seen = {n: p.reads[1] - p.reads[0] + 1 for n, p in found.items()}
    assert (seen["vgg16"], seen["vgg19"]) == (212, 268)
    assert (seen["mobilenet"], seen["resnet50"], seen["resnet101"]) == (315, 483, 1027)
    assert {p.every for p in found.values()} == {4}
    assert (found["vgg16"].crop(250), found["resnet18"].crop(250), found["vgg16"].crop(64)) == (28, 32, 5)
    assert all(p.near.stride == 8 and p.far.stride == 1 for p in found.values())


@pytest.mark.network_model
def test_tiles_are_filled_up_and_what_has_no_contrast_is_not_computed(monkeypatch):
    trunk = dense.dense_trunk("vgg16", "untrained")
    parts = trunk.plan
    image = np.random.default_rng(3).random(pixels(parts, (4, 4)), dtype="f4")
    given = tuple(map(parts.far.given, (4, 4)))
    cells = dense.near_cells(trunk, image, given)
    whole = dense.far_cells(trunk, cells, (4, 4))
    assert whole.shape == (4, 4, 512)
    for tile in ((4, 6), (9, 4)):
        filled = dense.near_cells(trunk, image, tuple(map(parts.far.given, tile)))
        # sums of thousands of float32 are rounded in the order of the tile: to some 1e-7 of the largest
        np.testing.assert_allclose(filled, cells, rtol=1e-5, atol=1e-6 * cells.max())
        far = dense.far_cells(trunk, filled, tile)
        np.testing.assert_allclose(far, whole, rtol=1e-4, atol=1e-6 * whole.max())
    flat = np.full_like(image, 0.5)
    computed = dense._run(trunk, "near", given, flat, 0.5)
    dense.flat_map_cell(trunk)  # found once, from a tile of one cell
    dense.far_cells(trunk, cells, (4, 4))
    before = len(dense.compiled)
    monkeypatch.setattr(dense, "_compiled", None)
    near = dense.near_cells(trunk, flat, given)
    np.testing.assert_allclose(near, computed, rtol=1e-5, atol=1e-6 * computed.max())
    even = dense.far_cells(trunk, near, (4, 4))
    assert (even == even[0, 0]).all()
    assert even.std() > 0
    dense.far_cells(trunk, cells, (4, 4))
    assert len(dense.compiled) == before


@pytest.mark.network_model
@pytest.mark.parametrize("files", [0, 1], ids=["keras", "torchvision"])
@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_on_processors_a_chain_of_convolutions_says_what_keras_says(keras, name, files, monkeypatch):
    form = BACKBONES[name].forms[files]
    parts, tensors = plan(form.sketch), random_tensors(form)
    image = np.random.default_rng(4).random(pixels(parts, TILE), dtype="f4")
    want = both(keras, form, tensors)(image)
    chains = [chained(parts.near, tensors, form.scaling), chained(parts.far, tensors)]
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("MAGXR_THREADS", threads)
        found.append(chains[1](chains[0](image)))
    assert found[0].shape == want.shape
    assert found[0].dtype == np.float32
    np.testing.assert_array_equal(*found)
    assert np.abs(found[0] - want).max() <= 1e-5 * want.max()


@pytest.mark.network_model
def test_a_chain_may_pool_twice_and_must_begin_with_a_convolution(keras, monkeypatch):
    monkeypatch.setenv("MAGXR_THREADS", "1")
    s, x = Sketch(), 0
    x = s.convolution(x, "one", 8, relu=True)
    x = s.convolution(x, "two", 8, relu=True)
    for n in range(3):
        x = s.pool(x, f"pool{n}", 2, 2)
    x = s.convolution(x, "three", 8, relu=True)
    form = Form("keras", BACKBONES["vgg16"].forms[0].scaling, lambda: s)
    part, tensors = plan(s).near, random_tensors(form)
    assert is_chain(part)
    image = np.random.default_rng(6).random(tuple(map(part.given, TILE)), dtype="f4")
    model = assemble_part(keras, part, tensors, TILE, scaling=form.scaling)
    want = np.asarray(model(image[None, ..., None]))[0]
    got = chained(part, tensors, form.scaling)(image)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 1e-5 * want.max()
    pooled_first = Sketch()
    first = pooled_first.pool(0, "pool", 2, 2)
    for n in range(2):
        first = pooled_first.pool(first, f"again{n}", 2, 2)
    pooled_first.convolution(first, "one", 8, relu=True)
    assert not is_chain(plan(pooled_first).near)


def test_only_vggs_are_chains():
    found = {n: plan(b.forms[0].sketch) for n, b in BACKBONES.items() if b.dense}
    assert {n for n, p in found.items() if is_chain(p.near) and is_chain(p.far)} == {
        "vgg16",
        "vgg16-hed",
        "vgg19",
    }
    assert not any(is_chain(p.near) for n, p in found.items() if not n.startswith("vgg"))


@pytest.mark.network_model
def test_a_chain_needs_no_compiled_tile_and_a_gpu_has_keras(monkeypatch):
    trunk = dense.dense_trunk("vgg16", "untrained")
    image = np.random.default_rng(5).random(pixels(trunk.plan, (3, 5)), dtype="f4")
    given = tuple(map(trunk.plan.far.given, (3, 5)))
    monkeypatch.setattr(dense, "_networks", {})
    before = len(dense.compiled)
    for tile in (given, tuple(n + 2 for n in given)):
        cells = dense.near_cells(trunk, image, tile)
    made = dense.far_cells(trunk, cells, (3, 5))
    assert dense.compiled[before:] == [(trunk, "near"), (trunk, "far")]
    monkeypatch.setattr(engine, "accelerated", lambda: True)
    by_keras = dense.near_cells(trunk, image, given)
    also = dense.far_cells(trunk, by_keras, (3, 5))
    assert dense.compiled[before + 2 :] == [(trunk, "near", *given), (trunk, "far", 3, 5)]
    assert np.abs(cells - by_keras).max() <= 1e-5 * by_keras.max()
    assert np.abs(made - also).max() <= 1e-5 * also.max()


def test_trunks_without_a_dense_form_say_why():
    with pytest.raises(ModelError, match=r"'inceptionv3' has no dense form: its reductions.*mode='windows'"):
        dense.dense_trunk("inceptionv3", "untrained")
    with pytest.raises(ModelError, match=r"'conv1' has no dense form|'alexnet' has no dense form"):
        dense.dense_trunk("alexnet", "untrained")
