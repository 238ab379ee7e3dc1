"""A run as data: every number of every step, in one frozen description with two presets."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from magxr.clusters.description import Cluster, is_address
from magxr.clusters.reading import described
from magxr.errors import ChunkError, ParameterError, meant
from magxr.io.anomaly import check_asserted
from magxr.io.crop import checked
from magxr.io.places import is_url, place
from magxr.runs.cluster import check_scheduler
from magxr.steps.arguments import flag, is_number, is_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

Preset = Literal["paper", "sound"]


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run does; the defaults are the preset "sound".

    The preset "paper" is literal: 625 votes whatever the stride, no window refused for missing data,
    percentages of cells.
    """

    region: str
    """Catalog entry, or path or URL of a grid (NetCDF, GMT, GeoTIFF, Zarr)."""
    out: Path
    """Zarr store to write, also at a URL; pictures and the report lie beside it."""
    preset: Preset = "sound"
    """Which set of defaults was taken."""
    path: Path | None = None
    """File to read instead of the catalog's source."""
    variable: str | None = None
    """Name of the anomaly variable, where units do not tell."""
    units: str | None = None
    """"nT", to assert it for a file that states no units."""
    crs: str | None = None
    """CRS to assert for a file that states none, e.g. "EPSG:4326"."""
    outliers: float = 1.5
    """Tukey's k: fences at k interquartile ranges outside the quartiles."""
    spacing: str | None = None
    """Spacing of the working grid, e.g. "0.72 arcmin"; None takes the region's own."""
    max_gap: int | str = 32
    """Widest gap that is filled: cells of the input, or a length such as "60 km"."""
    variance: float = 0.98
    """Share of variance that the low-rank approximation keeps."""
    rank: int | None = None
    """Rank k, instead of a share of variance."""
    denoise: Literal["region", "tile"] = "region"
    """One basis for the region, or local ones in tiles."""
    sigma: float | None = None
    """Noise scale of the diffusion, cells or (on the sphere) km; None: the height of one cell."""
    rho: float | None = None
    """Integration scale of the diffusion, cells or km; None: four heights."""
    steps: int = 20
    """Number of diffusion steps, or, for another scheme, the time that so many take."""
    scheme: Literal["cell", "fed", "nonnegative", "rotation_invariant"] = "cell"
    """Scheme of the diffusion."""
    metric: Literal["pixel", "spherical"] = "pixel"
    """Whether the diffusion goes by cells or by the ground."""
    model: str = "default"
    """Model name or path of its file."""
    mode: Literal["windows", "dense", "auto"] = "windows"
    """Whether windows are read one by one, in one pass over the map, or in one pass and again in doubt."""
    stride: int = 10
    """Cells between neighbouring windows; in the dense form a multiple of 8."""
    max_missing: float = 0.2
    """Largest share of missing or filled cells in a window that is still answered."""
    check_spacing: bool | Literal["warn"] = True
    """Whether a spacing that the model was not trained for is refused, warned of, or accepted."""
    doubt: bool = False
    """Whether the store also tells how sure the model is, where it was trained to know."""
    edges: Literal["none", "pad"] = "none"
    """Whether windows beyond the map's edge are padded or have no answer."""
    neighbours: int | None = None
    """Side of the square of predictions that votes; None: as wide as a window (25 at stride 10)."""
    weights: Literal["cells", "area"] = "area"
    """How the headline percentage counts."""
    chunk: int | None = None
    """Longest side of a chunk of the input, cells (all made about alike); None: about 1024."""
    scheduler: str | None = None
    """"threads", "processes" or "sync": of this machine; None: threads."""
    cluster: Cluster | None = None
    """Cluster that computes; given as a kind, an address, a YAML file or its fields."""
    engine: Literal["graph", "blocks"] = "graph"
    """One lazy graph, or one task a block with a ledger, which can be resumed."""
    resume: bool = False
    """Finish a run by blocks that was stopped; begin it where there is none."""
    overwrite: bool = False
    """Replace an existing store."""
    bounds: tuple[float, float, float, float] | None = None
    """West, south, east, north of the part to read, degrees."""

    max_latitude: float | None = None
    """Rows farther from the equator are left out, degrees; a grid of the whole globe needs it."""

    def votes(self, window: int) -> int:
        """Return the side of the square that votes: as asked, or the odd number that spans one window."""
        return (
            self.neighbours if self.neighbours is not None else 2 * round((window / self.stride - 1) / 2) + 1
        )

    def parameters(self) -> dict[str, Any]:
        """Return every field as plain JSON values, for provenance; of a cluster the kind only."""
        plain = {k: str(v) if isinstance(v, Path) or is_url(v) else v for k, v in asdict(self).items()}
        return plain | {"cluster": None if self.cluster is None else self.cluster.kind}


