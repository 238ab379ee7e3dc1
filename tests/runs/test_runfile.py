"""A run kept in a file is the run that would be typed."""

import pytest

import magxr
from magxr.cli import main
from magxr.clusters.description import Cluster
from magxr.errors import ParameterError, StoreError
from magxr.runs.runfile import read_run

TEXT = "region: demo\nout: {out}\nstride: 20\nbounds: [-30, 10, -20, 20]\nscheduler: sync\n"


@pytest.fixture
def given(monkeypatch):
    """What `magxr.run` is called with."""
    found = {}

    def run(region, out, **changes):
        found.update(changes, region=region, out=out)
        raise ParameterError("enough")

    monkeypatch.setattr("magxr.runs.pipeline.run", run)
    return found


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ours.yaml"
    path.write_text(TEXT.format(out=tmp_path / "ours.zarr"))
    return path


def test_its_arguments_are_those_of_a_run(path, given, tmp_path):
    main(["run", str(path)])
    assert given == {
        "region": "demo",
        "out": str(tmp_path / "ours.zarr"),
        "stride": 20,
        "bounds": (-30, 10, -20, 20),
        "scheduler": "sync",
        "progress": True,
    }


def test_flags_go_before_it(path, given):
    main(["run", str(path), "--stride", "30", "--out", "other.zarr", "--cluster", "local", "--workers", "2"])
    assert given["stride"] == 30
    assert given["out"] == "other.zarr"
    assert given["cluster"] == Cluster("local", workers=2)
    assert "scheduler" not in given  # the file's, which may go anywhere


def test_a_run_that_does_not_say_where_to_write(tmp_path, capsys):
    assert main(["run", "demo"]) == 1
    assert "where to write is not said; add --out" in capsys.readouterr().err


def test_what_the_file_says_is_checked_as_what_is_typed(tmp_path):
    path = tmp_path / "ours.yaml"
    path.write_text("region: demo\nout: a.zarr\nstrides: 20\n")
    with pytest.raises(ParameterError, match=r"no argument 'strides' \(did you mean 'stride'\?\)"):
        magxr.run(**read_run(path))


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (None, StoreError, "cannot be read"),
        ("a: [", ParameterError, "is not YAML"),
        ("out: a.zarr", ParameterError, "one of them the region"),
        ("- demo", ParameterError, "one of them the region"),
        ("region: !!python/name:os.system", ParameterError, "is not YAML"),
    ],
)
def test_files_that_are_none(tmp_path, text, error, says):
    path = tmp_path / "ours.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=says):
        read_run(path)
