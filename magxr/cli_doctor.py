"""The command ``magxr doctor``: its arguments, the call, and what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr import cli_cluster

if TYPE_CHECKING:
    import argparse


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``doctor`` to the command line."""
    p = commands.add_parser("doctor", help="what this machine or a cluster lacks, and how to mend it")
    p.add_argument("--out", metavar="STORE.zarr", help="store that a run is to write: can it, is there room")
    p.add_argument("--store", metavar="PATH", help="Zarr store that should be reachable")
    p.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    cli_cluster.add_flags(p)
    p.set_defaults(call=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    import json

    from magxr.runs.doctor.examine import as_plain, examine, lines, summary

    found = []
    for finding in examine(cli_cluster.asked(arguments), out=arguments.out, store=arguments.store):
        found.append(finding)
        if not arguments.json:
            print("\n".join(lines(finding)), flush=True)
    print(json.dumps(as_plain(found), indent=1) if arguments.json else f"\n{summary(found)}")
    return int(any(f.state == "problem" for f in found))
