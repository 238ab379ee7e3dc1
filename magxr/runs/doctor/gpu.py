"""GPUs: what the driver says, the device files, and whether CuPy reaches one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from magxr.clusters import driver
from magxr.runs.doctor.apart import answer_of
from magxr.runs.doctor.finding import Finding
from magxr.runs.doctor.packages import version

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEVICES = Path("/dev")
_CUPY = (
    "import cupy\nanswer = {'devices': cupy.cuda.runtime.getDeviceCount(), 'one': int(cupy.ones(3).sum())}"
)


def look() -> Iterator[Finding]:
    """Tell of GPUs; a machine without one is fine."""
    files = sorted(_DEVICES.glob("nvidia[0-9]*"))
    cards, trouble = driver.cards("name,driver_version,memory.total")
    if cards:
        yield Finding("GPU", "ok", "; ".join(cards))
    elif files:
        seen = f"{files[0]} is there, but nvidia-smi does not answer ({trouble})"
        yield Finding("GPU", "note", seen, "ask who looks after the machine for its NVIDIA driver")
    else:
        yield Finding("GPU", "ok", f"none ({trouble}); everything runs without one")
    packages = [p for p in ("cupy", "cupy-cuda12x", "cupy-cuda13x") if version(p)]
    if len(packages) > 1:
        fix = f"pip uninstall {' '.join(packages)}, then pip install 'magxr[cuda]'"
        yield Finding("CuPy", "problem", f"{' and '.join(packages)} are in each other's way", fix)
    elif packages:
        yield _cupy(f"{packages[0]} {version(packages[0])}", bool(cards))
    elif cards:
        yield Finding("CuPy", "note", "not installed; for diffusion on the GPU", "pip install 'magxr[cuda]'")


def _cupy(what: str, cards: bool) -> Finding:
    told, trouble = answer_of(_CUPY, 60)
    if trouble:
        fix = "see docs/howto/gpu.md" if cards else "it needs a GPU; without one leave it"
        return Finding("CuPy", "problem" if cards else "note", f"{what} does not work ({trouble})", fix)
    return Finding("CuPy", "ok", f"{what} reaches {told['devices']} devices")
