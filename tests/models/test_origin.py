"""Where features come from: what the card says, and features that are others than asked for."""

import numpy as np
import pytest

from magxr.errors import ModelError
from magxr.models.features import Features, InMemory, Recipe, as_features
from magxr.models.origin import Origin, origin, window_of

ARRAY = np.ones((4, 3), "f4")
ASKED = {"trunk": "vgg16", "trunk_weights": None, "window": None}


def made(kind="pooled", trunk="vgg16", weights="/here/vgg16.h5"):
    place = np.column_stack([np.zeros(4, int), np.arange(4)])
    recipe = Recipe(trunk, "abc", kind, 1, 64, trunk_weights=weights)
    return Features(recipe, [InMemory(ARRAY)], place, 3, ARRAY.dtype)


def test_features_that_know_it_say_it():
    assert origin(made(), "pooled", **ASKED) == Origin("vgg16", "/here/vgg16.h5", 64, "pooled", "abc")
    assert window_of(None, made()) == 64
    assert window_of(ARRAY, None) == 3


def test_of_an_array_it_is_what_was_asked_for():
    brought = as_features(ARRAY)
    assert origin(brought, "dense", **ASKED | {"window": 32}) == Origin("vgg16", None, 32, "flat")
    with pytest.raises(ModelError, match="window size of these features is not known"):
        window_of(None, brought)


@pytest.mark.parametrize(("head", "kind"), [("cnn", "pooled"), ("aligned", "alignment")])
def test_heads_without_a_trunk_name_none(head, kind):
    told = origin(as_features(ARRAY), head, **ASKED | {"trunk_weights": "/there.h5"})
    assert told == Origin("none", None, None, kind)


@pytest.mark.parametrize(
    ("features", "head", "asked", "told"),
    [
        (made(), "pooled", {"trunk": "vgg19"}, "trunk 'vgg16' instead of 'vgg19'"),
        (made(), "pooled", {"window": 32}, "window 64 instead of 32"),
        (
            made(),
            "pooled",
            {"trunk_weights": "/there.h5"},
            "trunk_weights '/here/vgg16.h5' instead of '/there.h5'",
        ),
        (made("flat"), "pooled", {}, "kind 'flat' instead of 'pooled'"),
        (made(), "dense", {}, "kind 'pooled' instead of 'flat'"),
        (made("pooled", "none", None), "aligned", {}, "kind 'pooled' instead of 'alignment'"),
    ],
)
def test_features_that_are_others_than_asked_for(features, head, asked, told):
    with pytest.raises(ModelError, match=f"others than asked for: {told}; compute them with these"):
        origin(features, head, **ASKED | asked)
