"""The command ``magxr study``: its arguments, the call, and what it prints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

DIFFUSION = ("sigma", "rho", "steps", "tau", "time", "alpha", "scheme", "metric")
"""Parameters of `magxr.diffuse` that studies offer."""

TUNING = ("features", "made_up", "size", "stride", "side", "folds", "block")
"""Arguments of `magxr.tune` that the command offers."""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``study`` with its studies to the command line."""
    p = commands.add_parser("study", help="measure what a step does, and what the numbers you choose change")
    studies = p.add_subparsers(title="studies", required=True, metavar="STUDY")
    _hallucination_parser(studies)
    _gaps_parser(studies)
    _paper_parser(studies)
    _tune_parser(studies)
    _neighbours_parser(studies)
    _cutoffs_parser(studies)
    _windows_parser(studies)


def _hallucination_parser(studies: argparse._SubParsersAction[Any]) -> None:
    p = studies.add_parser("hallucination", help="lines that diffusion draws into noise like a given map")
    _source(p)
    _common(p)
    p.add_argument("--coherent", type=float, help="coherence above which a cell counts (0.7)")
    p.add_argument("--model", help="model name or file that judges windows (none)")
    p.add_argument("--stride", type=int, help="cells between neighbouring windows (50)")
    p.set_defaults(call=_hallucination)


def _source(p: argparse.ArgumentParser) -> None:
    p.add_argument("region", help="name of a region (see `magxr regions`) or path of a grid")
    p.add_argument("--path", help="local file to read instead of the catalog's source")
    p.add_argument("--variable", help="name of the anomaly variable, where units do not tell")
    p.add_argument("--units", help="nT, to assert it for a file that states no units")
    p.add_argument("--crs", help="to assert it for a file that states none, e.g. EPSG:4326")
    p.add_argument(
        "--bounds", nargs=4, type=float, metavar=("W", "S", "E", "N"), help="part to read, degrees"
    )
    p.add_argument("--spacing", help='working grid, e.g. "0.72 arcmin"')


def _tune_parser(studies: argparse._SubParsersAction[Any]) -> None:
    p = studies.add_parser("tune", help="choose a diffusion that is shown to help on a map, or none")
    _source(p)
    p.add_argument(
        "--out", required=True, metavar="FOLDER", help="folder to make for report, table and picture"
    )
    p.add_argument("--labels", help="label table of the map's windows (none: hidden cells judge)")
    p.add_argument("--features", help="alignment, or the name of a trunk (alignment)")
    p.add_argument("--made-up", type=float, help="most of noise that may be coherent, 0 to 1 (0.05)")
    p.add_argument("--seeds", type=int, default=3, help="how many fields of noise (3)")
    p.add_argument("--size", type=int, help="side of a window, cells (250)")
    p.add_argument("--stride", type=int, help="cells between neighbouring windows (50)")
    p.add_argument("--side", type=int, help="longest side of the part that is looked at, cells (1024)")
    p.add_argument("--folds", type=int, help="parts of the cross-validation with labels, at least 3 (5)")
    p.add_argument("--block", type=int, help="side of blocks of windows that stay together, cells (size)")
    p.set_defaults(call=_tune)


def _gaps_parser(studies: argparse._SubParsersAction[Any]) -> None:
    p = studies.add_parser("gaps", help="what splines and diffusion bring back between ship tracks")
    _common(p)
    p.add_argument("--widths", nargs="+", type=int, metavar="CELLS", help="gaps between tracks (4 8 16 32)")
    p.add_argument("--track", type=int, help="width of a track, cells (1)")
    p.add_argument("--crossing", type=float, help="angle between tracks and stripes, degrees (90)")
    p.add_argument("--noise", type=float, help="noise of a measured cell, share of the field's (0.1)")
    p.add_argument("--side", type=int, help="rows and columns of a scene, cells (256)")
    p.set_defaults(call=_gaps)


