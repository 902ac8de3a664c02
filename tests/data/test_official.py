"""torchvision reads the official files; nothing is downloaded unless asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch

from nbsrc.data import DamagedDataError, MissingDataError, find_layout, load_data, shards
from nbsrc.data.digests import KNOWN_SHARDS, array_digest
from nbsrc.data.sources import SOURCES
from nbsrc.torchvision_compat import torchvision_datasets
from tests.data.files import pixels, write_cifar, write_mnist, write_shards, write_svhn


def same(images: torch.Tensor, x: np.ndarray) -> bool:
    """Whether images are these pixels, ``[n, height, width, channels]``."""
    return torch.equal(images, torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255)


def test_mnist_is_read(tmp_path: Path) -> None:
    x = write_mnist(tmp_path)
    assert find_layout("mnist", tmp_path) == "torchvision"
    data = load_data("mnist", root=tmp_path)
    assert data.test_labels.tolist() == [3, 4]
    assert same(data.train_images, x[..., None])
    assert data.test_exact is None


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_read_batch_after_batch(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_cifar(tmp_path, monkeypatch, name)
    assert find_layout(name, tmp_path) == "torchvision"
    data = load_data(name, root=tmp_path)
    *train, test = written.values()
    assert same(data.train_images, np.concatenate(train))
    assert same(data.test_images, test)
    assert data.name == name
    assert data.train_labels.dtype == torch.int64
    assert data.train_labels.tolist()[:3] == [0, 1, 2]
    assert data.test_exact is None


def test_svhn_is_read_and_its_ten_is_the_digit_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_svhn(tmp_path, monkeypatch)
    assert find_layout("svhn", tmp_path) == "torchvision"
    data = load_data("svhn", root=tmp_path)
    assert same(data.train_images, written["train"])
    assert same(data.test_images, written["test"])
    assert data.train_labels.tolist() == [0, 1, 9, 2]
    assert data.test_labels.tolist() == [0, 1, 9]
    assert data.test_exact is None


def test_shards_come_first(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_shards(tmp_path, "mnist")
    assert find_layout("mnist", tmp_path) == "shards"
    assert len(load_data("mnist", root=tmp_path).train_images) == 3


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_torchvisions_checksums_find_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cifar10", "cifar100"):
        write_cifar(tmp_path, monkeypatch, name)
    write_svhn(tmp_path, monkeypatch)
    for name, file in {
        "cifar10": "cifar-10-batches-py/test_batch",
        "cifar100": "cifar-100-python/train",
        "svhn": "test_32x32.mat",
    }.items():
        load_data(name, root=tmp_path)
        damage(tmp_path / file)
        folder = SOURCES[name].folder or "train_32x32.mat and test_32x32.mat"
        way = rf"remove .*{folder} .*and run python -m nbsrc data fetch {name} --root "
        with pytest.raises(DamagedDataError, match=f"is damaged .*: {way}") as caught:
            load_data(name, root=tmp_path)
        assert "\n" not in str(caught.value)


def test_damaged_mnist_is_found_though_torchvision_checks_no_sums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = write_mnist(tmp_path)
    known = (2, array_digest([x, np.array([3, 4], np.uint8)]))
    official = {"mnist_train.npz": known, "mnist_test.npz": known}
    monkeypatch.setattr(shards, "KNOWN_SHARDS", {**KNOWN_SHARDS, **official})
    load_data("mnist", root=tmp_path)
    raw = tmp_path / "MNIST" / "raw"
    for file in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        whole = (raw / file).read_bytes()
        changed = bytearray(whole)
        changed[-1] ^= 1
        for content in (whole[:-1], whole[:3], b"", bytes(changed), whole + b"0"):
            (raw / file).write_bytes(content)
            with pytest.raises(DamagedDataError, match=r"MNIST in .* is damaged .*MNIST/raw"):
                load_data("mnist", root=tmp_path)
        (raw / file).write_bytes(whole)
    load_data("mnist", root=tmp_path)
    labels = raw / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + bytes([11]))
    with pytest.raises(DamagedDataError, match="must hold integer labels y from 0 to 9"):
        load_data("mnist", root=tmp_path)


def test_missing_data_names_root_files_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NBSRC_DATA", raising=False)
    with pytest.raises(MissingDataError, match=r"no data root is set \(NBSRC_DATA\)"):
        load_data("mnist")
    with pytest.raises(
        MissingDataError,
        match=r"cifar10 is not in the data root .* Put cifar10_train_0.npz, .* there, or let "
        r"torchvision download it: python -m nbsrc data fetch cifar10 --root ",
    ):
        load_data("cifar10", root=tmp_path)
    with pytest.raises(
        MissingDataError, match=r"svhn is not in .*\. Let torchvision download it: .* fetch svhn"
    ):
        load_data("svhn", root=tmp_path)
    assert list(tmp_path.iterdir()) == []
    write_shards(tmp_path, "cifar10")
    for number in (1, 3):
        (tmp_path / f"cifar10_train_{number}.npz").unlink()
    with pytest.raises(
        MissingDataError,
        match=r"is incomplete: cifar10_train_1\.npz, cifar10_train_3\.npz is not there",
    ):
        load_data("cifar10", root=tmp_path)
    write_mnist(tmp_path)
    (tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    assert find_layout("mnist", tmp_path) is None
    with pytest.raises(MissingDataError, match="incomplete: MNIST/raw/t10k-labels-idx1-ubyte is"):
        load_data("mnist", root=tmp_path)


def test_a_download_is_torchvisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class is replaced by one that writes the files instead of fetching them."""
    calls: list[dict[str, Any]] = []
    plain = torchvision_datasets().MNIST

    class Fetching(plain):  # type: ignore[misc, valid-type]
        @property
        def raw_folder(self) -> str:
            return str(Path(self.root) / "MNIST" / "raw")

        def __init__(self, root: str, *, train: bool, download: bool) -> None:
            calls.append({"root": root, "train": train, "download": download})
            if download and not (tmp_path / "new" / "MNIST").exists():
                write_mnist(tmp_path / "new")
            super().__init__(root, train=train)

    monkeypatch.setattr(torchvision_datasets(), "MNIST", Fetching)
    with pytest.raises(MissingDataError):
        load_data("mnist", root=tmp_path / "new")
    assert calls == []
    data = load_data("mnist", root=tmp_path / "new", download=True)
    assert same(data.test_images, pixels(2, 28, 28, 1))
    assert [(call["train"], call["download"]) for call in calls] == [
        (True, True), (False, True), (True, False), (False, False),
    ]  # fmt: skip
    load_data("mnist", root=tmp_path / "new", download=True)
    assert not any(call["download"] for call in calls[4:])


@pytest.mark.parametrize("name", list(SOURCES))
def test_a_failed_download_is_one_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    utils = torchvision_datasets().utils

    def no_network(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(utils, "_urlretrieve", no_network)
    monkeypatch.setattr(utils.urllib.request, "urlopen", no_network)
    with pytest.raises(MissingDataError, match=r"could not be downloaded to .*Check the con") as e:
        load_data(name, root=tmp_path / "new", download=True)
    assert "\n" not in str(e.value)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"name must be one of \('digits', .*'svhn'\), got 'imag"):
        load_data("imagenet")
