"""``magxr study neighbours``, ``cutoffs`` and ``windows``: studies of what a run left in its store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError, StoreError
from magxr.io import store
from magxr.io.crop import checked, crop
from magxr.io.places import place
from magxr.models.spec import SHIPPED, load
from magxr.runs.leave import StudyResult, free, leave
from magxr.runs.output import MAPS
from magxr.studies.limits import cutoffs
from magxr.studies.sizes import window_sizes
from magxr.studies.votes import NEIGHBOURS
from magxr.studies.voting import neighbours

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import xarray as xr

PREDICTED = "linear_probability"
VOTED = "calibrated_probability"


def study_neighbours(
    path: str | Path, out: str | Path, *, bounds: Sequence[float] | None = None, **options: Any
) -> StudyResult:
    """Settle a run's predictions by squares of several sizes.

    Parameters
    ----------
    path : str or Path
        Store that `magxr.run` left.
    out : str or Path
        Folder to make for ``neighbours.csv``, ``.json`` and ``.png``; must not exist.
    bounds : four float, optional
        West, south, east, north of the part to study, degrees; predictions outside do not vote.
    **options
        Arguments of `magxr.studies.neighbours`.

    Returns
    -------
    StudyResult

    Raises
    ------
    MagxrError
        If the store, an argument or ``out`` cannot be used; then nothing is left.
    """
    folder = free(out)
    found = neighbours(_part(_predictions(path)[PREDICTED], bounds), **options)
    told = {"store": str(path), "bounds": bounds, **found.table.attrs}
    return leave(folder, "neighbours", found.table.to_dataframe().reset_index(), told, found)


def study_cutoffs(
    path: str | Path,
    out: str | Path,
    *,
    neighbours: int | None = None,
    bounds: Sequence[float] | None = None,
    **options: Any,
) -> StudyResult:
    """Settle a run's predictions with every combination of cut-offs.

    Parameters
    ----------
    path, out, bounds
        As for `study_neighbours`; the files are ``cutoffs.csv``, ``.json`` and ``.png``.
    neighbours : int, optional
        Side of the neighbourhood; default that of the run.
    **options
        Other arguments of `magxr.studies.cutoffs`.

    Returns
    -------
    StudyResult

    Raises
    ------
    MagxrError
        As `study_neighbours`.
    """
    folder = free(out)
    predictions = _predictions(path)
    if neighbours is None:
        voted = predictions[VOTED].attrs if VOTED in predictions else {}
        neighbours = int(voted.get("neighbours", NEIGHBOURS))
    found = cutoffs(_part(predictions[PREDICTED], bounds), neighbours=neighbours, **options)
    told = {"store": str(path), "bounds": bounds, **found.table.attrs}
    return leave(folder, "cutoffs", found.table.to_dataframe().reset_index(), told, found)


def study_windows(
    path: str | Path,
    out: str | Path,
    *,
    variable: str = "anomaly",
    model: str | Path | None = None,
    max_missing: float | None = None,
    bounds: Sequence[float] | None = None,
    **options: Any,
) -> StudyResult:
    """Ask a model for the same places of a run's map in windows of several sizes.

    Parameters
    ----------
    path, out, bounds
        As for `study_neighbours`; the files are ``windows.csv``, ``.json`` and ``.png``.
    variable : str
        Map of the store's group "maps": "anomaly" (diffused), "denoised" or "gridded".
    model : str or Path, optional
        Default: the run's, if it comes with the package.
    max_missing : float, optional
        Default: the run's.
    **options
        Other arguments of `magxr.studies.window_sizes`.

    Returns
    -------
    StudyResult

    Raises
    ------
    MagxrError
        As `study_neighbours`.
    """
    folder = free(out)
    run = _predictions(path)[PREDICTED].attrs
    maps = store.open(place(path) / MAPS)
    if variable not in maps:
        held = sorted(map(str, maps.data_vars))
        msg = f"the maps of {str(path)!r} hold {held}, not {variable!r}; use one of them"
        raise StoreError(msg)
    found = window_sizes(
        _part(maps[variable], bounds),
        model=_model_of(run) if model is None else model,
        max_missing=float(run.get("max_missing", 0.2)) if max_missing is None else max_missing,
        **options,
    )
    told = {"store": str(path), "map": variable, "bounds": bounds, **found.table.attrs}
    told = {k: None if v != v else v for k, v in told.items()}
    return leave(folder, "windows", found.table.to_dataframe().reset_index(), told, found)


def _predictions(path: str | Path) -> xr.Dataset:
    found = store.open(path)
    if PREDICTED not in found:
        msg = (
            f"{str(path)!r} is not what a run leaves: it holds {sorted(map(str, found.data_vars))}, not "
            f"{PREDICTED!r}; give the store of magxr run ... --out"
        )
        raise StoreError(msg)
    return found


def _part(da: xr.DataArray, bounds: Sequence[float] | None) -> xr.DataArray:
    """Cut out a part; the name that `crop` looks for is given back."""
    if bounds is None:
        return da
    return crop(da.to_dataset(name="anomaly"), checked(bounds))["anomaly"].rename(da.name)


def _model_of(run: dict[str, Any]) -> str:
    """Return the name of the run's model; refuse one that cannot be had by its name, or is another now."""
    name = str(run.get("model"))
    if name not in SHIPPED:
        msg = f"the run asked the model {name!r}, which does not come with magxr; give its folder (--model)"
        raise ModelError(msg)
    if run.get("sha256") not in (None, load(name).sha256):
        msg = (
            f"the model {name!r} is not the one that the run asked (SHA-256 {str(run['sha256'])[:12]}...); "
            f"run the map again, or say so: model={name!r} (--model {name})"
        )
        raise ModelError(msg)
    return name
