"""The steps of a run with the numbers of its configuration: what both ways to compute it are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.labelled import anomaly
from magxr.steps.calibrate import calibrate
from magxr.steps.classify import classify
from magxr.steps.diffusion import diffuse, structure
from magxr.steps.gridding import grid
from magxr.steps.lowrank import denoise
from magxr.steps.outliers import remove_outliers

if TYPE_CHECKING:
    import xarray as xr

    from magxr.models.spec import ModelSpec
    from magxr.runs.config import RunConfig


def spacing_of(source: xr.Dataset, config: RunConfig) -> str | None:
    """Return the spacing of the working grid: as asked, or the region's own; None keeps the cells."""
    return config.spacing or source.attrs.get("working_spacing") or None


def gridded(source: xr.Dataset, config: RunConfig, spacing: str | None) -> xr.Dataset:
    """Take steps 2 and 3: outliers missing, gaps filled, on the working grid; lazy."""
    return grid(remove_outliers(source, k=config.outliers), spacing=spacing, max_gap=config.max_gap)


def denoised(gridded: xr.Dataset, config: RunConfig) -> xr.Dataset:
    """Take step 4: the map as the diffusion is given it; lazy."""
    rank: dict[str, Any] = {"variance": config.variance} if config.rank is None else {"k": config.rank}
    return denoise(gridded, mode=config.denoise, **rank)


def diffused(denoised: xr.Dataset, config: RunConfig) -> xr.Dataset:
    """Take step 5; lazy."""
    scales: dict[str, Any] = {"sigma": config.sigma, "rho": config.rho}
    return diffuse(denoised, steps=config.steps, scheme=config.scheme, metric=config.metric, **scales)


def oriented(diffused: xr.Dataset, config: RunConfig) -> xr.Dataset:
    """Return coherence and strike of the map; lazy.

    Not the strike's uncertainty: it holds for noise from cell to cell, which the diffusion has smoothed.
    """
    return structure(diffused, metric=config.metric)[["coherence", "strike"]]


def cleaned(source: xr.Dataset, config: RunConfig) -> tuple[xr.Dataset, xr.Dataset]:
    """Take steps 2 to 4: the map gridded, and denoised as the diffusion is given it; lazy."""
    on_cells = gridded(source, config, spacing_of(source, config))
    return on_cells, denoised(on_cells, config)


def prepared(source: xr.Dataset, config: RunConfig) -> xr.Dataset:
    """Take steps 2 to 5: the diffused anomaly, what it was before, and its structure; lazy."""
    on_cells, quiet = cleaned(source, config)
    smooth = diffused(quiet, config)
    name = anomaly(smooth).name
    before = {"gridded": anomaly(on_cells), "denoised": anomaly(quiet)}
    bare = {
        k: v.drop_vars([c for c in v.coords if c not in v.dims], errors="ignore") for k, v in before.items()
    }
    return smooth.rename({name: "anomaly"}).assign(bare).assign(oriented(smooth, config).data_vars)


def classified(maps: xr.Dataset, config: RunConfig, spec: ModelSpec) -> xr.Dataset:
    """Take step 9, first half: probabilities on window centres; lazy."""
    return classify(
        maps["anomaly"],
        model=spec,
        mode=config.mode,
        stride=config.stride,
        max_missing=config.max_missing,
        edges=config.edges,
        check_spacing=config.check_spacing,
        doubt=config.doubt,
    )


def settled(raw: xr.Dataset, config: RunConfig, spec: ModelSpec) -> xr.Dataset:
    """Take step 9, second half: what the neighbours' vote makes of the probabilities; lazy."""
    return calibrate(raw, neighbours=config.votes(spec.window))


def predicted(maps: xr.Dataset, config: RunConfig, spec: ModelSpec) -> xr.Dataset:
    """Take step 9: probabilities on window centres, after the vote; lazy."""
    return settled(classified(maps, config, spec), config, spec)
