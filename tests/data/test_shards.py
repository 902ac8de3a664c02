"""Compact shards are read in order; damaged ones are one sentence with the way out."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nbsrc.data import DamagedDataError, ImageData, digests, load_data, shards
from nbsrc.data.digests import KNOWN_SHARDS, array_digest
from nbsrc.data.sources import SOURCES
from tests.data.files import write_shards


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
    with pytest.raises(DamagedDataError, match=r"mnist_test.npz must hold"):
        load_data("mnist", root=tmp_path)


def test_pickled_shards_are_refused(tmp_path: Path) -> None:
    write_shards(tmp_path, "mnist")
    objects = np.array([{}], dtype=object)
    np.savez(tmp_path / "mnist_test.npz", x=objects, y=np.zeros(1, np.uint8))
    with pytest.raises(DamagedDataError, match="allow_pickle"):
        load_data("mnist", root=tmp_path)


def test_which_images_are_exact_must_be_one_boolean_each(tmp_path: Path) -> None:
    write_shards(tmp_path, "cifar10")
    x, y = np.zeros((2, 32, 32, 3), np.uint8), np.zeros(2, np.uint8)
    for exact in (np.ones(3, bool), np.ones(2)):
        np.savez(tmp_path / "cifar10_test.npz", x=x, y=y, exact=exact)
        with pytest.raises(DamagedDataError, match="must hold one Boolean per image in exact"):
            load_data("cifar10", root=tmp_path)


def remember(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the shard's present content for the known one."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = [archive[key] for key in ("x", "y", "exact") if key in archive.files]
    known = {path.name: (len(arrays[0]), array_digest(arrays))}
    monkeypatch.setattr(shards, "KNOWN_SHARDS", {**KNOWN_SHARDS, **known})


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def no_archive(path: Path) -> None:
    path.write_text("404: not found")


def one_array(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.zeros((3, 28, 28), np.uint8))


def another_pixel(path: Path) -> None:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    arrays["x"][1, 5, 5] ^= 1
    np.savez(path, **arrays)


def flipped_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[700] ^= 1  # within the pixels
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder_in_an_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", "no array")
        archive.writestr("y.npy", "no array")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_off, "File is not a zip file"),
        (no_archive, "allow_pickle"),
        (one_array, "is damaged"),
        (another_pixel, r"SHA-256 [0-9a-f]{16}\.\.\., known "),
        (flipped_byte, "Bad CRC-32 for file"),
        (empty, "No data left in file"),
        (folder_in_an_archive, "must hold|magic"),
    ],
)
def test_a_damaged_shard_is_one_sentence_with_the_way_out(
    damage: Callable[[Path], None], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(tmp_path, "mnist")
    path = tmp_path / "mnist_train.npz"
    remember(path, monkeypatch)
    load_data("mnist", root=tmp_path)
    damage(path)
    with pytest.raises(DamagedDataError, match=reason) as caught:
        load_data("mnist", root=tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{path} ")
    assert message.endswith("remove it and run python -m nbsrc data fetch mnist")
    assert "\n" not in message


def test_whatever_byte_is_damaged_the_data_are_refused_or_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(tmp_path, "mnist", per_shard=1)
    path = tmp_path / "mnist_train.npz"
    remember(path, monkeypatch)
    whole = path.read_bytes()
    expected = shards.read_shard(path, "mnist")
    rng = np.random.default_rng(0)
    refused = 0
    heads = [*range(140), *range(len(whole) - 330, len(whole))]  # of the archive and the arrays
    for position in [*heads, *rng.integers(0, len(whole), 150).tolist()]:
        content = bytearray(whole)
        content[position] ^= int(rng.integers(1, 256))
        path.write_bytes(content)
        try:
            found = shards.read_shard(path, "mnist")
        except DamagedDataError:
            refused += 1
        else:
            assert all(np.array_equal(found[key], expected[key]) for key in ("x", "y"))
    assert refused > 300
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedDataError):
            shards.read_shard(path, "mnist")


def test_a_shard_of_another_size_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_shards(tmp_path, "mnist")
    with caplog.at_level(logging.WARNING, "nbsrc"):
        data = load_data("mnist", root=tmp_path)
    assert len(data.train_images) == 3
    assert "mnist_train.npz: 3 images, not the known 60000" in caplog.text


def test_every_shard_is_known_and_of_the_published_size() -> None:
    for name, total in {"mnist": (60000, 10000), "cifar10": (50000, 10000)}.items():
        for part, number in zip(SOURCES[name].shards, total, strict=True):
            assert sum(digests.KNOWN_SHARDS[file][0] for file in part) == number
    assert len({digest for _, digest in KNOWN_SHARDS.values()}) == 8
    assert all(len(source.shards[0]) in {0, 1, 5} for source in SOURCES.values())


def test_labels_and_images_stay_together(tmp_path: Path) -> None:
    write_shards(tmp_path, "mnist", per_shard=5)
    data = load_data("mnist", root=tmp_path)
    assert isinstance(data, ImageData)
    with np.load(tmp_path / "mnist_test.npz", allow_pickle=False) as shard:
        assert data.test_labels.tolist() == shard["y"].tolist()
        assert torch.equal(data.test_images[:, 0] * 255, torch.from_numpy(shard["x"]).float())
