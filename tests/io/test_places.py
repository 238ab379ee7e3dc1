"""What a path or a URL means, and what is said of one that cannot be used; nobody is asked."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from magxr.errors import MissingExtraError, StoreError
from magxr.io import places, store
from magxr.io.labels import read_labels
from magxr.io.reach import working
from magxr.io.read import open_anomaly
from magxr.models.spec import load
from magxr.runs.config import configure
from magxr.runs.leave import free
from magxr.testing import wavy_sea_floor

pytest.importorskip("upath", reason="URLs need universal-pathlib: magxr[cloud]")
SECRET = "hun/ter2"


def test_what_is_of_this_machine_stays_a_path(tmp_path):
    assert places.place("~/a.zarr") == Path.home() / "a.zarr"
    assert places.place("file:///data/a%20b.zarr") == Path("/data/a b.zarr")
    assert places.place(tmp_path) is not None
    assert places.address(tmp_path) == (tmp_path, {})
    assert not places.is_url(tmp_path)


def test_a_url_has_the_methods_of_a_path_and_travels():
    found = places.place("memory://bucket/dir/chile.zarr/")
    assert (found.name, found.suffix, str(found.parent)) == ("chile.zarr", ".zarr", "memory://bucket/dir")
    assert places.is_url(found)
    assert places.place(found) is found
    there = pickle.loads(pickle.dumps(found))
    assert str(there) == str(found)
    assert places.address(there) == places.address(found)


def test_s3_is_asked_again_unless_the_environment_says_how(monkeypatch):
    pytest.importorskip("s3fs")
    for name in ("AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    options = places.address(places.place("s3://bucket/a"))[1]["storage_options"]
    assert options["config_kwargs"] == {"retries": places.RETRIES}
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    options = places.address(places.place("s3://bucket/a"))[1]["storage_options"]
    assert "config_kwargs" not in options
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreError, match=r"profile \(nobody\) could not be found.*correct AWS_PROFILE"):
        places.place("s3://bucket/a")


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIA:{SECRET}@bucket/a.zarr",
        f"s3://{SECRET}@bucket/a.zarr",
        f"https://me:{SECRET}@example.org/a.nc",
        f"https://example.org/a.nc?X-Amz-Signature={SECRET}",
        f"sftp://me:{SECRET}@example.org/a.nc",
        f"simplecache::s3://AKIA:{SECRET}@bucket/a.zarr",
    ],
)
def test_secrets_in_urls_are_refused_and_not_repeated(url, tmp_path):
    for use in (
        places.place,
        lambda u: configure(u, tmp_path / "o.zarr"),
        lambda u: configure("demo", u),
        lambda u: configure("demo", tmp_path / "o.zarr", path=u),
        free,
    ):
        with pytest.raises(StoreError) as caught:
            use(url)
        assert SECRET not in str(caught.value)
        assert "hun" not in str(caught.value)
        assert "***" in str(caught.value)


def test_a_name_that_is_no_secret_may_stay():
    places._check_no_secret("abfs://container@account.dfs.core.windows.net/a.zarr")
    places._check_no_secret("sftp://me@example.org:22/a.nc")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("foo://bucket/a", "foo://, which fsspec does not know; use e.g. s3://bucket/name"),
        ("simplecache::memory://a", "chain of URLs"),
    ],
)
def test_urls_that_cannot_be_used(url, message):
    with pytest.raises(StoreError, match=message):
        places.place(url)


def test_packages_that_are_missing(monkeypatch):
    import fsspec

    def without(error):
        def get(_):
            raise ImportError(error)

        return get

    monkeypatch.setattr(fsspec, "get_filesystem_class", without("Please install gcsfs"))
    with pytest.raises(StoreError, match="needs a package that is not installed: Please install gcsfs"):
        places.place("gs://bucket/a")
    with pytest.raises(MissingExtraError, match=r"'s3fs'.*magxr\[cloud\]"):
        places.place("s3://bucket/a")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(MissingExtraError, match=r"'universal-pathlib'.*magxr\[cloud\]"):
        places.place("memory://bucket/a")


def test_what_stays_on_this_machine_says_so():
    for use, what in ((free, "a study leaves"), (read_labels, "a label table"), (load, "a model")):
        with pytest.raises(StoreError, match=rf"s3://b/x is a URL, but .*{what}.* can only be on this"):
            use("s3://b/x")


def test_a_store_of_another_protocol_than_s3():
    sea = wavy_sea_floor((40, 60)).to_dataset().chunk(20)
    for ds in (sea, sea + 1):
        store.write(ds, "memory://bucket/a.zarr", overwrite=True)
        np.testing.assert_array_equal(open_anomaly("memory://bucket/a.zarr").anomaly, ds.anomaly)
    assert [p.name for p in places.listed(places.place("memory://bucket"))] == ["a.zarr"]


def test_the_web_can_only_be_read():
    pytest.importorskip("aiohttp")
    with pytest.raises(StoreError, match=r"a\.zarr: what is at https:// can only be read; choose another"):
        store.write(wavy_sea_floor(), "https://example.org/a.zarr")


def test_what_goes_wrong_while_a_run_is_at_work(monkeypatch):
    botocore = pytest.importorskip("botocore.exceptions")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    lost = botocore.EndpointConnectionError(endpoint_url=f"http://me:{SECRET}@127.0.0.1:1/bucket")
    for error, message in (
        (PermissionError(f"expired {SECRET}"), "the key is wrong or may not do this"),
        (lost, "nobody answers .*check the network"),
    ):
        with (
            pytest.raises(StoreError, match=message) as caught,
            working("demo", places.place("memory://b/o")),
        ):
            raise error
        assert "memory://b/o: " in str(caught.value)
        assert SECRET not in str(caught.value)
    for error, where in ((ValueError("mine"), "memory://b/o"), (PermissionError("of a disk"), "/tmp/o.zarr")):
        with pytest.raises(type(error), match=str(error)), working(where):
            raise error


def test_a_local_path_loads_nothing_of_urls(tmp_path):
    code = f"from magxr.io import places; places.place({str(tmp_path)!r}); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"upath", "s3fs", "botocore"} & set(loaded.split())
