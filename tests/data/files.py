"""Files as the data sets have them, with few images."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from nbsrc.torchvision_compat import torchvision_datasets


def pixels(number: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (number, *shape)).astype(np.uint8)


def write_shards(root: Path, name: str, per_shard: int = 3) -> None:
    """Compact shards."""
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


def write_mnist(root: Path, number: int = 2) -> np.ndarray:
    """The four files of MNIST; labels 3, 4, ..."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    x = pixels(number, 28, 28)
    for part in ("train", "t10k"):
        head = np.array([0x803, number, 28, 28], dtype=">u4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + x.tobytes())
        head = np.array([0x801, number], dtype=">u4").tobytes()
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(head + bytes(range(3, 3 + number)))
    return x


def write_cifar(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> dict[str, np.ndarray]:
    """Pickled batches whose checksums torchvision then takes for the published ones."""
    loader = getattr(torchvision_datasets(), name.upper())
    folder = root / loader.base_folder
    folder.mkdir(parents=True)
    key = "labels" if name == "cifar10" else "fine_labels"
    written = {}
    for attribute in ("train_list", "test_list"):
        entries = []
        for position, (file, _) in enumerate(getattr(loader, attribute)):
            x = pixels(3 + position, 32, 32, 3)
            written[file] = x
            flat = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
            labels = [(position + i) % (10 if name == "cifar10" else 100) for i in range(len(x))]
            entries.append([file, _pickled(folder / file, {"data": flat, key: labels})])
        monkeypatch.setattr(loader, attribute, entries)
    meta = dict(loader.meta)
    names = {meta["key"]: [str(i) for i in range(100)]}
    meta["md5"] = _pickled(folder / meta["filename"], names)
    monkeypatch.setattr(loader, "meta", meta)
    return written


def write_svhn(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """MATLAB files; the digit 0 has the label 10 in them."""
    loader = torchvision_datasets().SVHN
    entries, written = dict(loader.split_list), {}
    for part, number in (("train", 4), ("test", 3)):
        url, file, _ = entries[part]
        written[part] = pixels(number, 32, 32, 3)
        labels = np.array([10, 1, 9, 2][:number], dtype=np.uint8)[:, None]
        savemat(root / file, {"X": written[part].transpose(1, 2, 3, 0), "y": labels})
        entries[part] = [url, file, _md5((root / file).read_bytes())]
    monkeypatch.setattr(loader, "split_list", entries)
    return written


def _pickled(path: Path, content: dict[str, Any]) -> str:
    path.write_bytes(pickle.dumps(content))
    return _md5(path.read_bytes())


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
