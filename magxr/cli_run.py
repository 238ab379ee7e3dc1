"""The commands ``magxr run`` and ``magxr estimate``: the same settings, done or told beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr import cli_cluster
from magxr.errors import ParameterError

if TYPE_CHECKING:
    import argparse


def add_parsers(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands."""
    p = commands.add_parser(
        "run", help="from a catalog entry or a grid file to a calibrated map and a report"
    )
    _settings(p)
    p.add_argument("--out", metavar="STORE.zarr", help="Zarr store to write")
    p.add_argument(
        "--engine",
        choices=["graph", "blocks"],
        help="one lazy graph, or blocks with a ledger (graph)",
    )
    p.add_argument(
        "--resume", action="store_true", default=None, help="finish a run by blocks that was stopped"
    )
    p.add_argument("--overwrite", action="store_true", default=None, help="replace an existing store")
    cli_cluster.add_flags(p)
    p.set_defaults(call=_run)
    p = commands.add_parser("estimate", help="what a run by blocks will take: tasks, memory, time")
    _settings(p)
    p.add_argument("--workers", type=int, help="blocks in work at a time (one a core)")
    p.add_argument(
        "--gpu-tflops", type=float, help="tera operations a second that a GPU keeps up in the network (20)"
    )
    p.set_defaults(call=_estimate)


def _settings(p: argparse.ArgumentParser) -> None:
    p.add_argument("region", help="name of a region (see `magxr regions`), path of a grid, or a run in YAML")
    p.add_argument("--preset", choices=["sound", "paper"], help="set of defaults (sound)")
    p.add_argument("--path", help="local file to read instead of the catalog's source")
    p.add_argument("--variable", help="name of the anomaly variable, where units do not tell")
    p.add_argument("--units", help="nT, to assert it for a file that states no units")
    p.add_argument("--crs", help="to assert it for a file that states none, e.g. EPSG:4326")
    p.add_argument(
        "--bounds", nargs=4, type=float, metavar=("W", "S", "E", "N"), help="part to read, degrees"
    )
    p.add_argument("--max-latitude", type=float, help="leave out rows farther from the equator, degrees")
    p.add_argument("--spacing", help='working grid, e.g. "0.72 arcmin"')
    p.add_argument("--max-gap", help='widest gap that is filled, cells or e.g. "60 km" (32)')
    p.add_argument("--variance", type=float, help="share of variance kept by the low-rank step (0.98)")
    p.add_argument("--denoise", choices=["region", "tile"], help="one basis, or local ones in tiles")
    p.add_argument("--sigma", type=float, help="noise scale of the diffusion, cells or km (one cell)")
    p.add_argument("--rho", type=float, help="integration scale of the diffusion, cells or km (four cells)")
    p.add_argument("--steps", type=int, help="diffusion steps (20)")
    p.add_argument("--scheme", help="cell, fed (fast), nonnegative or rotation_invariant (cell)")
    p.add_argument("--metric", help="pixel, or spherical: sigma and rho in km (pixel)")
    p.add_argument("--model", help="model name or file (default)")
    p.add_argument(
        "--mode",
        choices=["windows", "dense", "auto"],
        help="windows one by one, one pass over the map (needs --stride 8 or a multiple), or both (windows)",
    )
    p.add_argument("--stride", type=int, help="cells between neighbouring windows (10)")
    p.add_argument("--max-missing", type=float, help="largest share of missing or filled cells in a window")
    p.add_argument("--edges", choices=["none", "pad"], help="windows beyond the edge: no answer, or padded")
    p.add_argument(
        "--neighbours", type=int, help="side of the square of predictions that votes (as one window)"
    )
    p.add_argument(
        "--check-spacing", choices=["yes", "warn", "no"], help="a spacing foreign to the model: refuse"
    )
    p.add_argument(
        "--doubt", action="store_true", default=None, help="also tell how sure the model is, if it knows"
    )
    p.add_argument("--chunk", type=int, help="longest side of a chunk, cells (about 1024)")
    p.add_argument("--scheduler", help="threads, sync or processes of this machine")


def _run(arguments: argparse.Namespace) -> int:
    from magxr.runs.pipeline import run

    region, changes = _asked(arguments)
    cluster = cli_cluster.asked(arguments)
    if cluster is not None:
        if arguments.scheduler is None:
            changes.pop("scheduler", None)  # of the file of the run, which may go anywhere
        changes["cluster"] = cluster
    written = changes.pop("out", None)
    out = arguments.out or written
    if out is None:
        msg = "where to write is not said; add --out, e.g. --out chile.zarr"
        raise ParameterError(msg)
    result = run(region, out, progress=True, **changes)
    print(result.headline)
    print(f"store   {result.store}\nreport  {result.report}")
    for picture in result.pictures:
        print(f"picture {picture}")
    return 0


def _number_or_text(text: str) -> float | str:
    """Return a gap in cells as a number, one with a unit as it is."""
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() else value


def _estimate(arguments: argparse.Namespace) -> int:
    from magxr.runs.estimate import estimate

    region, changes = _asked(arguments)
    print(estimate(region, **changes))
    return 0


def _asked(arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the region and the arguments of a run: of its file, and of the flags, which go before it."""
    from magxr.runs.runfile import is_run_file, read_run

    given = {k: v for k, v in _changes(arguments).items() if v is not None}
    if not is_run_file(arguments.region):
        return arguments.region, given
    changes = read_run(arguments.region) | given
    return changes.pop("region"), changes


_NOT_OF_THE_RUN = {"call", "verbose", "region", "out", "cluster", *cli_cluster.FLAGS}


def _changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings as `magxr.run` takes them."""
    changes = {k: v for k, v in vars(arguments).items() if k not in _NOT_OF_THE_RUN}
    if changes["bounds"] is not None:
        changes["bounds"] = tuple(changes["bounds"])
    if changes["max_gap"] is not None:
        changes["max_gap"] = _number_or_text(changes["max_gap"])
    checks = {None: None, "yes": True, "warn": "warn", "no": False}
    changes["check_spacing"] = checks[changes["check_spacing"]]
    return changes
