"""Polygons from every form they come in."""

import json

import numpy as np
import pytest
import shapely

from magxr.errors import ParameterError, StoreError
from magxr.io.polygons import looks_like_polygons, polygons

BOX = shapely.box(10, 20, 12, 23)
MAPPING = shapely.geometry.mapping(BOX)


def test_every_form_gives_the_same(tmp_path):
    path = tmp_path / "zones.geojson"
    feature = {"type": "Feature", "properties": {"label": 1}, "geometry": MAPPING}
    collection = {"type": "FeatureCollection", "features": [feature]}
    path.write_text(json.dumps(collection))
    want = np.asarray(MAPPING["coordinates"][0])
    multi = shapely.MultiPolygon([BOX])
    gathered = {"type": "GeometryCollection", "geometries": [MAPPING]}
    for form in (BOX, MAPPING, [BOX], (MAPPING,), multi, feature, collection, path, str(path), gathered):
        assert looks_like_polygons(form)
        (got,) = polygons(form)
        np.testing.assert_array_equal(got.rings[0], want)
    assert polygons(path)[0].properties == {"label": 1}
    (one,) = polygons(path)
    assert polygons([one, BOX])[0] is one


def test_holes_are_kept():
    holed = BOX.difference(shapely.box(11, 21, 11.5, 22))
    (got,) = polygons(holed)
    assert len(got.rings) == 2


def test_arrays_are_not_polygons():
    for form in (np.zeros((3, 3)), [], [np.zeros(2)], 3):
        assert not looks_like_polygons(form)


@pytest.mark.parametrize(
    ("form", "error", "match"),
    [
        (shapely.Point(1, 2), ParameterError, r"type 'Point' is not an area"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, ParameterError, r"2 points are no polygon"),
        (shapely.box(500000, 4e6, 510000, 5e6), ParameterError, r"is not longitude, latitude in degrees"),
        (7, ParameterError, r"expected polygons .* got int"),
        ("nowhere.geojson", StoreError, r"no file nowhere\.geojson"),
    ],
)
def test_refused(form, error, match):
    with pytest.raises(error, match=match):
        polygons(form)


def test_a_file_that_is_not_json(tmp_path):
    (tmp_path / "a.geojson").write_text("zone 1")
    with pytest.raises(StoreError, match=r"a\.geojson is not GeoJSON"):
        polygons(tmp_path / "a.geojson")
