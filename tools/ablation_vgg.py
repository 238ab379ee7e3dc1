"""Recipes with VGG16 (`tools/ablation.py`): its features beside the 66 numbers, and its last block tuned."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import training_windows as tw
from ablation_judge import unseen
from transfer_model import features_file

from magxr.errors import ModelError, StoreError
from magxr.models import split as splits

if TYPE_CHECKING:
    from ablation_judge import Answers, Data, Mask
    from numpy.typing import NDArray

_log = logging.getLogger("ablation")

EVERY = 6
"""One in so many scenes has features of VGG16."""
COMPONENTS = 32
"""Principal components of these beside the 66 numbers."""
DECAY = 0.01
"""Weight decay of the transfer model's head."""
SPARSE = 12
"""One in so many scenes gives windows to tune the last block on."""
TUNED = 700
"""Windows of these, to tune and to test."""
EPOCHS = 4
BATCH = 16
RATE = 1e-5
"""Learning rate of the last block."""
_FLAT = 1e-8
"""Variance of a channel that counts as none."""


@lru_cache(maxsize=1)
def _pooled(data: Data) -> NDArray[np.float32]:
    """Return the pooled features of VGG16, 0 for windows of scenes that have none."""
    within = data.every(EVERY)
    files = [features_file(f) for f in data.files[::EVERY]]
    missing = [f.name for f in files if not f.exists()]
    if missing:
        msg = f"{len(missing)} of {len(files)} scenes have no features, {missing[0]} first; run "
        msg += f"tools/transfer_model.py features --every {EVERY}"
        raise StoreError(msg)
    found = np.concatenate([np.load(f, allow_pickle=False) for f in files]).astype(np.float32)
    features = np.zeros((data.label.size, found.shape[1]), np.float32)
    features[within] = found
    return features


def logistic(data: Data) -> Answers:
    """Take the transfer model's recipe on every sixth scene."""
    return unseen(data, features=_pooled(data), within=data.every(EVERY), head="pooled", decay=DECAY)


def voted(data: Data) -> Answers:
    """Give VGG16 a second vote: the mean of both logits."""
    both = np.stack([unseen(data, within=data.every(EVERY)), logistic(data)]).astype(np.float64)
    both = both.clip(1e-7, 1 - 1e-7)
    return np.asarray(1 / (1 + np.exp(-np.log(both / (1 - both)).mean(axis=0))), np.float32)


def joined(data: Data) -> Answers:
    """Give one radial head the 66 numbers and principal components of VGG16's features."""
    within, answers = data.every(EVERY), np.full(data.label.size, np.nan, np.float32)
    for codes in data.codes:
        learn, test = within & (codes == splits.TRAIN), within & (codes == splits.TEST)
        features = np.hstack([data.features, components(_pooled(data), learn)])
        answers[test] = unseen(replace(data, codes=codes[None]), features=features, within=within)[test]
    return answers


def components(features: NDArray[np.float32], learn: Mask) -> NDArray[np.float32]:
    """Return the largest principal components, found on the windows to learn from, of all windows."""
    mean, spread = features[learn].mean(axis=0), features[learn].std(axis=0)
    scaled = (features - mean) / np.where(spread > 0, spread, np.inf)
    axes = np.linalg.svd(scaled[learn], full_matrices=False)[2][:COMPONENTS]
    return np.asarray(scaled @ axes.T, np.float32)


