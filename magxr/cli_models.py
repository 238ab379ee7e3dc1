"""The command ``magxr models``: its arguments, the call, and what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from magxr.models.availability import BackboneState

_HEADINGS = ("trunk", "parameters", "channels", "stride", "smallest", "dense", "here")


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``models`` to the command line."""
    p = commands.add_parser("models", help="list trunks and trained models: what is at hand, and the rest")
    p.add_argument("--long", action="store_true", help="scaling, dense form and sources of every trunk")
    p.add_argument("--fetch", metavar="TRUNK", help="download the ImageNet weights that Keras publishes")
    p.set_defaults(call=_models)


def _models(arguments: argparse.Namespace) -> int:
    if arguments.fetch is not None:
        from magxr.models.backbones import backbone
        from magxr.models.imagenet import fetch

        print(fetch(backbone(arguments.fetch).name))
        return 0
    from magxr.models.availability import backbones, trained
    from magxr.models.trained import NO_TRUNK

    states = backbones()
    rows = [_HEADINGS, *(_row(s) for s in states)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    for i, row in enumerate(rows):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
        if i and arguments.long:
            _tell(states[i - 1])
    print("\nmodels")
    for model in trained():
        low, high = model.spacing
        state = "here" if not model.ready else model.ready
        what = f"{model.features} features, no trunk" if model.trunk == NO_TRUNK else model.trunk
        print(
            f"{model.name}: {model.head} head on {what}, windows of {model.window} pixels, "
            f"{low:g} to {high:g} arcmin; {state}"
        )
    return 0


def _row(state: BackboneState) -> tuple[str, ...]:
    return (
        state.name,
        f"{state.parameters:,}",
        str(state.channels),
        str(state.stride),
        str(state.smallest),
        "yes" if state.dense else "no",
        ", ".join(state.here) or "-",
    )


def _tell(state: BackboneState) -> None:
    print(f"  {state.description}")
    print(f"  input    {'; '.join(state.scaling)}")
    print(f"  dense    {'yes' if state.dense else 'no'}: {state.dense_reason}")
    print(f"  weights  {', '.join(state.sources)}")
