"""Image data: scikit-learn's digits, which need no download, and MNIST and CIFAR-10 if present."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbsrc.torchvision_compat import torchvision_datasets

__all__ = ["DATA_NAMES", "ImageData", "MissingDataError", "load_data", "load_digits", "main"]

log = logging.getLogger(__name__)

DATA_NAMES = ("digits", "mnist", "cifar10")
_SHARDS = {
    "mnist": (("mnist_train.npz",), ("mnist_test.npz",)),
    "cifar10": (tuple(f"cifar10_train_{i}.npz" for i in range(5)), ("cifar10_test.npz",)),
}
_TORCHVISION = {"mnist": ("MNIST", "MNIST/raw"), "cifar10": ("CIFAR10", "cifar-10-batches-py")}


class MissingDataError(FileNotFoundError):
    """A data set is not in the data root; the message names the root and the command."""


@dataclass(frozen=True)
class ImageData:
    """Images as float tensors in [0, 1], ``[n, channels, height, width]``, and integer labels.

    Attributes:
        name: ``"digits"``, ``"mnist"`` or ``"cifar10"``.
        train_images: Training images.
        train_labels: Training labels, 0 to 9.
        test_images: Test images.
        test_labels: Test labels.
        test_exact: For CIFAR-10 from compact shards: which test images are bit-exact.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    test_exact: Tensor | None = None

    def first(self, train: int | None = None, test: int | None = None) -> ImageData:
        """Return the first images of either part, all of them for None.

        Args:
            train: Number of training images to keep.
            test: Number of test images to keep.

        Returns:
            Data of the same name.

        Raises:
            ValueError: If fewer images than asked for exist, or a number is below 1.
        """
        for label, wanted, images in (
            ("train", train, self.train_images),
            ("test", test, self.test_images),
        ):
            if wanted is not None and not 1 <= wanted <= len(images):
                raise ValueError(f"{label} must be between 1 and {len(images)}, got {wanted}")
        exact = None if self.test_exact is None else self.test_exact[:test]
        return replace(
            self,
            train_images=self.train_images[:train],
            train_labels=self.train_labels[:train],
            test_images=self.test_images[:test],
            test_labels=self.test_labels[:test],
            test_exact=exact,
        )

    def only(self, classes: Sequence[int]) -> ImageData:
        """Return the images with some labels, which are renumbered 0, 1, ... in the order given.

        The images stay in their order. ``only((1, 7))`` makes of MNIST the ones (label 0) against
        the sevens (label 1).

        Args:
            classes: The labels to keep.

        Returns:
            Data of the same name.

        Raises:
            ValueError: If no label is given, one twice, or one that either part has no image of.
        """
        wanted = [int(label) for label in classes]
        if not wanted:
            raise ValueError("classes must not be empty")
        if len(set(wanted)) < len(wanted):
            raise ValueError(f"classes must be distinct, got {wanted}")
        train, test = (
            _positions(labels, wanted, f"{self.name} has no {part} images")
            for part, labels in (("train", self.train_labels), ("test", self.test_labels))
        )
        exact = None if self.test_exact is None else self.test_exact[test.any(dim=1)]
        return replace(
            self,
            train_images=self.train_images[train.any(dim=1)],
            train_labels=train[train.any(dim=1)].long().argmax(dim=1),
            test_images=self.test_images[test.any(dim=1)],
            test_labels=test[test.any(dim=1)].long().argmax(dim=1),
            test_exact=exact,
        )


def _positions(labels: Tensor, wanted: Sequence[int], message: str) -> Tensor:
    """Return which label is which of the wanted ones, ``[labels, wanted]``.

    Raises:
        ValueError: If one does not occur.
    """
    equal = labels[:, None] == torch.tensor(wanted, device=labels.device)
    missing = [c for c, found in zip(wanted, equal.any(dim=0).tolist(), strict=True) if not found]
    if missing:
        raise ValueError(f"{message} of the classes {missing}")
    return equal


def load_digits(*, seed: int = 0, test_fraction: float = 0.25) -> ImageData:
    """Load scikit-learn's digits, 1,797 images of 8x8 pixels, split by class.

    Args:
        seed: Seed of the split and of the order of the images.
        test_fraction: Share of the images of every class that is kept for the test.

    Returns:
        The data, the same for the same arguments.

    Raises:
        ValueError: If ``test_fraction`` is not between 0 and 1.
    """
    from sklearn.datasets import load_digits as sklearn_digits
    from sklearn.model_selection import train_test_split

    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must be between 0 and 1, got {test_fraction}")
    images, labels = sklearn_digits(return_X_y=True)
    chosen = train_test_split(
        np.arange(len(labels)), test_size=test_fraction, stratify=labels, random_state=seed
    )
    x = torch.from_numpy(images).float().div(16).reshape(-1, 1, 8, 8)
    y = torch.from_numpy(labels).long()
    train, test = (torch.from_numpy(part) for part in chosen)
    return ImageData("digits", x[train], y[train], x[test], y[test])


