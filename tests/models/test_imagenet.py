"""Published weights: found where Keras keeps them, checked, and downloaded only when asked."""

import hashlib
import io

import pytest

from magxr.errors import ModelError, StoreError
from magxr.models import imagenet
from magxr.models.backbones import BACKBONES

CONTENT = b"weights of a trunk" * 1000


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    digest = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(imagenet.FILES, "vgg16", imagenet.FILES["vgg16"]._replace(md5=digest))
    return tmp_path / "models"


@pytest.fixture
def asked(monkeypatch):
    """Answers every download, and notes what was asked for."""
    urls = []

    def opened(url):
        urls.append(url)
        return io.BytesIO(CONTENT)

    monkeypatch.setattr(imagenet, "_opened", opened)
    return urls


def test_the_files_are_those_that_the_installed_keras_knows():
    from importlib.metadata import distribution

    source = "".join(
        distribution("keras").locate_file(f"keras/src/applications/{module}.py").read_text()
        for module in ("vgg16", "vgg19", "inception_v3", "mobilenet", "mobilenet_v2", "resnet")
    )
    assert set(imagenet.FILES) == {
        "vgg16", "vgg19", "inceptionv3", "mobilenet", "mobilenetv2", "resnet50", "resnet101",
    }  # fmt: skip
    assert set(imagenet.FILES) < set(BACKBONES)
    for trunk, published in imagenet.FILES.items():
        assert published.url.startswith("https://storage.googleapis.com/tensorflow/keras-applications/")
        assert published.md5 is None or published.md5 in source, trunk
        assert f'{published.folder}/"' in source or f"{published.folder}/{published.name}" in source, trunk
    for name in ("vgg16", "vgg19", "inceptionv3"):
        assert imagenet.FILES[name].name in source


def test_a_file_that_is_there_is_checked(folder, asked):
    folder.mkdir()
    path = folder / imagenet.FILES["vgg16"].name
    path.write_bytes(CONTENT)
    assert imagenet.cached("vgg16") == imagenet.fetch("vgg16") == path
    assert BACKBONES["vgg16"].weights_file("imagenet") == path
    path.write_bytes(CONTENT[:-1])
    for find in (imagenet.cached, imagenet.fetch, lambda _: BACKBONES["vgg16"].weights_file("imagenet")):
        with pytest.raises(ModelError, match=r"has the MD5 \w{32}, Keras publishes \w{32}: it is damaged"):
            find("vgg16")
    assert asked == []


def test_fetching(folder, asked):
    path = imagenet.fetch("vgg16")
    assert path.read_bytes() == CONTENT
    assert asked == [imagenet.FILES["vgg16"].url]
    assert imagenet.fetch("vgg16") == path
    assert len(asked) == 1
    assert list(folder.iterdir()) == [path]


def test_a_download_that_is_something_else_leaves_nothing(folder, asked, monkeypatch):
    monkeypatch.setattr(imagenet, "_opened", lambda url: io.BytesIO(b"<html>please log in</html>"))
    with pytest.raises(ModelError, match="it is damaged or another file"):
        imagenet.fetch("vgg16")
    monkeypatch.setattr(imagenet, "_LARGEST", 1000)
    monkeypatch.setattr(imagenet, "_opened", lambda url: io.BytesIO(CONTENT))
    with pytest.raises(ModelError, match="sends over 1000 bytes"):
        imagenet.fetch("vgg16")
    assert list(folder.iterdir()) == []


def test_without_a_network_the_error_says_what_to_copy_where(folder, monkeypatch):
    def opened(url):
        raise OSError("no route")

    monkeypatch.setattr(imagenet, "_opened", opened)
    with pytest.raises(
        StoreError, match=r"could not be downloaded \(no route\); fetch it on.*copy it to .*notop"
    ):
        imagenet.fetch("vgg16")
    assert list(folder.iterdir()) == []


def test_trunks_that_keras_does_not_publish(folder, asked):
    with pytest.raises(ModelError, match="no ImageNet weights for 'resnet18'"):
        imagenet.fetch("resnet18")
    assert asked == []
