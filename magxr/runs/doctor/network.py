"""Networks: whether Keras and its backend run, and which weights are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magxr.errors import MagxrError, MissingExtraError
from magxr.models import engine, imagenet
from magxr.models.availability import backbones, trained
from magxr.runs.doctor.apart import answer_of
from magxr.runs.doctor.finding import Finding, from_error

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 180
"""Seconds for Keras to start on a slow disk."""
_ONE_LAYER = """
import numpy as np
from magxr.models import engine
keras = engine.start()
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
value = float(engine.compiled(model)(np.ones((2, 3), "float32"))[0, 0])
import importlib.metadata as metadata
backend = keras.backend.backend()
answer = {"keras": keras.__version__, "backend": backend, "version": metadata.version(backend),
          "value": value, "accelerated": engine.accelerated()}
"""


def keras() -> Iterator[Finding]:
    """Tell whether a network of one layer gives the right answer, tried in a process of its own."""
    try:
        engine.check_installed()
    except MissingExtraError as error:
        seen = f"{error.package} is not installed; the default model needs no network"
        yield Finding("networks", "note", seen, f"pip install 'magxr[{error.extra}]', if you need them")
        return
    except MagxrError as error:
        yield from_error("networks", error)
        return
    told, trouble = answer_of(_ONE_LAYER, PATIENCE)
    if trouble:
        fix = "pip install --force-reinstall 'magxr[tensorflow]'; until then use the default model"
        yield Finding("networks", "problem", f"Keras does not start ({trouble})", fix)
    elif told["value"] != 3.0:
        fix = "reinstall the backend, or try another with KERAS_BACKEND"
        yield Finding("networks", "problem", f"a layer that adds three ones says {told['value']}", fix)
    else:
        where = "on a GPU" if told["accelerated"] else "on the processor"
        seen = f"Keras {told['keras']} with {told['backend']} {told['version']}, {where}"
        yield Finding("networks", "ok", seen)


def weights() -> Iterator[Finding]:
    """Tell which models and trunks can be used offline; nothing is downloaded."""
    for model in trained():
        if model.ready:
            rule, _, fix = model.ready.rpartition("; ")
            yield Finding(f"model {model.name}", "note", rule, fix)
        else:
            yield Finding(f"model {model.name}", "ok", "can be used offline")
    states = backbones()
    here = [s.name for s in states if set(s.here) - {"untrained"}]
    away = [s.name for s in states if s.name not in here and imagenet.WORD in s.sources]
    own = [s.name for s in states if s.name not in here and s.name not in away]
    seen = f"offline: {', '.join(here) or 'none'}"
    seen += f"; to be fetched: {', '.join(away)}" if away else ""
    seen += f"; from a file of yours: {', '.join(own)}" if own else ""
    fix = (
        f"`magxr models --fetch {away[0]}`, where there is internet; see {imagenet.folder()}" if away else ""
    )
    yield Finding("trunks", "ok" if here else "note", seen, fix)