_PAPER: dict[str, Any] = {"max_missing": 1.0, "neighbours": 25, "weights": "cells"}


def configure(region: str, out: str | Path, *, preset: Preset = "sound", **changes: Any) -> RunConfig:
    """Return the configuration of a run: a preset with changes; None leaves the preset's value.

    Raises
    ------
    ParameterError, StoreError
        If the preset or an argument does not exist, or has a value that cannot be used.
    """
    if preset not in ("paper", "sound"):
        msg = f"preset {preset!r} does not exist; choose 'paper' (literal) or 'sound' (the default)"
        raise ParameterError(msg)
    known = {f.name for f in fields(RunConfig)}
    strange = sorted(set(changes) - known)
    if strange:
        msg = f"run() has no argument {strange[0]!r}{meant(strange[0], known)}; it has {sorted(known)}"
        raise ParameterError(msg)
    if is_url(region):
        place(region)  # before it is written down anywhere: it may hold a secret
    base = RunConfig(region=region, out=_path("out", out), preset=preset)
    if preset == "paper":
        base = replace(base, **_PAPER)
    given = {k: v for k, v in changes.items() if v is not None}
    if "path" in given:
        given["path"] = _path("path", given["path"])
    check_scheduler(given.get("scheduler"))
    config = replace(base, **_placed(given))
    _check(config)
    return config


def _placed(given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with the cluster as a description: an address as scheduler is one, too."""
    scheduler, cluster = given.get("scheduler"), given.get("cluster")
    if scheduler is not None and cluster is not None:
        msg = f"scheduler={scheduler!r} and cluster={cluster!r} both say where to compute; give one"
        raise ParameterError(msg)
    if scheduler is not None and is_address(scheduler):
        return given | {"scheduler": None, "cluster": described(scheduler)}
    return given if cluster is None else given | {"cluster": described(cluster)}


def _path(name: str, value: object) -> Path:
    if is_url(value) and not isinstance(value, str):
        return place(cast("Path", value))
    if not isinstance(value, str | os.PathLike) or "\0" in os.fspath(value):
        msg = f"{name}={value!r} is no path; give it as text, e.g. {name}='chile.zarr'"
        raise ParameterError(msg)
    return place(value)


def _check(config: RunConfig) -> None:
    """Refuse what no step looks at itself before work starts."""
    flag("overwrite", config.overwrite)
    flag("resume", config.resume)
    if config.engine not in ("graph", "blocks"):
        msg = f"engine is {config.engine!r}; use 'graph' or 'blocks'"
        raise ParameterError(msg)
    if config.resume and config.engine != "blocks":
        msg = "resume=True (--resume) finishes a run by blocks; add engine='blocks' (--engine blocks)"
        raise ParameterError(msg)
    if config.weights not in ("cells", "area"):
        msg = f"weights is {config.weights!r}; use 'cells' or 'area'"
        raise ParameterError(msg)
    if config.chunk is not None and not is_whole(config.chunk, 1):
        msg = f"chunk={config.chunk!r} must be a whole number of cells, at least 1, e.g. 1024"
        raise ParameterError(msg)
    for name, value in (("variable", config.variable), ("spacing", config.spacing)):
        if value is not None and not isinstance(value, str):
            msg = f"{name}={value!r} must be text, e.g. {_EXAMPLES[name]}"
            raise ParameterError(msg)
    check_asserted(config.units, config.crs)
    if config.bounds is not None:
        checked(config.bounds)
    most = config.max_latitude
    if most is not None and not (is_number(most) and 0 < most <= 90):
        msg = f"max_latitude={most!r} must be a latitude in degrees, over 0 and at most 90, e.g. 80"
        raise ParameterError(msg)


_EXAMPLES = {"variable": "variable='anomaly'", "spacing": "spacing='0.72 arcmin'"}


@contextmanager
def chunks_of(config: RunConfig) -> Iterator[None]:
    """Tell whoever asked for ``chunk`` that it is that which is too small."""
    try:
        yield
    except ChunkError as error:
        if config.chunk is None:
            raise
        rule = f"{error}"
        fix = "leave chunk (--chunk) out, which makes about 1024"
        if error.least is not None:
            fix += f", or give at least {2 * error.least}"
        msg = f"chunk={config.chunk} is too small: {rule.split('; use chunks')[0]}; {fix}"
        raise ChunkError(msg, error.least) from error
