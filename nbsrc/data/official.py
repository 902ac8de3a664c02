"""The official files, read and downloaded by torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nbsrc.data.errors import UNREADABLE, DamagedDataError, MissingDataError, first_line
from nbsrc.data.images import ImageData
from nbsrc.data.pixels import as_images
from nbsrc.data.shards import problem_of, unlike_known
from nbsrc.data.sources import SOURCES
from nbsrc.torchvision_compat import torchvision_datasets

__all__ = ["download", "load_official"]

Arrays = dict[str, npt.NDArray[Any]]


def load_official(name: str, root: Path) -> ImageData:
    """Read a data set from its official files.

    torchvision checks the files of CIFAR and SVHN against their published checksums; those of
    MNIST, of which it checks only that they exist, are checked here.

    Args:
        name: One of ``DATA_NAMES`` but ``"digits"``.
        root: The data root.

    Returns:
        The data.

    Raises:
        DamagedDataError: If a file is unreadable or holds something else.
    """
    source = SOURCES[name]
    folder = f"the folder {root / source.folder}" if source.folder else " and ".join(source.files)
    way = f"remove {folder} and run python -m nbsrc data fetch {name} --root {root}"
    parts = []
    for train in (True, False):
        try:
            arrays = _read(name, root, train=train)
        except UNREADABLE as error:
            raise DamagedDataError(
                f"{source.title} in {root} is damaged ({first_line(error)}): {way}"
            ) from error
        problem = problem_of(arrays, name)
        if problem is not None:
            raise DamagedDataError(f"{source.title} in {root} must hold {problem}: {way}")
        if name == "mnist":
            files = source.shards[0 if train else 1]
            pair = [arrays["x"], arrays["y"].astype(np.uint8)]
            other = unlike_known(files[0], pair, root / source.folder)
            if other is not None:
                raise DamagedDataError(f"{source.title} in {root} is damaged ({other}): {way}")
        parts.append((as_images(arrays["x"]), torch.from_numpy(arrays["y"]).long()))
    (x, y), (x_test, y_test) = parts
    return ImageData(name, x, y, x_test, y_test)


def download(name: str, root: Path) -> None:
    """Let torchvision download the official files into the data root.

    Args:
        name: One of ``DATA_NAMES`` but ``"digits"``.
        root: The data root; the folder is made if it does not exist.

    Raises:
        MissingDataError: If that fails.
    """
    try:
        for train in (True, False):
            _loaded(name, root, train=train, download=True)
    except UNREADABLE as error:
        raise MissingDataError(
            f"{SOURCES[name].title} could not be downloaded to {root}: {first_line(error)}. Check "
            "the connection and run the command again, or copy the files there"
        ) from error


def _loaded(name: str, root: Path, *, train: bool, download: bool = False) -> Any:
    """Return torchvision's data set."""
    loader = getattr(torchvision_datasets(), SOURCES[name].loader)
    part = {"split": "train" if train else "test"} if name == "svhn" else {"train": train}
    return loader(str(root), download=download, **part)


def _read(name: str, root: Path, *, train: bool) -> Arrays:
    """Return pixels ``x`` and labels ``y`` as the shards have them."""
    found = _loaded(name, root, train=train)
    pixels = np.asarray(found.data)
    if name == "svhn":
        return {"x": pixels.transpose(0, 2, 3, 1), "y": np.asarray(found.labels)}
    return {"x": pixels, "y": np.asarray(found.targets)}
