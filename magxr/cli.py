"""The command ``magxr``: parse, call, print."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import warnings
from typing import TYPE_CHECKING, Any, NoReturn

from magxr import cli_doctor, cli_models, cli_run, cli_study
from magxr._version import __version__
from magxr.errors import MagxrError, MagxrWarning, ParameterError
from magxr.runs.interrupt import listening

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 for an error of the input, 130 after Ctrl-C or 143 after SIGTERM."""
    with listening() as asked:
        try:
            arguments = _parser().parse_args(argv)
            level = logging.INFO if arguments.verbose else logging.WARNING
            logging.basicConfig(level=level, format="%(message)s", handlers=[_handler()])
            with warnings.catch_warnings():
                if not arguments.verbose:
                    warnings.showwarning = _tell
                return int(arguments.call(arguments))
        except (MagxrError, OSError, KeyboardInterrupt) as error:
            if asked or isinstance(error, KeyboardInterrupt):
                return _stopped(error, asked)
            print(f"magxr: {_one_line('; '.join([str(error), *_notes(error)]))}", file=sys.stderr)
            return 1


def _handler() -> logging.Handler:
    """Return what writes the log: of libraries, whose workers tell of every step, warnings only."""
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.startswith("magxr"))
    return handler


def _stopped(error: BaseException, asked: list[int]) -> int:
    """Say what is left of what was stopped; return 128 and the number of the signal, as shells do."""
    # Nobody waits any more for what zarr's thread was reading; Python and asyncio would tell of it after us.
    logging.getLogger("asyncio").disabled = True
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited", category=RuntimeWarning)
    left = _notes(error) or ["nothing was left under the output's name"]
    print(f"magxr: stopped; {_one_line('; '.join(left))}", file=sys.stderr)
    return 128 + (asked[0] if asked else signal.SIGINT)


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument in one line, as every other error; the usage is in --help."""

    def error(self, message: str) -> NoReturn:
        msg = f"{message}; see {self.prog} --help"
        raise ParameterError(msg)


def _one_line(what: object) -> str:
    return " ".join(str(what).split())


def _tell(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Show a warning of magxr as one line without source code, none of libraries (``--verbose`` does)."""
    if issubclass(category, MagxrWarning):
        print(f"magxr: note: {_one_line(message)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="magxr", description="Find linear magnetic anomalies on marine grids.")
    parser.add_argument("--version", action="version", version=f"magxr {__version__}")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="log what is planned and rechunked, and warnings of libraries",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    cli_run.add_parsers(commands)
    _regions_parser(commands)
    _train_parser(commands)
    cli_study.add_parser(commands)
    cli_models.add_parser(commands)
    cli_doctor.add_parser(commands)
    return parser


def _regions_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    p = commands.add_parser("regions", help="list the catalog: what is at hand and how to get the rest")
    p.add_argument("--catalog", help="another catalog file")
    p.add_argument("--long", action="store_true", help="source and licence of every region")
    p.set_defaults(call=_regions)


def _regions(arguments: argparse.Namespace) -> int:
    from magxr.io.catalog import regions

    for region in regions(arguments.catalog):
        print(f"{region.name:<20}{'here  ' if region.available else '-     '}{region.title}")
        if arguments.long or not region.available:
            print(f"{'':<26}{region.how}\n{'':<26}{region.source}; {region.licence}")
    return 0


def _train_parser(commands: argparse._SubParsersAction[_Parser]) -> None:
    p = commands.add_parser("train", help="train a head from labelled windows of your grid")
    p.add_argument("maps", help='prepared grid (the group "maps" of a run\'s store, or any grid file)')
    p.add_argument("--labels", required=True, help="label table of the windows, CSV or GeoJSON")
    p.add_argument("--out", required=True, metavar="FOLDER", help="model folder to write")
    p.add_argument("--variable", default="anomaly", help="which map to train on (anomaly, the diffused one)")
    p.add_argument(
        "--stride", type=int, default=50, help="stride that the labelled windows were cut with (50)"
    )
    p.add_argument(
        "--split", choices=["block", "random"], default="block", help="block, or random as the paper"
    )
    p.add_argument("--block", type=int, default=1000, help="side of a block of the split, cells (1000)")
    p.add_argument(
        "--head",
        choices=["pooled", "dense", "cnn", "aligned"],
        default="pooled",
        help="pooled, the paper's two networks, or aligned, which needs no network (pooled)",
    )
    p.add_argument(
        "--form", choices=["windows", "dense"], default="windows",
        help="what the head is for: windows one by one, or one pass over the map (windows)",
    )  # fmt: skip
    p.add_argument("--trunk", default="vgg16-hed", help="name of the trunk (vgg16-hed)")
    p.add_argument("--trunk-weights", help="local weights file, for a trunk that comes without")
    p.add_argument(
        "--folds", type=int, help="cross-validate with so many folds; their heads become one model"
    )
    p.add_argument("--members", type=int, default=1, help="heads with other seeds that are averaged (1)")
    p.add_argument("--cache", metavar="FOLDER", help="keep the trunk's features here, for the next training")
    p.add_argument(
        "--checkpoint", metavar="FOLDER", help="keep the state here; an interrupted training goes on"
    )
    p.add_argument("--patience", type=int, help="stop after so many epochs that do not improve validation")
    p.add_argument("--balanced", action="store_true", help="weigh the classes so that both count alike")
    p.add_argument("--max-missing", type=float, default=0.2, help="largest share of missing cells (0.2)")
    p.add_argument("--epochs", type=int, default=25)
    p.add_argument("--seed", type=int, default=0)
    p.set_defaults(call=_train)


def _train(arguments: argparse.Namespace) -> int:
    from magxr.runs.training import train_from_labels

    given = {k: v for k, v in vars(arguments).items() if k not in {"call", "verbose"}}
    spec, report = train_from_labels(**given)
    test = report["test"]
    low, high = test["accuracy_interval"]
    print(f"test accuracy {100 * test['accuracy']:.1f} % of {test['windows']} windows, ", end="")
    print(f"Wilson 95 % {100 * low:.1f} to {100 * high:.1f} %")
    print(f"model   {spec.path}")
    return 0
