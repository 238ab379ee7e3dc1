"""Packages: their versions, compared with what magxr's own metadata ask for."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

from magxr._version import __version__
from magxr.runs.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement

EXTRAS = {
    "tensorflow": "networks: the model 'transfer', trunks, training a CNN",
    "windows": "cutting windows: classify, windows, train",
    "catalog": "regions by name",
    "files": "grids in NetCDF-4, GeoTIFF and old GMT files, weights in HDF5",
    "tracks": "grids from ship tracks",
    "plot": "maps, figures and the report's pictures",
    "distributed": "processes and clusters",
    "cloud": "grids and stores at URLs, such as s3://",
    "slurm": "clusters of SLURM, and encrypted ones",
    "kubernetes": "clusters on Kubernetes",
    "cuda": "diffusion on a GPU, and a worker for every GPU",
}
"""Extra -> what it is for. Those of developers are left out."""


def look() -> Iterator[Finding]:
    """Compare what is installed with magxr's requirements, extra by extra; nothing is imported."""
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield Finding("magxr", "ok", __version__)
    try:
        asked = [_parsed(text) for text in metadata.requires("magxr") or ()]
    except metadata.PackageNotFoundError:
        fix = "pip install magxr, or pip install -e . in a checkout"
        yield Finding("packages", "note", "magxr is not installed, so nobody says what it needs", fix)
        return
    base = [r for r in asked if r.marker is None or r.marker.evaluate({"extra": ""})]
    for requirement in base:
        yield _needed(requirement)
    for extra, purpose in EXTRAS.items():
        of_extra = [r for r in asked if r not in base and r.marker and r.marker.evaluate({"extra": extra})]
        yield from _extra(extra, purpose, of_extra)
    yield from _twins()


def _parsed(text: str) -> Requirement:
    from packaging.requirements import Requirement

    return Requirement(text)


def version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _needed(requirement: Requirement) -> Finding:
    there = version(requirement.name)
    if there is None:
        return Finding(requirement.name, "problem", "not installed", f"pip install '{_asked(requirement)}'")
    if not requirement.specifier.contains(there, prereleases=True):
        seen = f"{there}, but magxr needs {requirement.specifier}"
        return Finding(requirement.name, "problem", seen, f"pip install -U '{_asked(requirement)}'")
    return Finding(requirement.name, "ok", there)


def _extra(extra: str, purpose: str, requirements: list[Requirement]) -> Iterator[Finding]:
    missing = [r.name for r in requirements if version(r.name) is None]
    subject = f"extra {extra}"
    if missing:
        seen = f"without {', '.join(missing)}; for {purpose}"
        yield Finding(subject, "note", seen, f"pip install 'magxr[{extra}]', if you need it")
    else:
        seen = ", ".join(f"{r.name} {version(r.name)}" for r in requirements)
        yield Finding(subject, "ok", seen)
    for requirement in requirements:
        if requirement.name not in missing and _needed(requirement).state != "ok":
            yield _needed(requirement)


def _twins() -> Iterator[Finding]:
    """Dask and distributed are released together, and are at odds otherwise."""
    dask, distributed = version("dask"), version("distributed")
    if distributed is not None and distributed != dask:
        seen = f"{distributed}, but dask is {dask}; they must be the same release"
        yield Finding("distributed", "problem", seen, f"pip install 'distributed=={dask}'")


def _asked(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"
