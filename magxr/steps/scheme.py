"""The schemes of diffusion by name: how far they look, how long a step may be, which kernel takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magxr.chunked.quantiles import check_block
from magxr.kernels.device import array_module, on_device
from magxr.steps.barrier import shut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from magxr.chunked.halo import Place
    from magxr.kernels.metric import Metric
    from magxr.steps.ground import Ground
    from magxr.steps.schedule import Schedule


PIXELS_ONLY = ("nonnegative", "rotation_invariant")
"""Schemes that know neither the sphere nor barriers."""
SCHEMES = ("cell", "fed", *PIXELS_ONLY)
"""All schemes."""


def largest_step(scheme: str, metric: Metric, alpha: float) -> float:
    """Return the largest stable explicit step on a grid, heights²."""
    if scheme not in PIXELS_ONLY:
        return metric.tau
    from magxr.kernels.pixels import tau_max

    return tau_max(scheme, alpha)


@dataclass(frozen=True, slots=True)
class Rule:
    """Everything that is the same for all blocks."""

    scheme: str
    schedule: Schedule
    ground: Ground
    alpha: float
    contrast: float
    truncate: tuple[float, float]
    names: tuple[str, ...]
    """What the arrays beside the anomaly are: "fixed", "labels"."""
    lines: tuple[NDArray[np.float64], ...]
    """Barriers, as columns and rows of the grid."""


def reaches(rule: Rule) -> list[tuple[int, int]]:
    """Return how many cells along latitude and longitude each step, or cycle, looks away."""
    on = rule.ground
    if rule.scheme in PIXELS_ONLY:
        from magxr.kernels.pixels import radius as pixel_radius

        reach = pixel_radius(on.sigma, on.rho, truncate=rule.truncate)
        return [(reach, reach)] * rule.schedule.steps
    from magxr.kernels.diffusion import radius

    down, along = (
        radius(on.sigma, on.rho, stretch=stretch, truncate=rule.truncate)
        for stretch in (1.0, on.metric.widest)
    )
    if rule.schedule.cycles is None:
        return [(down, along)] * rule.schedule.steps
    return [(down + len(cycle) - 1, along + len(cycle) - 1) for cycle in rule.schedule.cycles]


def block_steps(
    block: NDArray[Any],
    *others: NDArray[Any],
    taken: tuple[int, int],
    place: Place,
    rule: Rule,
    period: float,
    scale: Any,
) -> NDArray[Any]:
    """Take some of the steps on a block and return it without its halo."""
    check_block(block)
    if on_device(block):
        return _device_steps(block, *others, taken=taken, place=place, rule=rule, scale=float(scale))
    on, first = rule.ground, place.rows[0] - place.halo[0]
    beside = dict(zip(rule.names, others, strict=True))
    parameters: dict[str, Any] = {
        "sigma": on.sigma,
        "rho": on.rho,
        "alpha": rule.alpha,
        "contrast": rule.contrast,
        "scale": float(scale),
        "halo": place.halo,
        "fixed": beside.get("fixed"),
        "truncate": rule.truncate,
    }
    explicit: dict[str, Any] = {"steps": taken[1] - taken[0], "tau": rule.schedule.tau}
    if rule.scheme in PIXELS_ONLY:
        from magxr.kernels.pixels import diffuse_pixels

        return diffuse_pixels(block, scheme=rule.scheme, **explicit, **parameters)
    parameters["metric"] = on.metric.rows(first, block.shape[0])
    parameters["shut"] = shut(beside.get("labels"), list(rule.lines), place, period)
    if rule.schedule.cycles is not None:
        from magxr.kernels.fed import fed

        return fed(block, cycles=rule.schedule.cycles[slice(*taken)], **parameters)
    from magxr.kernels.diffusion import diffuse

    return diffuse(block, **explicit, **parameters)


def _device_steps(
    block: NDArray[Any],
    *others: NDArray[Any],
    taken: tuple[int, int],
    place: Place,
    rule: Rule,
    scale: float,
) -> NDArray[Any]:
    """Take steps of the cell-centred schemes on a block that lives on a GPU."""
    from magxr.kernels.diffusion_array import fed

    on, plan = rule.ground, rule.schedule
    metric = on.metric.rows(place.rows[0] - place.halo[0], block.shape[0])
    rows: dict[str, Any] = {}
    if not (on.metric.pixels == 1.0).all():
        rows = {
            "stretch": metric.cells,
            "cell_weight": 1.0 / metric.cells,
            "pixel_weight": 1.0 / metric.pixels,
            "sigma_along": on.sigma * metric.pixels,
            "rho_along": on.rho * metric.cells,
        }
    cycles = plan.cycles or ((plan.tau or 0.0,),) * plan.steps
    held = dict(zip(rule.names, others, strict=True)).get("fixed")
    return fed(
        block,
        cycles=cycles[slice(*taken)],
        sigma=on.sigma,
        rho=on.rho,
        alpha=rule.alpha,
        contrast=rule.contrast,
        scale=scale,
        halo=place.halo,
        fixed=None if held is None else array_module(block).asarray(held != 0),
        **rows,
    )
