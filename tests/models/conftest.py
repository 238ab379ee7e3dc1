"""One trunk per session of tests: loading it takes a second, so every test shares it."""

import numpy as np
import pytest

from magxr.models import heads, weights
from magxr.models.trained import TrainedModel


@pytest.fixture(scope="session")
def trunk_file():
    return weights.embedded_file()


@pytest.fixture(scope="session")
def windows():
    """Eleven windows of 64 px: stripes, noise, a hole, a flat one."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:64, :64]
    made = rng.normal(0, 40, (11, 64, 64))
    for i in range(5):
        made[i] += 150 * np.sin(2 * np.pi * (x * np.cos(i) + y * np.sin(i)) / 11)
    made[6, 10:20, 5:40] = np.nan
    made[10] = 12.5
    return made.astype("f4")


@pytest.fixture(scope="session")
def random_head():
    """A head with the shape of a trained one; features of the trunk are of order one."""
    rng = np.random.default_rng(6)
    return heads.PooledHead(
        rng.uniform(0, 1, 1024).astype("f4"),
        rng.uniform(0.5, 1.5, 1024).astype("f4"),
        rng.normal(0, 0.004, 1024).astype("f4"),
        0.1,
    )


@pytest.fixture
def saved(tmp_path, random_head):
    """A model for windows of 64 px on disk, and its specification."""
    report = {"head": "pooled", "parameters": 1025, "protocol": {"epochs": 25}, "optimiser": "none"}
    made = TrainedModel(random_head, "vgg16-hed", None, 64, report)
    return made.save(tmp_path / "small", spacing=(0.5, 1.0), trained_on="nothing: a test")
