"""What `classify` says of a model's doubt, and which models know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from magxr.errors import ModelError, ParameterError

if TYPE_CHECKING:
    from magxr.steps.predictor import Predictor

DOUBTS: dict[str, dict[str, Any]] = {
    "spread": {"long_name": "standard deviation of the probability over the ensemble", "units": "1"},
    "prediction_set": {
        "long_name": "classes that cannot be ruled out",
        "flag_values": [-1, 0, 1, 2, 3],
        "flag_meanings": "no_answer nonlinear linear both neither",
    },
    "novelty": {
        "long_name": "distance from the training windows, above 1 unlike any of them",
        "units": "1",
    },
}
"""What `magxr.models.doubt.ANSWERS` are called on a map, after the probability, in the same order."""


def check_doubt(predictor: Predictor, doubt: Any) -> None:
    """Refuse to ask a model for a doubt that it does not know."""
    if not isinstance(doubt, bool):
        msg = f"doubt is {doubt!r}; use True or False"
        raise ParameterError(msg)
    if not doubt:
        return
    if not hasattr(predictor, "predict_with_doubt"):
        msg = f"a {type(predictor).__name__} has no predict_with_doubt(windows); leave doubt out, or add it"
        raise ModelError(msg)
    if hasattr(predictor, "check_doubt"):
        predictor.check_doubt()
