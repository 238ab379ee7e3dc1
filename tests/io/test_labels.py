"""Label tables: round trips to the last bit, and every contradiction."""

import json

import numpy as np
import pytest
import xarray as xr

from magxr.errors import ParameterError, StoreError
from magxr.io.labels import COLUMNS, label_table, labelled_by, read_labels, write_labels


def table():
    return label_table(
        window=[4, 7, 2],
        south=[-40.1, 1 / 3, 10.0],
        north=[-39.1, 1.5, 11.0],
        west=[-110.2, 179.7, 0.1 + 0.2],
        east=[-109.2, 181.2, 1.3],
        label=np.int8([1, 0, -1]),
        linear_percent=np.array([88.123456789, np.nan, 55.0]),
        nonlinear_percent=np.array([2.0, 70.0, 45.0]),
        labeller=['A. "Anna" Nordic, PhD', "ü", ""],
    )


@pytest.mark.parametrize("name", ["labels.csv", "labels.geojson", "labels.JSON"])
def test_round_trip(tmp_path, name):
    want = table()
    path = write_labels(want, tmp_path / name)
    xr.testing.assert_identical(read_labels(path), want)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_what_is_written(tmp_path):
    text = write_labels(table(), tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert text[0] == ",".join(COLUMNS)
    assert text[2] == "7,0.3333333333333333,1.5,179.7,181.2,0,,70.0,ü"
    features = json.loads(write_labels(table(), tmp_path / "a.geojson").read_text(encoding="utf-8"))[
        "features"
    ]
    assert features[1]["properties"] == {
        "window": 7,
        "label": 0,
        "linear_percent": None,
        "nonlinear_percent": 70.0,
        "labeller": "ü",
    }
    assert features[0]["geometry"]["coordinates"][0][:2] == [[-110.2, -40.1], [-109.2, -40.1]]


def test_existing_files_are_kept(tmp_path):
    path = write_labels(table(), tmp_path / "a.csv")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"a\.csv exists; pass overwrite=True"):
        write_labels(table(), path)
    assert path.read_bytes() == before
    write_labels(table().isel(window=[0]), path, overwrite=True)
    assert read_labels(path).sizes["window"] == 1
    with pytest.raises(StoreError, match=r"a\.xlsx is neither \.csv nor \.geojson"):
        write_labels(table(), tmp_path / "a.xlsx")


def test_the_seventy_percent_rule():
    linear = np.array([70.0, 69.999, 100, 30, 29.9, 0, 50])
    got = labelled_by(linear, 100 - linear, 0.7)
    np.testing.assert_array_equal(got, [1, -1, 1, 0, 0, 0, -1])
    assert got.dtype == np.int8
    # Cells nobody labelled count towards neither.
    np.testing.assert_array_equal(labelled_by(np.array([60.0]), np.array([0.0]), 0.7), [-1])


HEAD = "window,south,north,west,east,label,linear_percent,nonlinear_percent,labeller\n"
BOX = "0,1,10,11"


def test_short_tables(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text(f"label,window,south,north,west,east\n1,5,{BOX}\n-1,6,{BOX}\n")
    got = read_labels(path)
    np.testing.assert_array_equal(got.label, [1, -1])
    assert got.linear_percent.isnull().all()
    assert got.labeller.values.tolist() == ["", ""]
    path.write_text(HEAD + f"1,{BOX},,71,20,me\n2,{BOX},,10,80,me\n3,{BOX},,50,,me\n")
    np.testing.assert_array_equal(read_labels(path).label, [1, 0, -1])
    np.testing.assert_array_equal(read_labels(path, threshold=0.8).label, [-1, 0, -1])


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        (f"1,{BOX},1,,,a\n1,{BOX},1,,,b\n", ParameterError, r"window 1 appears twice; keep one row"),
        (
            f"1,{BOX},1,,,anna\n1,{BOX},0,,,bert\n",
            ParameterError,
            r"window 1 is labelled 1 by 'anna' and 0 by 'bert'; settle the contradiction",
        ),
        (f"1,{BOX},1,60,,a\n", ParameterError, r"row 1 .*window 1, is labelled 1 but at most 60 % linear"),
        (f"1,{BOX},0,60,,a\n", ParameterError, r"is labelled 0 but at most 40 % nonlinear"),
        (f"1,{BOX},2,,,a\n", ParameterError, r"has the label 2; use 1 \(linear\), 0 \(nonlinear\) or -1"),
        (f"1,{BOX},,,,a\n", ParameterError, r"has neither a label nor percentages"),
        (f"1,{BOX},1,80,30,a\n", ParameterError, r"80 % linear and 30 % nonlinear; .* at most 100"),
        ("1,2,1,10,11,1,,,a\n", ParameterError, r"bounds south 2, north 1.*south must be below north"),
        ("1,0,1,10,x,1,,,a\n", StoreError, r"row 1 .* is not a label"),
        (f"1.5,{BOX},1,,,a\n", StoreError, r"row 1 .* is not a label"),
        ("", StoreError, r"holds no labels"),
    ],
)
def test_refused_rows(tmp_path, rows, error, match):
    path = tmp_path / "bad.csv"
    path.write_text(HEAD + rows)
    with pytest.raises(error, match=match):
        read_labels(path)


def test_refused_files(tmp_path):
    with pytest.raises(StoreError, match=r"no label table .*none\.csv"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_text("window,label\n1,1\n")
    with pytest.raises(StoreError, match=r"lacks the columns \['south', 'north', 'west', 'east'\]"):
        read_labels(tmp_path / "a.csv")
    (tmp_path / "a.geojson").write_text('{"type": "Feature"}')
    with pytest.raises(StoreError, match=r"a\.geojson is not a GeoJSON label table \(KeyError: 'features'\)"):
        read_labels(tmp_path / "a.geojson")
    with pytest.raises(ParameterError, match=r"threshold is 0\.5; .* over 0\.5 and at most 1"):
        read_labels(tmp_path / "a.csv", threshold=0.5)
