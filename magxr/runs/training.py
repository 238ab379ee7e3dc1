"""Train a head from a label table: the maps of a run, their labelled windows, the paper's protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from magxr.errors import GridError, StoreError
from magxr.geogrid import describe
from magxr.io.read import open_anomaly
from magxr.io.store import is_zarr
from magxr.models.split import block_ids
from magxr.models.train import train
from magxr.steps.labels import label_windows
from magxr.steps.windows import windows

if TYPE_CHECKING:
    from magxr.models.spec import ModelSpec

WINDOW = 250
"""Side of a window, cells: what the shipped trunk and the paper use."""


def train_from_labels(
    maps: str | Path,
    labels: str | Path,
    out: str | Path,
    *,
    variable: str = "anomaly",
    stride: int = 50,
    split: Literal["block", "random"] = "block",
    block: int = 1000,
    epochs: int = 25,
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
    split : {"block", "random"}
        Whole blocks of ``block`` cells to one set each, or windows at random (the paper).
    block : int
        Side of a block, cells.
    epochs, seed : int
        See `magxr.models.train.Protocol`.

    Returns
    -------
    ModelSpec, dict
        The model, loadable by path, and the report of its training.

    Raises
    ------
    MagxrError
        If files are missing, labels do not fit the windows, or training is not possible.
    """
    if Path(out).exists():
        msg = f"{str(out)!r} is already there; choose another folder or remove it"
        raise StoreError(msg)
    inside = Path(maps) / "maps"
    source = inside if is_zarr(inside) else Path(maps)
    ds = open_anomaly(source, variable=variable if source == inside else None)
    cut = windows(ds, size=WINDOW, stride=stride)
    table = label_windows(cut, table=labels)
    known = table.label.values >= 0
    if not known.any():
        msg = f"{labels} labels no window 0 or 1: all are ambiguous (-1) or missing; label some"
        raise GridError(msg)
    chosen = cut.isel(window=known)
    positions = list(zip(chosen.start_row.values.tolist(), chosen.start_column.values.tolist(), strict=True))
    model = train(
        chosen.anomaly.values,
        table.label.values[known],
        groups=block_ids(positions, block=block) if split == "block" else None,
        positions=positions,
        split=split,
        epochs=epochs,
        seed=seed,
    )
    grid, _ = describe(ds.anomaly)
    arcmin = grid.spacing[0] * 60
    spec = model.save(
        out,
        spacing=(0.8 * arcmin, 1.25 * arcmin),
        trained_on=f"{known.sum()} windows labelled in {Path(labels).name}",
    )
    return spec, model.report
