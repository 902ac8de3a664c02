"""Digits are split by class and seed; the data root is read in both layouts or named."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from nbsrc.data import ImageData, MissingDataError, find_layout, load_data, load_digits, main
from nbsrc.torchvision_compat import torchvision_datasets


def test_digits_are_images_in_the_unit_interval_split_by_class() -> None:
    data = load_digits()
    assert data.train_images.shape[1:] == data.test_images.shape[1:] == (1, 8, 8)
    assert len(data.train_images) + len(data.test_images) == 1797
    assert (float(data.train_images.min()), float(data.train_images.max())) == (0.0, 1.0)
    assert data.train_labels.dtype == torch.int64
    share = (
        data.test_labels.bincount() / torch.cat([data.test_labels, data.train_labels]).bincount()
    )
    assert float((share - 0.25).abs().max()) < 0.01
    # every image lands in exactly one part
    rows = torch.cat([data.train_images, data.test_images]).flatten(1)
    from sklearn.datasets import load_digits as source

    everything = torch.from_numpy(source().data).float() / 16
    assert torch.equal(rows.sum(dim=0), everything.sum(dim=0))


def test_the_split_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    first, again, other = load_digits(), load_data("digits"), load_digits(seed=1)
    assert torch.equal(first.test_images, again.test_images)
    assert not torch.equal(first.test_images, other.test_images)


def write_shards(root: Path, name: str, per_shard: int = 3) -> None:
    rng = np.random.default_rng(0)
    shape = (28, 28) if name == "mnist" else (32, 32, 3)
    train = ["train"] if name == "mnist" else [f"train_{i}" for i in range(5)]
    for part in [*train, "test"]:
        arrays = {
            "x": rng.integers(0, 256, (per_shard, *shape)).astype(np.uint8),
            "y": rng.integers(0, 10, per_shard).astype(np.uint8),
        }
        if name == "cifar10":
            arrays["exact"] = np.array([True, False, True])
        np.savez(root / f"{name}_{part}.npz", **arrays)


def test_compact_shards_are_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(tmp_path, "cifar10")
    monkeypatch.setenv("NBSRC_DATA", str(tmp_path))
    data = load_data("cifar10")
    assert data.train_images.shape == (15, 3, 32, 32)
    with np.load(tmp_path / "cifar10_train_1.npz", allow_pickle=False) as shard:
        expected = shard["x"][0, 5, 7].astype(np.float32) / 255
        assert data.train_images[3, :, 5, 7].tolist() == expected.tolist()
        assert data.train_labels[3:6].tolist() == shard["y"].tolist()
    assert data.test_exact is not None
    assert data.first(test=2).test_exact.tolist() == [True, False]  # type: ignore[union-attr]


def test_torchvisions_layout_is_read(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.arange(2 * 28 * 28).reshape(2, 28, 28).astype(np.uint8)
    for part in ("train", "t10k"):
        head = np.array([0x803, 2, 28, 28], dtype=">u4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        labels = np.array([0x801, 2], dtype=">u4").tobytes() + bytes([3, 7])
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    assert torchvision_datasets().MNIST(str(tmp_path), train=True).targets.tolist() == [3, 7]
    assert find_layout("mnist", tmp_path) == "torchvision"
    data = load_data("mnist", root=tmp_path)
    assert data.test_labels.tolist() == [3, 7]
    assert torch.equal(data.train_images[1, 0], torch.from_numpy(pixels[1]).float() / 255)


def test_missing_data_names_root_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NBSRC_DATA", raising=False)
    with pytest.raises(MissingDataError, match=r"no data root is set \(NBSRC_DATA\)"):
        load_data("mnist")
    with pytest.raises(
        MissingDataError, match=r"cifar10 is not in the data root .* --download cifar10"
    ):
        load_data("cifar10", root=tmp_path)
    assert list(tmp_path.iterdir()) == []
    write_shards(tmp_path, "mnist")
    with caplog.at_level(logging.INFO, "nbsrc"):
        assert main(["--root", str(tmp_path)]) == 0
    assert "mnist: found, shards" in caplog.text
    assert f"cifar10 is not in the data root {tmp_path}" in caplog.text


def test_a_download_without_a_root_is_a_message(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NBSRC_DATA", raising=False)
    with caplog.at_level(logging.INFO, "nbsrc"):
        assert main(["--download", "mnist"]) == 1
    assert "no data root is set" in caplog.text


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": np.zeros((2, 28, 28), np.uint8)},
        {"x": np.zeros((2, 28, 28)), "y": np.zeros(2, np.uint8)},
        {"x": np.zeros((2, 27, 28), np.uint8), "y": np.zeros(2, np.uint8)},
        {"x": np.zeros((2, 28, 28), np.uint8), "y": np.zeros(3, np.uint8)},
        {"x": np.zeros((2, 28, 28), np.uint8), "y": np.full(2, 10, np.uint8)},
        {"x": np.zeros((2, 28, 28), np.uint8), "y": np.zeros(2)},
    ],
)
def test_a_shard_that_holds_something_else_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    write_shards(tmp_path, "mnist")
    load_data("mnist", root=tmp_path)
    np.savez(tmp_path / "mnist_test.npz", **arrays)
    with pytest.raises(ValueError, match=r"mnist_test.npz must hold"):
        load_data("mnist", root=tmp_path)


def test_pickled_shards_are_refused(tmp_path: Path) -> None:
    write_shards(tmp_path, "mnist")
    objects = np.array([{}], dtype=object)
    np.savez(tmp_path / "mnist_test.npz", x=objects, y=np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_data("mnist", root=tmp_path)


def test_only_some_classes_renumbered_in_the_order_given() -> None:
    images = torch.arange(8.0).reshape(8, 1, 1, 1)
    labels = torch.tensor([7, 1, 3, 1, 7, 3, 1, 7])
    exact = torch.tensor([True, False, True, True, False, True, True, True])
    data = ImageData("mnist", images, labels, images + 10, labels.flip(0), exact)
    binary = data.only((1, 7))
    assert binary.train_images.flatten().tolist() == [0, 1, 3, 4, 6, 7]
    assert binary.train_labels.tolist() == [1, 0, 0, 1, 0, 1]
    assert binary.test_images.flatten().tolist() == [10, 11, 13, 14, 16, 17]
    assert binary.test_labels.tolist() == [1, 0, 1, 0, 0, 1]
    assert binary.test_exact is not None
    assert binary.test_exact.tolist() == [True, False, True, False, True, True]
    assert data.only([7, 3, 1]).train_labels.tolist() == [0, 2, 1, 2, 0, 1, 2, 0]
    assert data.only([3]).train_labels.tolist() == [0, 0]
    assert data.only([3]).train_labels.dtype == torch.int64
    assert data.train_labels is labels
    again = binary.only([1])  # of the new labels
    assert again.train_images.flatten().tolist() == [0, 4, 7]
    digits = load_digits()
    assert torch.equal(digits.only(range(10)).train_images, digits.train_images)
    assert digits.only([1]).test_exact is None


def test_classes_that_cannot_be_kept_are_named() -> None:
    data = load_digits()
    with pytest.raises(ValueError, match="classes must not be empty"):
        data.only([])
    with pytest.raises(ValueError, match=r"classes must be distinct, got \[1, 7, 1\]"):
        data.only((1, 7, 1))
    with pytest.raises(ValueError, match=r"digits has no train images of the classes \[10, -1\]"):
        data.only((1, 10, -1))
    few = data.first(test=1)
    other = (int(few.test_labels[0]) + 1) % 10
    with pytest.raises(ValueError, match=rf"digits has no test images of the classes \[{other}\]"):
        few.only([other])


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"name must be one of .* got 'svhn'"):
        load_data("svhn")
    with pytest.raises(ValueError, match="test_fraction must be between 0 and 1, got 1"):
        load_digits(test_fraction=1)
    with pytest.raises(ValueError, match="train must be between 1 and 1347, got 5000"):
        load_digits().first(train=5000)
