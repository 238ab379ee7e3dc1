"""What a card says of the form a head is for, and of a second head for the dense form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.models.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALING = (
    "the map is scaled to 0..1 by extremes around each cell that vary slowly (`magxr.kernels.localscale`); "
    "missing cells are 0.5"
)


def scaling_words(spec: Mapping[str, Any]) -> str:
    """Return how what the network sees is scaled."""
    if spec.get("form", "windows") == "dense":
        return SCALING
    return kind_of(spec.get("features", "pooled")).scaling


def dense_lines(card: dict[str, Any], table: list[str]) -> list[str]:
    """Return the section of the page on the second head; ``table`` holds the rows of its accuracy."""
    told, spec = card["dense"], card["spec"]
    protocol = ", ".join(f"{k} {v}" for k, v in told["protocol"].items())
    return [
        "",
        "## Dense form",
        "",
        f"A second head, `dense.npz`, for `classify(mode='dense')`: {told['head']}, {told['parameters']} "
        f"trained parameters, SHA-256 `{spec['dense_sha256']}`. For it {SCALING}.",
        "",
        *(f"- **{k}**: {v}" for k, v in told.get("about", {}).items()),
        f"- **training**: {told['optimiser']}; {protocol}",
        "",
        "| set | windows | linear | accuracy | Wilson 95 % | balanced | linear right | nonlinear right |",
        "|---|---|---|---|---|---|---|---|",
        *table,
    ]
