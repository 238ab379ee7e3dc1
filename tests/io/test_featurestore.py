"""Features on disk: whole or not there, checked when read, refused when foreign."""

import numpy as np
import pytest

from magxr.errors import StoreError
from magxr.io.featurestore import open_features

ABOUT = {"trunk": "toy", "kind": "flat", "window": 8, "dtype": "float32"}
VALUES = np.arange(12, dtype="f4").reshape(3, 4)


def test_what_is_written_is_found_again_by_another_process_or_not_at_all(tmp_path):
    store = open_features(tmp_path / "cache", ABOUT)
    assert store.stored() == []
    made = store.write(["a", "b", "c"], VALUES)
    store.write(["d"], np.zeros((1, 4), "f4"))
    again = {s.keys: s for s in open_features(tmp_path / "cache", dict(ABOUT)).stored()}
    assert set(again) == {("a", "b", "c"), ("d",)}
    np.testing.assert_array_equal(again["a", "b", "c"].read(), VALUES)
    np.testing.assert_array_equal(again[("d",)].read(), 0)
    assert len(made) == 3
    assert store.write(["a", "b", "c"], VALUES).path == made.path
    assert not list(store.group.glob(".*"))


def test_recipes_lie_side_by_side(tmp_path):
    first, second = (open_features(tmp_path / "c", ABOUT | {"window": w}) for w in (8, 9))
    first.write(["a"], VALUES[:1])
    assert first.group != second.group
    assert second.stored() == []


def test_half_an_array_is_never_found(tmp_path, monkeypatch):
    store = open_features(tmp_path / "cache", ABOUT)
    import zarr

    real = zarr.create_array

    def dies(*args, **kwargs):
        real(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(zarr, "create_array", dies)
    with pytest.raises(KeyboardInterrupt):
        store.write(["a"], VALUES[:1])
    assert store.stored() == []
    assert not list(store.group.glob(".*"))


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "about"])
def test_damage_is_seen(tmp_path, damage):
    store = open_features(tmp_path / "cache", ABOUT)
    made = store.write(["a", "b", "c"], VALUES)
    chunk = next(p for p in (made.path / "c").rglob("*") if p.is_file())
    content = bytearray(chunk.read_bytes())
    if damage == "cut":
        chunk.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        chunk.write_bytes(content)
    elif damage == "gone":
        chunk.unlink()
    else:
        (made.path / "zarr.json").write_text("{")
        assert store.stored() == []
        assert not made.path.exists()
        return
    with pytest.raises(StoreError, match=r"is damaged.*compute the features again"):
        store.stored()[0].read()


def test_foreign_folders_are_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(StoreError, match="photos is not a folder of features"):
        open_features(tmp_path / "photos", ABOUT)
    with pytest.raises(StoreError, match="does not exist; make it first"):
        open_features(tmp_path / "no" / "where", ABOUT)
    store = open_features(tmp_path / "cache", ABOUT)
    import zarr

    zarr.open_group(store.group, mode="r+").attrs["window"] = 9
    with pytest.raises(
        StoreError, match=r"holds other features: it differs in \['window'\] \(\[9\] there, \[8\]"
    ):
        open_features(tmp_path / "cache", ABOUT)
