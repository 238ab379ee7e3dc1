"""Train a head on labelled windows: the trunk runs once per window, the head learns from its features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.errors import ParameterError
from magxr.models import split as splits
from magxr.models import vet, worker
from magxr.models.backbones import EMBEDDED, backbone
from magxr.models.features import Features, as_features, of_windows
from magxr.models.heads import FEATURES, FORMS, check_head
from magxr.models.learn import learn
from magxr.models.origin import origin, window_of
from magxr.models.protocol import Protocol
from magxr.models.samples import MEMORY
from magxr.models.sets import sets, without_copies
from magxr.models.trained import TrainedModel

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Protocol", "TrainedModel", "train", "train_on_features"]

HeadName = Literal["pooled", "dense", "cnn", "aligned"]


def train(
    windows: NDArray[np.floating] | None,
    labels: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    positions: ArrayLike | None = None,
    split: splits.Split = "block",
    ratio: tuple[float, float, float] = (6, 2, 2),
    folds: int | None = None,
    members: int = 1,
    epochs: int = 25,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    balanced: bool = False,
    patience: int | None = None,
    dropout: float = 0.0,
    guarded: bool = True,
    seed: int = 0,
    retries: int = 3,
    head: HeadName = "pooled",
    outputs: Literal[1, 2] = 1,
    trunk: str = EMBEDDED,
    trunk_weights: str | Path | None = None,
    features: Features | None = None,
    max_missing: float = 0.2,
    memory: int = MEMORY,
    checkpoint: str | Path | None = None,
) -> TrainedModel:
    """Train a head on labelled windows, with the paper's protocol unless told otherwise.

    Parameters
    ----------
    windows : ndarray of float, shape (n, size, size), or None
        Anomaly in nT, raw or diffused, as they will be classified; NaN as for `magxr.models.worker.predict`.
        Every window is scaled to 0..1 by its own extremes. A CNN also takes a Dask array. None where
        ``features`` are given.
    labels : array_like of int, shape (n,)
        1 linear, 0 nonlinear; leave ambiguous windows out.
    groups, split, ratio
        See `magxr.models.split.split_windows`.
    positions : array_like of int, shape (n, 2) or (n, 3), optional
        First row and column of every window (with the map's number before them). With them the report says
        how many test pixels were trained on, and a blocked split drops training windows that touch others.
    folds : int, optional
        Cross-validate instead of splitting once, see `magxr.models.folds.fold_codes`: the heads of all folds
        become an ensemble, and "test" in the report is each window by the heads that had not seen its block.
    members : int
        Heads with other seeds, in each fold, whose answers are averaged.
    epochs, batch_size, learning_rate, weight_decay, balanced, patience, dropout, guarded
        See `Protocol`: binary cross-entropy and Adam, 25 epochs of batches of 32 at 0.001 in the paper.
    seed : int
        Fixes the split, the order of windows and the start.
    retries : int
        How many other seeds are tried where training collapses to a constant answer.
    head : {"pooled", "dense", "cnn", "aligned"}
        "pooled": a logistic model on mean and standard deviation of the last feature map. "dense": the
        paper's, on the flattened map: 100, 100, 10 units and one output. "cnn": the paper's network without
        a trunk, trained end to end by Keras. "aligned": a radial head (`magxr.models.radial_fit`)
        on how parallel anomalies are (`magxr.kernels.alignment`), which needs no trunk and no network; it is
        solved to the end: epochs, batch_size and learning_rate play no part, nothing is kept midway, and a
        weight_decay of 0 stands for one over ten times the training windows.
    outputs : {1, 2}
        Of the CNN, see `magxr.models.architectures.cnn`.
    trunk, trunk_weights
        See `magxr.models.worker.features`.
    features : magxr.models.features.Features, optional
        Of the same windows in the same order, from `magxr.steps.features.features`: nothing is computed then.
        From `magxr.steps.dense_features.dense_features` the head is one for the dense form.
    max_missing : float
        Windows with a larger share of missing cells are left out, with a warning.
    memory : int
        Bytes of features held at once, see `magxr.models.samples.Samples`.
    checkpoint : str or Path, optional
        Folder where the state is kept after every epoch; an interrupted training goes on from there, bit for
        bit where the head learns in numpy. It can be removed when the model is saved.

    Returns
    -------
    TrainedModel
        With ``report``; ``save`` writes it to a folder that `magxr.models.spec.load` reads.

    Raises
    ------
    ParameterError
        If labels, groups or numbers do not fit, or one window is labelled both ways.
    ModelError
        If training collapses for every seed (`CollapseError`), or ``features`` are others than the head or
        the trunk asked for.

    Notes
    -----
    The trunk is frozen, so the result equals training through it, at one run of the trunk per window
    instead of one per window and epoch.
    """
    truth = np.asarray(labels)
    vet.check_given(windows, features, truth)
    splits.check_labels(truth)
    check_head(head)
    protocol = Protocol(
        epochs, batch_size, learning_rate, seed, weight_decay, balanced, patience, dropout, guarded
    )
    protocol.check()
    size = window_of(windows, features)
    codes, how = sets(
        truth, size, positions=positions, groups=groups, split=split, ratio=ratio, folds=folds, seed=seed
    )
    lazy = hasattr(windows, "dask")
    names = features.keys if features is not None else ()
    if windows is not None and not lazy:
        names = names or vet.names_of(windows)
        enough = vet.check_missing(vet.missing_share(windows), max_missing)
        if not enough.all():
            codes = np.where(enough, codes, np.int8(splits.LEFT_OUT))
            how["mostly_missing"] = int(np.sum(~enough))
            splits.check_both_classes(truth, codes, "windows with fewer missing cells")
    if names:
        vet.check_contradictions(names, truth, "are the same to the network")
        if split == "block":
            codes = without_copies(names, truth, codes)
    if head == "cnn":
        values: Any = of_windows(windows)
    elif features is not None:
        values = features
    else:
        kind = str(FEATURES[head])
        values = worker.features(trunk, np.asarray(windows), trunk_weights=trunk_weights, kind=kind)
    model = train_on_features(
        values, truth, codes, protocol, retries=retries, head=head, trunk=trunk, trunk_weights=trunk_weights,
        window=size, how=how, members=members, outputs=outputs, memory=memory, checkpoint=checkpoint,
    )  # fmt: skip
    if groups is not None and split == "block":
        _by_block(model, truth, groups, seed)
    return model


def train_on_features(
    features: Features | NDArray[np.floating],
    labels: ArrayLike,
    codes: NDArray[np.int8],
    protocol: Protocol | None = None,
    *,
    retries: int = 3,
    head: str = "pooled",
    trunk: str = EMBEDDED,
    trunk_weights: str | Path | None = None,
    window: int | None = None,
    how: dict[str, Any] | None = None,
    members: int = 1,
    outputs: int = 1,
    memory: int = MEMORY,
    checkpoint: str | Path | None = None,
) -> TrainedModel:
    """Train a head on features that were computed before.

    Parameters
    ----------
    features : Features or ndarray of float, shape (n, d)
        From `magxr.steps.features.features` or `magxr.models.worker.features`.
    labels : array_like of int, shape (n,)
    codes : ndarray of int8, shape (n,) or (folds, n)
        From `magxr.models.split.split_windows` or `magxr.models.folds.fold_codes`; -1 is used for nothing.
    protocol : Protocol, optional
    retries, head, trunk, trunk_weights, members, outputs, memory, checkpoint
        As for `train`.
    window : int, optional
        Side of the windows that the features come from; `Features` know it.
    how : dict, optional
        What the report should say about the split.
    """
    protocol = protocol or Protocol()
    protocol.check()
    check_head(head)
    if members < 1 or retries < 0:
        msg = f"members={members} and retries={retries}: at least one member and no fewer than 0 retries"
        raise ParameterError(msg)
    if head == "cnn" and (members > 1 or codes.ndim > 1):
        msg = "a CNN is trained once: leave members= and folds= out, or take the head 'pooled' or 'dense'"
        raise ParameterError(msg)
    if head == "aligned" and protocol.patience is not None:
        msg = f"patience={protocol.patience} is for heads that learn by epochs; head='aligned' is solved"
        msg += " at once: leave it out"
        raise ParameterError(msg)
    if head != "dense" and protocol.dropout:
        msg = f"dropout={protocol.dropout} is for head='dense'; the {head} head has none, or its own"
        raise ParameterError(msg)
    if head == "cnn" and protocol.weight_decay:
        msg = f"weight_decay={protocol.weight_decay} is for heads on features; leave it out for a CNN"
        raise ParameterError(msg)
    if head not in ("cnn", "aligned"):
        backbone(trunk)
    given = as_features(features)
    truth = np.asarray(labels)
    if truth.shape != (len(given),) or codes.shape[-1:] != truth.shape:
        msg = f"{len(given)} windows, {truth.size} labels, codes of {codes.shape}; there must be one each"
        raise ParameterError(msg)
    if given.recipe is None and head != "cnn":
        vet.check_finite(given)
    source = origin(given, head, trunk=trunk, trunk_weights=trunk_weights, window=window)
    model = learn(
        given, truth, codes, protocol, head=FORMS.get(head, head), outputs=outputs, window=source.window,
        members=members, retries=retries, memory=memory, checkpoint=checkpoint, how=how or {},
    )  # fmt: skip
    return replace(
        model, trunk=source.trunk, trunk_weights=source.trunk_weights, features=source.kind,
        trunk_sha256=source.trunk_sha256, form=source.form,
    )  # fmt: skip


def _by_block(model: TrainedModel, truth: NDArray[Any], groups: ArrayLike, seed: int) -> None:
    """Add the interval of redrawing whole blocks to the report."""
    from magxr.models.evaluate import block_interval

    if model.out_of_fold is None or "test" not in model.report:
        return
    tested = np.isfinite(model.out_of_fold)
    interval = block_interval(truth[tested], model.out_of_fold[tested], np.asarray(groups)[tested], seed=seed)
    model.report["test"]["balanced_interval_by_block"] = interval
