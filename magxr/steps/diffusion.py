"""Step 5: coherence-enhancing anisotropic diffusion, and the orientation that it follows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from magxr.chunked.exchange import step_blocks
from magxr.chunked.plan import is_chunked
from magxr.chunked.quantiles import quartiles
from magxr.chunked.selfcheck import checked
from magxr.geogrid import describe
from magxr.kernels.device import on_device
from magxr.kernels.metric import LARGEST
from magxr.labelled import Labelled, anomaly, apply
from magxr.steps.allowed import check_device, check_halo, check_scheme, truncation
from magxr.steps.arguments import number
from magxr.steps.barrier import held, labels_or_lines
from magxr.steps.cells import chunked_like
from magxr.steps.ground import check_scales, ground
from magxr.steps.orientation import structure
from magxr.steps.schedule import STEPS, schedule
from magxr.steps.scheme import Rule, block_steps, largest_step, reaches

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

    from magxr.geogrid import Grid
    from magxr.steps.ground import Ground
    from magxr.steps.schedule import Schedule

__all__ = ["CONTRAST", "STEPS", "diffuse", "structure"]

CONTRAST = 2.56e-8
"""Default of ``contrast``: 1e-10 for data in [0, 1], on data that spans four interquartile ranges.

Kroon's toolbox takes C = 1e-10 for images scaled to [0, 1]. Once outliers are removed at 1.5 interquartile
ranges beyond the quartiles, a grid spans at most 4 of them, so C = 1e-10 * (4 IQR)**4 = 2.56e-8 IQR**4.
"""


def diffuse(
    obj: Labelled,
    *,
    sigma: float | None = None,
    rho: float | None = None,
    steps: int | None = None,
    tau: float | None = None,
    time: float | None = None,
    cycles: int | None = None,
    alpha: float = 1e-3,
    contrast: float = CONTRAST,
    scale: float | None = None,
    scheme: Literal["cell", "fed", "nonnegative", "rotation_invariant"] = "cell",
    metric: Literal["pixel", "spherical"] = "pixel",
    fixed: Any = None,
    barrier: Any = None,
    halo: int | Literal["exact", "rule"] = "exact",
    truncate: float | tuple[float, float] = 3.0,
    variable: Hashable | None = None,
) -> Labelled:
    r"""Smooth the anomaly along its stripes, and hardly across them.

    Parameters
    ----------
    obj : xarray.Dataset or xarray.DataArray
        Anomaly on latitude and longitude, float32 or float64, nT. NaN cells stay NaN; nothing flows
        through them or through the edges of the grid. A grid that goes round the globe is periodic.
    sigma : float, optional
        Noise scale: standard deviation of the Gaussian under the gradient; 0 for none. Pixels, or km with
        ``metric="spherical"``; default the height of one pixel.
    rho : float, optional
        Integration scale: standard deviation of the Gaussian over the structure tensor. Should be no less
        than the width of the texture; it must not be underestimated. Pixels or km; default four heights.
    steps : int, optional
        Number of time steps; default 20, or ``time / tau`` where ``time`` is given.
    tau : float, optional
        Time step, pixels² or km²; default 0.25 heights of a pixel squared. At most 0.49 ("cell"), 0.4
        ("nonnegative", less with a large ``alpha``) or 1.9 ("rotation_invariant") pixels².
    time : float, optional
        Diffusion time, pixels² or km², in place of ``steps``; given with both, it must be ``steps * tau``.
        Along a perfect stripe, the result is a Gaussian mean of standard deviation ``sqrt(2 * time)``.
    cycles : int, optional
        With ``scheme="fed"``: how many times the tensor is made anew; default 3.
    alpha : float
        Diffusivity across the stripes, between 0 and 1.
    contrast : float
        Relative contrast: C = ``contrast * scale**4``, (nT/pixel)⁴. Where the eigenvalues of the
        structure tensor differ by less than about the root of C, there is no stripe to follow. The
        default is 1e-10 for data scaled to [0, 1].
    scale : float, optional
        What is a strong anomaly, nT. Default: the exact interquartile range, from the coordinates
        ``first_quartile`` and ``third_quartile`` that `remove_outliers` leaves, else of ``obj``.
    scheme : {"cell", "fed", "nonnegative", "rotation_invariant"}
        Discretisation. "cell": explicit, cell-centred, 3 x 3. "fed": Fast Explicit Diffusion on the same
        stencil, with a tensor that is made anew ``cycles`` times only: about four times faster, and some
        3 % of the change away from it. "nonnegative" and "rotation_invariant": those of the MATLAB toolbox,
        3 x 3 and 5 x 5, on the pixel grid without barriers.
    metric : {"pixel", "spherical"}
        Whether directions, lengths and fluxes are those of the pixel grid (the paper's), or those on the
        ground, row by row; then the mean weighted by area is kept. Up to 80 degrees of latitude.
    fixed : xarray.DataArray of bool, optional
        Cells that keep their value, such as those that ships measured (``fixed=measured.notnull()``), while
        what was interpolated between them flows. The mean is then not kept.
    barrier : lines, areas or label raster, optional
        Nothing flows across: GeoJSON (object or path), shapely geometries or points (longitude, latitude);
        areas count by their outlines; or cells of different label in a DataArray. Cells that a line hits
        right in the centre keep their value.
    halo : {"exact", "rule"} or int
        How chunks see their neighbours. "exact": as often as needed for the result to equal that of one
        chunk bit for bit. "rule": once, with ``min(T R, ceil(2.5 R + 5 sqrt(2 t)))`` cells for T steps
        of reach R and time t, which keeps about 1e-6 of the range. A number: once, with so many cells.
        Unless "exact", the chunk in the middle is made again with twice the halo, and computing it is an
        error if the two differ by more than 1e-6 of its range.
    truncate : float or (float, float)
        Where the Gaussians of sigma and rho are cut, standard deviations; the MATLAB toolbox's are (2, 3).
    variable : hashable, optional
        Name of the anomaly in a Dataset, where units do not tell.

    Returns
    -------
    Same type as ``obj``
        Same coordinates, dtype, chunks and attrs, one line of history more. Lazy if ``obj`` is.

    Raises
    ------
    ParameterError
        If an argument is out of its range, or ``time`` and ``steps`` disagree. When computed: if the
        interquartile range is 0 and the grid is not constant.
    ChunkError
        If a chunk, or a grid that goes round the globe, is smaller than the reach of one step. When
        computed: if the halo of the rule turns out too small.
    GridError
        If ``obj`` is not a grid of anomalies, reaches beyond 80 degrees with ``metric="spherical"``, or
        ``fixed`` or ``barrier`` do not fit it. When computed: if it has no value at all (unless ``scale`` or
        the quartiles are given), or holds infinite or fill values.

    Warns
    -----
    MagxrWarning
        If ``rho`` is less than ``sigma``.

    Notes
    -----
    .. math:: \partial_t u = \nabla \cdot (D(J_\rho(\nabla u_\sigma)) \nabla u), \quad
              \lambda_1 = \alpha + (1 - \alpha) \exp(-C / (\mu_1 - \mu_2)^2), \quad \lambda_2 = \alpha

    with :math:`\lambda_1` along the eigenvector of the smaller eigenvalue :math:`\mu_2` of the structure
    tensor. One step looks R = ``ceil(3 sigma) + ceil(3 rho) + 1`` pixels away, a cycle of n steps of "fed"
    n - 1 more. The mean over valid cells is kept. With "cell" and "fed" the energy never grows, but the
    extremes may: by up to 11 % of the range at perfectly sharp edges between two values (14 % with
    ``tau=0.49``), not at all on noisy stripes.

    With ``metric="pixel"`` directions and distances are those of the pixel grid. With "spherical", gradients
    and C are per height of a pixel, the Gaussians are wider in pixels along a row the nearer it is to a pole,
    and explicit steps shorter, for the whole grid, as its narrowest pixels ask for.

    A barrier shuts the cells between pixels that it runs through. The orientation is a mean over rho and
    still looks across; gradients that the smoothing of the anomaly takes across it are left out.

    Diffusion also draws lines into noise: on white noise, 20 steps at the defaults raise the mean coherence
    (see `structure`) from 0.03 to about 0.44, at a third of the noise's standard deviation.

    The paper's T counts steps; its toolbox takes total time in steps of 0.15: state ``tau`` with ``steps``.

    References
    ----------
    Weickert, J. (1999), Coherence-enhancing diffusion filtering, Int. J. Comput. Vis. 31, 111-127.
    Weickert, J., Welk, M. and Wickert, M. (2013), L2-stable nonstandard finite differences for anisotropic
    diffusion, SSVM, LNCS 7893, 380-391.
    Grewenig, S., Weickert, J. and Bruhn, A. (2010), From box filtering to fast explicit diffusion, DAGM,
    LNCS 6376, 533-542.
    Weickert, J. and Scharr, H. (2002), A scheme for coherence-enhancing diffusion filtering with optimized
    rotation invariance, J. Vis. Commun. Image Represent. 13, 103-118.
    Smith, R. and O'Connell, M. (2005), Interpolation and gridding of aliased geophysical data using
    constrained anisotropic diffusion, Geophysics 70, V121-V127.
    """
    check_scales(sigma, rho, metric)
    number("alpha", alpha, above=0, below=1)
    number("contrast", contrast, above=0)
    if scale is not None:
        number("scale", scale, above=0, unit="nT")
    cuts = truncation(truncate)
    check_scheme(scheme, metric, barrier)
    check_halo(halo)
    da = anomaly(obj, variable)
    given: Any = _interquartile_range(da) if scale is None else float(scale)
    grid, _ = describe(da)
    on = ground(grid, sigma, rho, metric)
    unit = "km²" if metric == "spherical" else "pixels²"
    plan = schedule(
        scheme,
        steps=steps,
        tau=tau,
        time=time,
        cycles=cycles,
        largest=largest_step(scheme, on.metric, alpha),
        narrow=on.metric.tau / LARGEST,
        square=on.height**2,
        unit=unit,
    )
    if on_device(getattr(da.data, "_meta", da.data)):
        check_device(scheme, barrier, cuts)
    labels, drawn = labels_or_lines(da, grid, barrier)
    others = {} if fixed is None else {"fixed": held(da, fixed)}
    if labels is not None:
        others["labels"] = labels
    rule = Rule(scheme, plan, on, float(alpha), float(contrast), cuts, tuple(others), tuple(drawn))

    def work(values: Any, grid: Grid) -> Any:
        strong = given
        if strong is None:
            quarter = quartiles(values, checked=True, constant=True)
            strong = quarter[2] - quarter[0]
        if is_chunked(strong) and not is_chunked(values):
            strong = strong.compute()
        beside = [chunked_like(values, other, name) for name, other in others.items()]
        looks = reaches(rule)

        def taken(depth: tuple[int, int] | None, step: str = "diffuse") -> Any:
            return step_blocks(
                block_steps,
                values,
                *beside,
                reaches=looks,
                depth=depth,
                step=step,
                wrap=grid.wraps,
                rule=rule,
                period=360.0 / grid.spacing[1],
                scale=strong,
            )

        depth = _depth(halo, looks, plan, on)
        if depth is None or not is_chunked(values):
            return taken(None)
        # Twice as deep, but no deeper than what all steps can see. First, for what it asks of the chunks.
        deeper = taken((2 * depth[0], 2 * depth[1]), "self-check of diffuse")
        return checked(taken(depth), deeper, depth=depth, step="diffuse")

    return apply(obj, work, step="diffuse", parameters=_told(rule, scale, metric, halo), variable=variable)


def _told(rule: Rule, scale: float | None, metric: str, halo: Any) -> dict[str, Any]:
    """Return the parameters as they were taken, for the history."""
    on, plan = rule.ground, rule.schedule
    square = on.height**2
    return {
        "sigma": on.sigma * on.height,
        "rho": on.rho * on.height,
        "steps": None if plan.cycles is not None else plan.steps,
        "tau": None if plan.tau is None else plan.tau * square,
        "time": plan.time * square,
        "cycles": None if plan.cycles is None else plan.steps,
        "alpha": rule.alpha,
        "contrast": rule.contrast,
        "scale": "interquartile range" if scale is None else scale,
        "scheme": rule.scheme,
        "metric": metric,
        "fixed": "given" if "fixed" in rule.names else None,
        "barrier": "given" if rule.lines or "labels" in rule.names else None,
        "truncate": None if rule.truncate == (3.0, 3.0) else list(rule.truncate),
        "halo": None if halo == "exact" else halo,
    }


def _interquartile_range(da: xr.DataArray) -> Any:
    """Return Q3 - Q1 where an earlier step left them, else None."""
    if not {"first_quartile", "third_quartile"} <= set(da.coords):
        return None
    return da.coords["third_quartile"].data - da.coords["first_quartile"].data


def _depth(halo: Any, looks: list[tuple[int, int]], plan: Schedule, on: Ground) -> tuple[int, int] | None:
    if halo == "exact":
        return None
    whole = sum(r[0] for r in looks), sum(r[1] for r in looks)
    if halo == "rule":
        spread = 5.0 * math.sqrt(2.0 * plan.time)
        ruled = [
            math.ceil(2.5 * max(r[axis] for r in looks) + spread * stretch)
            for axis, stretch in ((0, 1.0), (1, on.metric.widest))
        ]
        return min(whole[0], ruled[0]), min(whole[1], ruled[1])
    return min(whole[0], int(halo)), min(whole[1], int(halo))