def load_data(
    name: str, *, root: str | os.PathLike[str] | None = None, download: bool = False, seed: int = 0
) -> ImageData:
    """Load a data set by name.

    MNIST and CIFAR-10 are looked for in the data root: first as compact shards (``.npz`` files of
    plain arrays), then in torchvision's own layout. Nothing is downloaded unless asked for.

    Args:
        name: ``"digits"``, ``"mnist"`` or ``"cifar10"``.
        root: The data root, by default the environment variable ``NBSRC_DATA``.
        download: Whether torchvision may download what is missing into the root.
        seed: Seed of the split of the digits; the others have an official split.

    Returns:
        The data.

    Raises:
        MissingDataError: If the data set is not in the root and may not be downloaded.
        ValueError: If the name is unknown or a shard holds something else.
    """
    if name not in DATA_NAMES:
        raise ValueError(f"name must be one of {DATA_NAMES}, got {name!r}")
    if name == "digits":
        return load_digits(seed=seed)
    folder = _data_root(root)
    layout = find_layout(name, folder)
    if layout == "shards" and folder is not None:
        return _load_shards(name, folder)
    if folder is None or (layout is None and not download):
        raise MissingDataError(_missing(name, folder))
    return _load_torchvision(name, folder, download and layout is None)


def find_layout(name: str, root: Path | None) -> str | None:
    """Say how a data set lies in a root, without reading it.

    Args:
        name: ``"mnist"`` or ``"cifar10"``.
        root: The data root, or None.

    Returns:
        ``"shards"``, ``"torchvision"``, or None if it is not there.
    """
    if root is None:
        return None
    if all((root / shard).is_file() for part in _SHARDS[name] for shard in part):
        return "shards"
    return "torchvision" if (root / _TORCHVISION[name][1]).is_dir() else None


def main(argv: Sequence[str]) -> int:
    """Log which data sets are found where; download one if asked (``python -m nbsrc data``).

    Args:
        argv: The command's arguments.

    Returns:
        The exit status: 1 if a download failed, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m nbsrc data", description=__doc__)
    parser.add_argument("--root", help="data root (default: the environment variable NBSRC_DATA)")
    parser.add_argument("--download", action="append", default=[], choices=sorted(_SHARDS))
    options = parser.parse_args(argv)
    for name in options.download:
        try:
            load_data(name, root=options.root, download=True)
        except (OSError, RuntimeError, ValueError) as error:
            log.error("%s: %s", name, error)  # noqa: TRY400 - a message, not a traceback
            return 1
    folder = _data_root(options.root)
    log.info("data root: %s", folder or "not set (environment variable NBSRC_DATA or --root)")
    log.info("digits: part of scikit-learn, always there")
    for name in _SHARDS:
        layout = find_layout(name, folder)
        log.info("%s: %s", name, _missing(name, folder) if layout is None else f"found, {layout}")
    return 0


def _data_root(root: str | os.PathLike[str] | None) -> Path | None:
    """Return the data root from the argument or the environment."""
    given = os.environ.get("NBSRC_DATA") if root is None else root
    return Path(given) if given else None


def _missing(name: str, root: Path | None) -> str:
    """Return a message that names the root and what to do."""
    where = f"in the data root {root}" if root else "available: no data root is set (NBSRC_DATA)"
    shards = ", ".join(shard for part in _SHARDS[name] for shard in part)
    return (
        f"{name} is not {where}. Put {shards} there, or let torchvision download it: "
        f"python -m nbsrc data --root {root or 'FOLDER'} --download {name}"
    )


def _load_shards(name: str, root: Path) -> ImageData:
    """Return a data set from its compact shards."""
    train, test = ([_read_shard(root / shard, name) for shard in part] for part in _SHARDS[name])
    exact = torch.from_numpy(test[0]["exact"]) if "exact" in test[0] else None
    parts = [
        (_as_images(np.concatenate([s["x"] for s in p])), np.concatenate([s["y"] for s in p]))
        for p in (train, test)
    ]
    (x, y), (x_test, y_test) = [(x, torch.from_numpy(y).long()) for x, y in parts]
    return ImageData(name, x, y, x_test, y_test, exact)


def _read_shard(path: Path, name: str) -> dict[str, Any]:
    """Return a shard's arrays, checked.

    Raises:
        ValueError: If the arrays are not those of the data set.
    """
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    shape = (28, 28) if name == "mnist" else (32, 32, 3)
    x, y = arrays.get("x"), arrays.get("y")
    if x is None or y is None or x.dtype != np.uint8 or x.shape[1:] != shape or len(x) != len(y):
        raise ValueError(f"{path} must hold uint8 images x of shape (n, {shape}) and n labels y")
    if y.ndim != 1 or not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() > 9:
        raise ValueError(f"{path} must hold integer labels y from 0 to 9")
    return arrays


def _load_torchvision(name: str, root: Path, download: bool) -> ImageData:
    """Return a data set from torchvision's layout; torchvision checks the files' checksums."""
    source = getattr(torchvision_datasets(), _TORCHVISION[name][0])
    parts = [source(str(root), train=train, download=download) for train in (True, False)]
    (x, y), (x_test, y_test) = [
        (_as_images(np.asarray(part.data)), torch.as_tensor(part.targets)) for part in parts
    ]
    return ImageData(name, x, y, x_test, y_test)


def _as_images(pixels: Any) -> Tensor:
    """Return uint8 pixels ``[n, h, w]`` or ``[n, h, w, c]`` as floats ``[n, c, h, w]``."""
    images = torch.from_numpy(np.ascontiguousarray(pixels)).float().div(255)
    return images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