def _paper_parser(studies: argparse._SubParsersAction[Any]) -> None:
    p = studies.add_parser("paper", help="the paper's experiment on replicas of its areas")
    p.add_argument("--age", required=True, metavar="FOLDER", help="age grids of the four areas")
    p.add_argument("--out", required=True, metavar="FOLDER", help="new folder, or one to go on in")
    p.add_argument("--windows", type=int, help="labelled windows (851)")
    p.add_argument("--unseen", type=int, help="windows of each unseen area (200)")
    p.add_argument("--epochs", type=int, help="epochs of training (25)")
    p.add_argument("--seeds", type=int, help="splits and trainings of every row (5)")
    p.add_argument("--models", nargs="+", metavar="MODEL", help="of cnn, raw and diffused (raw diffused)")
    p.add_argument("--heads", nargs="+", metavar="HEAD", help="of dense and pooled (dense pooled)")
    p.add_argument("--splits", nargs="+", metavar="SPLIT", help="of random and block (random block)")
    p.add_argument("--no-ablations", dest="ablations", action="store_false", default=None,
                   help="leave out other diffusions and labels")  # fmt: skip
    p.add_argument("--trunk", help="backbone of the three models (vgg16-hed)")
    p.add_argument("--weights", nargs="+", metavar="NAME=PATH", help="backbones to compare; NAME=untrained")
    p.add_argument("--seed", type=int, help="of the replicas and the choice of windows (0)")
    p.add_argument("--shrink", type=int, help="cells so many times wider, a small version for trials (1)")
    p.set_defaults(call=_paper)


def _neighbours_parser(studies: argparse._SubParsersAction[Any]) -> None:
    p = studies.add_parser("neighbours", help="how many neighbours should vote on a run's predictions")
    _stored(p)
    _vote(p)
    p.add_argument("--neighbours", nargs="+", type=int, metavar="N", help="sides (1 3 5 11 17 21 25)")
    p.add_argument("--keep", type=_pair, metavar="LOW-HIGH", help="uncertain between (0.3-0.7)")
    p.add_argument("--majority", type=float, help="share of the answers that decides (0.5)")
    p.add_argument("--cut", type=float, help="probability that separates linear from nonlinear (0.5)")
    p.set_defaults(call=_neighbours)


def _cutoffs_parser(studies: argparse._SubParsersAction[Any]) -> None:
    p = studies.add_parser("cutoffs", help="what the cut-offs of the vote change in a run's predictions")
    _stored(p)
    _vote(p)
    p.add_argument("--neighbours", type=int, metavar="N", help="side of the square that votes (the run's)")
    p.add_argument("--keep", nargs="+", type=_pair, metavar="LOW-HIGH",
                   help="uncertain between (0.5-0.5 0.4-0.6 0.3-0.7 0.2-0.8 0.1-0.9 0-1)")  # fmt: skip
    p.add_argument("--majority", nargs="+", type=float, help="shares that decide (0.5 0.6 0.7 0.8 0.9)")
    p.add_argument("--cut", nargs="+", type=float, help="where linear begins (0.3 0.4 0.5 0.6 0.7)")
    p.set_defaults(call=_cutoffs)


def _windows_parser(studies: argparse._SubParsersAction[Any]) -> None:
    p = studies.add_parser("windows", help="how wide a window should be on a run's map")
    _stored(p)
    p.add_argument("--sizes", nargs="+", type=float, metavar="DEGREES",
                   help="sides of the windows (0.5 to 8, at most half of the map)")  # fmt: skip
    p.add_argument("--variable", help="map of the store: anomaly, denoised or gridded (anomaly)")
    p.add_argument("--model", help="model name or file (the run's)")
    p.add_argument("--stride", type=float, metavar="DEGREES", help="distance of the places compared (0.5)")
    p.add_argument("--max-missing", type=float, help="largest missing share of a window (the run's)")
    p.add_argument("--tolerance", type=float, help="percentage points that a stable window may move (5)")
    p.add_argument("--waves", type=float, help="wavelengths that a window should hold (2)")
    p.set_defaults(call=_windows)


