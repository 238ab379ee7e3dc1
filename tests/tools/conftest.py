"""What tests of the scripts in `tools/` share: the scripts as modules."""

import importlib
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(scope="module")
def script():
    """Return what imports a script by its name."""
    sys.path.insert(0, str(TOOLS))
    yield importlib.import_module
    sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def tw(script):
    """Return the script with the windows that all others share."""
    return script("training_windows")