@lru_cache(maxsize=1)
def tuning(data: Data) -> tuple[Answers, Answers]:
    """Train the last block with its head from where they stand; return answers before and after.

    The windows of the first fold are the test. The head is solved on the frozen block's features first.
    """
    from magxr.models import engine
    from magxr.models.train import Protocol, train_on_features

    picked = _picked(data)
    maps, label = _fourth_pooling(data, picked), data.label[picked]
    test = data.codes[0, picked] == splits.TEST
    keras = engine.start()
    keras.utils.set_random_seed(0)
    block = _last_block(keras)
    pooled = block.predict(maps, batch_size=BATCH, verbose=0)
    codes = np.where(test, splits.TEST, splits.TRAIN).astype(np.int8)
    protocol = Protocol(weight_decay=DECAY, balanced=True)
    head = train_on_features(pooled, label, codes, protocol, window=tw.WINDOW).head
    model = _with_head(keras, block, head)
    share = np.array([np.mean(label[~test] == c) for c in (0, 1)])
    history = model.fit(
        maps[~test], label[~test].astype("f4"), batch_size=BATCH, epochs=EPOCHS, verbose=0,
        sample_weight=(0.5 / share[label[~test]]).astype("f4"),
    )  # fmt: skip
    if not all(np.isfinite(w).all() for w in model.get_weights()):
        msg = f"tuning at a learning rate of {RATE:g} left weights that are not finite; lower it"
        raise ModelError(msg)
    _log.info("loss of the tuned block by epoch: %s", np.round(history.history["loss"], 4))
    after = model.predict(maps[test], batch_size=BATCH, verbose=0)[:, 0]
    found = np.full((2, data.label.size), np.nan, np.float32)
    found[:, picked[test]] = head.probability(pooled[test]), after
    return found[0], found[1]


def _picked(data: Data) -> NDArray[np.int64]:
    """Return which windows are tuned and tested on, in the order of the table."""
    there = np.flatnonzero(data.every(SPARSE))
    return np.sort(np.random.default_rng(0).permutation(there)[:TUNED])


def _trunk(keras: Any) -> Any:
    from magxr.models.backbones import EMBEDDED, backbone, build

    chosen = backbone(EMBEDDED)
    return build(keras, chosen, chosen.weights_file(), tw.WINDOW)


def _fourth_pooling(data: Data, picked: NDArray[np.int64]) -> NDArray[np.float16]:
    """Return the maps of the fourth pooling, run once and kept: all before it stays as it is."""
    from magxr.kernels.minmax import minmax
    from magxr.models import engine
    from magxr.models.checkpoint import fingerprint

    path = data.keep / f"fourth-pooling-{fingerprint(data.table[picked])[:12]}.npy"
    if path.exists():
        return np.load(path, allow_pickle=False)
    windows = data.windows(SPARSE)[np.searchsorted(np.flatnonzero(data.every(SPARSE)), picked)]
    keras = engine.start()
    trunk = _trunk(keras)
    first = keras.Model(trunk.input, trunk.get_layer("block4_pool").output)
    parts = []
    for start in range(0, len(windows), BATCH):
        part = minmax(windows[start : start + BATCH])[..., None]
        parts.append(np.asarray(first.predict_on_batch(part), np.float16))
        _log.info("fourth pooling: %d of %d windows", start + len(part), len(windows))
    maps = np.concatenate(parts)
    assert np.isfinite(maps).all(), "half precision overflows: keep the maps as float32"
    data.keep.mkdir(parents=True, exist_ok=True)
    np.save(path, maps)
    return maps


def _last_block(keras: Any) -> Any:
    """Return a model from the fourth pooling to means and standard deviations of the last."""
    trunk = _trunk(keras)
    names = [layer.name for layer in trunk.layers]
    image = x = keras.Input(trunk.get_layer("block4_pool").output.shape[1:])
    for layer in trunk.layers[names.index("block4_pool") + 1 :]:
        layer.trainable = True
        x = layer(x)
    mean = keras.ops.mean(x, axis=(1, 2), keepdims=True)
    variance = keras.ops.mean(keras.ops.square(x - mean), axis=(1, 2))
    # a channel may be 0 all over a window: the root of 0 has no slope, and its NaN would spoil the block
    spread = keras.ops.sqrt(keras.ops.maximum(variance, _FLAT))
    return keras.Model(image, keras.ops.concatenate([keras.ops.squeeze(mean, axis=(1, 2)), spread], axis=-1))


def _with_head(keras: Any, block: Any, head: Any) -> Any:
    """Return the block with a logistic head on it, ready to be trained together."""
    inverse = 1.0 / head.scale.astype(np.float64)
    x = keras.layers.Rescaling(inverse, -head.mean * inverse)(block.output)
    dense = keras.layers.Dense(1, activation="sigmoid", kernel_regularizer=keras.regularizers.L2(DECAY / 2))
    model = keras.Model(block.input, dense(x))
    dense.set_weights([head.weights[:, None], np.array([head.bias], np.float32)])
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss="binary_crossentropy")
    return model