def _stored(p: argparse.ArgumentParser) -> None:
    p.add_argument("store", help="store that `magxr run` left")
    p.add_argument("--out", required=True, metavar="FOLDER", help="folder to make for table and picture")
    p.add_argument(
        "--bounds", nargs=4, type=float, metavar=("W", "S", "E", "N"), help="part to study, degrees"
    )


def _vote(p: argparse.ArgumentParser) -> None:
    p.add_argument("--to", choices=("certain", "extreme"), help="what a vote makes of a prediction (certain)")
    p.add_argument("--ties", choices=("keep", "linear", "nonlinear"), help="where votes are equal (keep)")
    p.add_argument("--where", metavar="GEOJSON", help="polygons: change predictions only inside")
    p.add_argument("--barrier", metavar="GEOJSON", help="polygons that nobody votes across")


def _pair(text: str) -> tuple[float, float]:
    """Read "0.3-0.7"."""
    low, _, high = text.partition("-")
    return float(low), float(high)


def _common(p: argparse.ArgumentParser) -> None:
    p.add_argument("--out", required=True, metavar="FOLDER", help="folder to make for table and picture")
    p.add_argument("--seeds", type=int, default=5, help="how many fields of noise or scenes (5)")
    p.add_argument("--sigma", type=float, help="noise scale of the diffusion, cells (1)")
    p.add_argument("--rho", type=float, help="integration scale, cells (4)")
    p.add_argument("--steps", type=int, help="diffusion steps (20)")
    p.add_argument("--tau", type=float, help="time step, cells² (0.25)")
    p.add_argument("--time", type=float, help="diffusion time, cells², in place of steps")
    p.add_argument("--alpha", type=float, help="diffusivity across the stripes (0.001)")
    p.add_argument("--scheme", help="discretisation of the diffusion (cell)")
    p.add_argument("--metric", help="pixel, or spherical: sigma, rho, tau and time in km (pixel)")


def _split(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was given: for the diffusion, and for the study."""
    given = {
        k: v for k, v in vars(arguments).items() if v is not None and k not in ("call", "verbose", "out")
    }
    if "bounds" in given:
        given["bounds"] = tuple(given["bounds"])
    return {k: given.pop(k) for k in DIFFUSION if k in given}, given


def _hallucination(arguments: argparse.Namespace) -> int:
    from magxr.runs.study import study_hallucination

    parameters, given = _split(arguments)
    return _told(study_hallucination(given.pop("region"), arguments.out, parameters=parameters, **given))


def _gaps(arguments: argparse.Namespace) -> int:
    from magxr.runs.study import study_gaps

    parameters, given = _split(arguments)
    return _told(study_gaps(arguments.out, parameters=parameters, **given))


def _paper(arguments: argparse.Namespace) -> int:
    from magxr.runs.paper import study_paper

    given = {k: v for k, v in vars(arguments).items() if v is not None and k not in ("call", "verbose")}
    found = study_paper(**given, say=lambda what: print(what, file=sys.stderr))
    return _told(found)


def _tune(arguments: argparse.Namespace) -> int:
    from magxr.runs.study import study_tune

    _, given = _split(arguments)
    options = {k: given.pop(k) for k in TUNING if k in given}
    return _told(study_tune(given.pop("region"), arguments.out, options=options, **given))


def _neighbours(arguments: argparse.Namespace) -> int:
    from magxr.runs.stored import study_neighbours

    _, given = _split(arguments)
    return _told(study_neighbours(given.pop("store"), arguments.out, **given))


def _cutoffs(arguments: argparse.Namespace) -> int:
    from magxr.runs.stored import study_cutoffs

    _, given = _split(arguments)
    return _told(study_cutoffs(given.pop("store"), arguments.out, **given))


def _windows(arguments: argparse.Namespace) -> int:
    from magxr.runs.stored import study_windows

    _, given = _split(arguments)
    return _told(study_windows(given.pop("store"), arguments.out, **given))


def _told(result: Any) -> int:
    print(result.headline)
    print(f"table   {result.table}\npicture {result.picture}")
    return 0
