"""What pip would install, without installing it: the pins of the images, and whether the extra `cuda` holds.

::

    python tools/resolve.py lock    # writes deploy/docker/constraints.txt
    python tools/resolve.py cuda    # refuses an extra `cuda` that does not resolve or hang together

Both ask the package index for descriptions of packages, not for the packages. Run them with the Python of the
images (3.11) on Linux; wheels for other systems do not exist for all of them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "deploy" / "docker" / "constraints.txt"
IMAGES = (".[all,cuda]", "tensorflow[and-cuda]", "s3fs", "bokeh", "hatchling")
"""All that any of the images holds: bokeh draws the scheduler's dashboard, hatchling builds the wheel."""
HEAD = """\
# Written by `python tools/resolve.py lock`. Both images take their versions from here, so that the workers of
# both fit one scheduler: Dask is the release that dask-cuda pins.
"""


def report(requirements: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the metadata of all that pip would install; an error of pip ends the program."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "report.json"
        # without --target pip looks at what is installed; with it pip takes no source packages, which it
        # would have to build before it knew what they need
        words = ["--dry-run", "--ignore-installed", "--only-binary=:all:", "--target", folder, "--quiet"]
        command = [sys.executable, "-m", "pip", "install", *words, "--report", str(told), *requirements]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            sys.exit(f"pip cannot resolve {' '.join(requirements)}:\n{done.stderr}")
        found = json.loads(told.read_text(encoding="utf-8"))["install"]
    return [package["metadata"] for package in found]


def pins(packages: list[dict[str, Any]]) -> dict[str, str]:
    """Return the version of every package by its name, as the index spells it, without ours."""
    named = {re.sub(r"[-_.]+", "-", p["name"]).lower(): str(p["version"]) for p in packages}
    return {name: named[name] for name in sorted(named) if name != "magxr"}


def asked(packages: list[dict[str, Any]], name: str, of: str) -> list[Requirement]:
    """Return what the packages whose names begin with ``of`` ask of the package ``name``."""
    lines = [line for p in packages if p["name"].startswith(of) for line in p.get("requires_dist", ())]
    return [r for r in map(Requirement, lines) if r.name == name and r.marker is None]


def faults(packages: list[dict[str, Any]], release: str, pinned: dict[str, str]) -> list[str]:
    """Return what is wrong with a resolved `cuda` extra: nothing, if the list is empty.

    Parameters
    ----------
    packages : list of dict
        As `report` returns them.
    release : str
        The release of Dask that `make test-pinned` tests.
    pinned : dict of str
        The pins of the images.
    """
    found, wrong = pins(packages), []
    rules = asked(packages, "dask", "rapids-dask-dependency")
    if not rules:
        wrong.append("dask-cuda no longer says which Dask it takes; look where it does now")
    for version, whose in (
        (found.get("dask"), "resolved"),
        (release, "Makefile"),
        (pinned["dask"], "images"),
    ):
        outside = [str(r.specifier) for r in rules if version is None or version not in r.specifier]
        if outside:
            wrong.append(f"dask {version} ({whose}) is outside of what dask-cuda takes, {outside[0]}")
    # dask-cuda cannot be imported without the bindings, and they come with its own extra only
    bindings = found.get("cuda-bindings")
    if bindings is None or not bindings.startswith("12."):
        wrong.append(f"cuda-bindings for CUDA 12, CuPy's, are not among what the extra installs ({bindings})")
    return wrong


def tested() -> str:
    """Return the release of Dask that `make test-pinned` installs."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return next(iter(re.findall(r"^PINNED = dask==(\S+) distributed==\1$", makefile, re.MULTILINE)))


def locked() -> dict[str, str]:
    """Return the pins of the images."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def main() -> None:
    """Write the pins, or check the extra `cuda`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("lock", "cuda"))
    if parser.parse_args().what == "lock":
        found = pins(report(IMAGES))
        CONSTRAINTS.write_text(HEAD + "".join(f"{k}=={v}\n" for k, v in found.items()), encoding="utf-8")
        sys.stdout.write(f"{len(found)} pins, dask {found['dask']}: {CONSTRAINTS.relative_to(ROOT)}\n")
        return
    packages = report((".[cuda]",))
    wrong = faults(packages, tested(), locked())
    if wrong:
        sys.exit("the extra cuda does not hold together:\n" + "\n".join(wrong))
    found = pins(packages)
    names = ("dask", "dask-cuda", "cuda-bindings", "cupy-cuda12x")
    sys.stdout.write("".join(f"{name} {found[name]}\n" for name in names))


if __name__ == "__main__":
    main()
