"""Train a head from a label table: the maps of a run, their labelled windows, the paper's protocol."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from magxr.errors import GridError, MagxrWarning, ParameterError, StoreError
from magxr.geogrid import describe
from magxr.io.moving import marked
from magxr.io.places import here, place
from magxr.io.read import open_anomaly
from magxr.models import card
from magxr.models.backbones import EMBEDDED
from magxr.models.doubt import from_folds
from magxr.models.heads import FEATURES, check_head
from magxr.models.split import block_ids
from magxr.models.train import train
from magxr.models.vet import check_missing
from magxr.steps.dense_features import dense_features
from magxr.steps.features import features
from magxr.steps.labels import label_windows
from magxr.steps.windows import windows

if TYPE_CHECKING:
    import xarray as xr

    from magxr.models.doubt import Doubt
    from magxr.models.features import Features
    from magxr.models.spec import ModelSpec
    from magxr.models.train import HeadName
    from magxr.models.trained import TrainedModel

WINDOW = 250
"""Side of a window, cells: what the shipped trunk and the paper use."""


def train_from_labels(
    maps: str | Path,
    labels: str | Path,
    out: str | Path,
    *,
    variable: str = "anomaly",
    stride: int = 50,
    head: HeadName = "pooled",
    form: Literal["windows", "dense"] = "windows",
    trunk: str = EMBEDDED,
    trunk_weights: str | Path | None = None,
    split: Literal["block", "random"] = "block",
    block: int = 1000,
    folds: int | None = None,
    members: int = 1,
    cache: str | Path | None = None,
    checkpoint: str | Path | None = None,
    epochs: int = 25,
    patience: int | None = None,
    balanced: bool = False,
    max_missing: float = 0.2,
    seed: int = 0,
) -> tuple[ModelSpec, dict[str, Any]]:
    """Train a head on the labelled windows of a prepared map and save it with its card.

    Parameters
    ----------
    maps : str or Path
        Prepared grid: a run's store (its group "maps" is taken) or any grid that `magxr.open_anomaly` reads.
    labels : str or Path
        Label table, CSV or GeoJSON, of windows of 250 cells at ``stride``; see `magxr.io.labels`.
    out : str or Path
        Model folder to write; must not exist.
    variable : str
        Which map of the store to train on.
    stride : int
        Stride that the labelled windows were cut with, cells.
    head : {"pooled", "dense", "cnn", "aligned"}
        See `magxr.models.train.train`.
    form : {"windows", "dense"}
        What the head is for: windows one by one, or ``classify(mode="dense")``. For the latter windows are
        cut from the dense map of the region, each from the nearest cell, at most 4 pixels off
        (`magxr.steps.dense_features`); the head is "pooled" or "dense", and knows no doubt.
    trunk, trunk_weights : str, str or Path
        See `magxr.models.worker.features`.
    split : {"block", "random"}
        Whole blocks of ``block`` cells to one set each, or windows at random (the paper).
    block : int
        Side of a block, cells.
    folds, members : int
        Cross-validate, and average over seeds; see `magxr.models.train.train`. With folds the model also
        knows its doubt (`magxr.models.doubt`), if there are enough blocks of both classes: else a warning.
    cache : str or Path, optional
        Folder of features, see `magxr.steps.features.features`: a second training runs no trunk. Only for
        windows one by one.
    checkpoint : str or Path, optional
        Folder for the state of an interrupted training.
    epochs, patience, balanced, seed
        See `magxr.models.protocol.Protocol`.
    max_missing : float
        Windows with a larger share of missing or filled cells are left out, with a warning.

    Returns
    -------
    ModelSpec, dict
        The model, loadable by path, and the report of its training.

    Raises
    ------
    MagxrError
        If files are missing, labels do not fit the windows, or training is not possible.
    """
    if here(out, "a model").exists():
        msg = f"{str(out)!r} is already there; choose another folder or remove it"
        raise StoreError(msg)
    check_head(head)
    _check_form(form, head, cache)
    inside = place(maps) / "maps"
    source = inside if marked(inside) else place(maps)
    ds = open_anomaly(source, variable=variable if source == inside else None)
    chosen, truth = _labelled(windows(ds, size=WINDOW, stride=stride), labels, max_missing)
    positions = np.column_stack([chosen.start_row.values, chosen.start_column.values])
    given = None
    if form == "dense":
        kind = str(FEATURES[head])
        given = dense_features(
            ds.anomaly, positions, window=WINDOW, trunk=trunk, trunk_weights=trunk_weights, kind=kind
        )
    elif head != "cnn":
        given = features(
            chosen.anomaly, trunk=trunk, trunk_weights=trunk_weights, kind=str(FEATURES[head]), cache=cache
        )
    blocks = block_ids(positions, block=block) if split == "block" else None
    model = train(
        chosen.anomaly.data if given is None else None,
        truth,
        groups=blocks,
        positions=positions,
        split=split,
        folds=folds,
        members=members,
        epochs=epochs,
        patience=patience,
        balanced=balanced,
        seed=seed,
        head=head,
        trunk=trunk,
        trunk_weights=trunk_weights,
        features=given,
        max_missing=1.0,  # those were left out above, filled cells counted
        checkpoint=checkpoint,
    )
    grid, _ = describe(ds.anomaly)
    arcmin = grid.spacing[0] * 60
    spec = card.save(
        model,
        out,
        spacing=(0.8 * arcmin, 1.25 * arcmin),
        trained_on=f"{truth.size} windows labelled in {Path(labels).name}",
        doubt=None if folds is None or form == "dense" else _doubt(model, truth, given, blocks),
    )
    return spec, model.report


def _check_form(form: str, head: str, cache: str | Path | None) -> None:
    """Refuse a form that there is not, or that another argument does not go with."""
    if form not in ("windows", "dense"):
        msg = f"form={form!r}; a head is for 'windows' one by one, or 'dense', one pass over the map"
        raise ParameterError(msg)
    if form == "windows":
        return
    if head not in ("pooled", "dense"):
        msg = f"head={head!r} reads windows, it has no dense form; take head='pooled' or 'dense'"
        raise ParameterError(msg)
    if cache is not None:
        msg = "cache= keeps features of windows; in the dense form one pass makes them all: leave it out"
        raise ParameterError(msg)


def _doubt(model: TrainedModel, truth: Any, given: Features | None, blocks: Any) -> Doubt | None:
    """Return what the model knows of its doubt; a model that cannot know it is saved without."""
    assert given is not None  # a CNN is not cross-validated
    assert model.out_of_fold is not None
    try:
        return from_folds(truth, model.out_of_fold, given.read(), blocks)
    except ParameterError as error:
        msg = f"the model will not tell how sure it is: {error}"
        warnings.warn(msg, MagxrWarning, stacklevel=3)
        return None


def _labelled(cut: xr.Dataset, labels: str | Path, max_missing: float) -> tuple[xr.Dataset, Any]:
    """Return the windows that are labelled 0 or 1 and hold enough values, and their labels."""
    table = label_windows(cut, table=labels)
    known = table.label.values >= 0
    if not known.any():
        msg = f"{labels} labels no window 0 or 1: all are ambiguous (-1) or missing; label some"
        raise GridError(msg)
    chosen = cut.sel(window=table.window.values[known])
    enough = check_missing(chosen.missing_share.values, max_missing)
    return chosen.isel(window=enough), table.label.values[known][enough]
