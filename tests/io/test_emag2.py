"""The text table of EMAG2v3 becomes a grid."""

import numpy as np
import pytest

from magxr.errors import GridError, ParameterError, StoreError
from magxr.geogrid import describe
from magxr.io import emag2, store
from magxr.io.read import open_anomaly

STEP = 2 / 60


def table(path, *, rows=11, columns=17, drop=0, order=None, double=False):
    j, i = (a.ravel() + 1 for a in np.mgrid[:rows, :columns])
    sea, up = i + 100.0 * j, -(i + 100.0 * j) / 2
    up[3] = sea[5] = 99999
    lines = np.column_stack([i, j, i * STEP, -10 + j * STEP, sea, up, i * 0 + 13, i * 0 + 120])
    lines = lines[order.permutation(len(lines))] if order else lines
    lines = lines[: len(lines) - drop]
    if double:
        lines[-1] = lines[0]
    np.savetxt(path, lines, fmt=["%d", "%d", "%.8f", "%.8f", "%.3f", "%.3f", "%d", "%d"], delimiter=",")
    return sea.reshape(rows, columns), up.reshape(rows, columns)


@pytest.mark.parametrize("order", [None, np.random.default_rng(0)])
def test_the_grid_is_that_of_the_table_in_any_order_of_lines(tmp_path, order, monkeypatch):
    monkeypatch.setattr(emag2, "_LINES", 40)
    sea, up = table(tmp_path / "t.csv", order=order)
    out = emag2.ingest(tmp_path / "t.csv", tmp_path / "a.zarr")
    ds = open_anomaly(out)
    up[up == 99999] = np.nan
    np.testing.assert_array_equal(ds.anomaly.values, up.astype("f4"))
    np.testing.assert_allclose(ds.lat.values, -10 + STEP * np.arange(1, 12), atol=1e-7)
    np.testing.assert_allclose(ds.lon.values, STEP * np.arange(1, 18), atol=1e-7)
    assert describe(ds.anomaly)[0].registration == "gridline"
    emag2.ingest(tmp_path / "t.csv", out, column="sealevel", overwrite=True)
    sea[sea == 99999] = np.nan
    np.testing.assert_array_equal(open_anomaly(out).anomaly.values, sea.astype("f4"))
    assert store.open(out).anomaly.attrs["source_name"] == "sealevel"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "t.csv"]


@pytest.mark.parametrize("fault", [{"drop": 3}, {"double": True, "drop": 1}, {"double": True}])
def test_a_truncated_table_is_refused(tmp_path, fault):
    table(tmp_path / "t.csv", **fault)
    with pytest.raises(
        GridError, match=r"has 18\d lines for 11 rows and 17 columns of cells; they do not fill"
    ):
        emag2.ingest(tmp_path / "t.csv", tmp_path / "a.zarr")
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_other_tables_places_and_columns(tmp_path):
    (tmp_path / "t.csv").write_text("lon,lat,nT\n1,2,3\n")
    with pytest.raises(
        StoreError, match="is not EMAG2v3's table, which has the columns i, j, lon, lat, sealevel"
    ):
        emag2.ingest(tmp_path / "t.csv", tmp_path / "a.zarr")
    (tmp_path / "u.csv").write_text("20000,1,0,0,1,1,1,1\n")
    with pytest.raises(GridError, match=r"columns 20000\.\.20000 are not EMAG2v3's"):
        emag2.ingest(tmp_path / "u.csv", tmp_path / "a.zarr")
    with pytest.raises(ParameterError, match=r"column='error'; it must be 'upcont' \(4 km\) or 'sealevel'"):
        emag2.ingest(tmp_path / "u.csv", tmp_path / "a.zarr", column="error")
    with pytest.raises(StoreError, match="already there"):
        emag2.ingest(tmp_path / "u.csv", tmp_path / "t.csv")
    with pytest.raises(StoreError, match="there is no file"):
        emag2.ingest(tmp_path / "none.csv", tmp_path / "a.zarr")
