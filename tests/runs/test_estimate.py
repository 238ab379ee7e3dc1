"""What an estimate counts is what a run by blocks then does; times are the benchmark's business."""

from pathlib import Path

import numpy as np
import pytest

import magxr
from magxr.chunked import tiles
from magxr.cli import main
from magxr.errors import ChunkError, GridError, ParameterError
from magxr.io import store
from magxr.models.spec import load
from magxr.runs import sample
from magxr.runs.config import configure
from magxr.runs.load import known_share, work
from magxr.runs.stages import MAPS, Plan, stages
from magxr.synthetic.seafloor import demo_region
from magxr.testing import wavy_sea_floor

SMALL = {"stride": 30, "steps": 2, "chunk": 220}


@pytest.fixture(scope="module")
def region():
    ds = demo_region((520, 600), chunks=(260, 300))[["anomaly"]].load()
    ds.anomaly[:, :170] = np.nan
    return ds


@pytest.fixture(scope="module")
def told(region):
    return region.mag.estimate(**SMALL)


def test_counts_are_those_of_the_run(region, told, tmp_path, monkeypatch):
    monkeypatch.setattr("magxr.runs.finish.present", lambda found, folder: ("none.html", [], "none"))
    found = magxr.run(region, tmp_path / "out.zarr", engine="blocks", **SMALL)
    assert {s.name: s.tasks for s in told.stages} == {n: t.blocks for n, t in found.blocks.items()}
    assert told.tasks == sum(t.blocks for t in found.blocks.values())
    probability = store.open(found.store).linear_probability.values
    assert told.windows == probability.size
    answers = np.isfinite(probability).sum()
    assert abs(told.answered - answers) <= 0.1 * answers + 4
    assert told.shape == (520, 600)
    assert told.block == (174, 200)
    assert told.gpu_seconds == 0.0  # a model without a network


def test_the_table_says_it_all(told):
    text = str(told)
    for word in ("520 x 600", "GiB a worker", "core s", "diffuse", "classify", "of one core"):
        assert word in text
    assert all(stage.seconds > 0 for stage in told.stages)
    assert told.core_hours == pytest.approx(told.core_seconds / 3600)
    halos = {stage.name: stage.halo for stage in told.stages}
    assert min(halos["diffuse"], halos["structure"]) > halos["grid"] == 0


def test_the_piece_that_is_timed_has_gaps_as_the_map_does():
    rough = demo_region((700, 2600), chunks=(700, 650))[["anomaly"]].load()
    holes = np.random.default_rng(1).random(rough.anomaly.shape) < np.linspace(-0.1, 0.2, 2600)
    rough["anomaly"] = rough.anomaly.where(~holes)
    config = configure("(dataset)", "out.zarr", engine="blocks", **SMALL)
    spec = load("default")
    piece = sample._piece(config, spec, rough, known_share(rough, spec.window))
    assert piece.anomaly.shape == (640, 640)
    assert float(piece.anomaly.isnull().mean()) == pytest.approx(
        float(rough.anomaly.isnull().mean()), abs=0.03
    )


def test_only_statistics_of_the_map_count_as_shared(region):
    config = configure("(dataset)", "out.zarr", engine="blocks", **SMALL)
    spec = load("default")
    shared = sample.sample(config, spec, region, known_share(region, spec.window)).shared
    assert {name for name, took in shared.items() if took > 0} <= {"grid", "denoise"}
    assert shared["denoise"] > 0  # the basis of the region


@pytest.mark.parametrize("side", [640, 641])
def test_tiles_of_a_piece_are_counted_as_they_are_made(side, monkeypatch):
    made = []
    monkeypatch.setattr(tiles, "approximate", lambda tile, *given: made.append(0) or tile)
    magxr.denoise(wavy_sea_floor((side, side)), mode="tile")
    config = configure("(dataset)", "out.zarr", engine="blocks", denoise="tile")
    plan = Plan(Path(), "", config, load("default"), None, {MAPS: {"latitude": side, "longitude": side}})
    (stage,) = (stage for stage in stages(plan) if stage.name == "denoise")
    assert work(plan, stage, (side, side)) == len(made)


def test_workers_share_the_time(region):
    one, four = (region.mag.estimate(workers=n, **SMALL) for n in (1, 4))
    assert one.wall_seconds == pytest.approx(one.core_seconds)
    assert four.wall_seconds == pytest.approx(four.core_seconds / 4)


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"stride": 0}, ParameterError), ({"chunk": 40}, ChunkError), ({"spacing": "3 arcmin"}, GridError)],
)
@pytest.mark.filterwarnings("ignore:the new cells are coarser")
def test_refuses_what_the_run_would(region, changes, error):
    with pytest.raises(error):
        magxr.estimate(region, **SMALL | changes)


def test_nothing_is_left_behind(region, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    region.to_zarr(tmp_path / "map.zarr", consolidated=False)
    assert main(["estimate", "map.zarr", "--stride", "50", "--steps", "2", "--workers", "3"]) == 0
    assert "on 3 workers" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] == ["map.zarr"]


def test_operations_of_a_network():
    from magxr.models.backbones import backbone

    # VGG16 without its dense layers: 15.3 GFLOP (multiplications and additions 30.7) at 224 pixels
    assert backbone("vgg16").forms[0].sketch.operations(224) == pytest.approx(30.7e9, rel=0.01)
