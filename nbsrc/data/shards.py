"""Compact shards: zip archives of plain arrays (``.npz``), checked before they are used."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nbsrc.data.digests import KNOWN_SHARDS, array_digest
from nbsrc.data.errors import UNREADABLE, DamagedDataError, first_line
from nbsrc.data.images import ImageData
from nbsrc.data.pixels import as_images
from nbsrc.data.sources import SOURCES

__all__ = ["load_shards", "problem_of", "read_shard", "unlike_known"]

Arrays = dict[str, npt.NDArray[Any]]
log = logging.getLogger(__name__)


def load_shards(name: str, root: Path) -> ImageData:
    """Read a data set from its compact shards.

    Args:
        name: Name of a data set that has shards.
        root: The data root.

    Returns:
        The data.

    Raises:
        DamagedDataError: If a shard is unreadable or holds something else.
    """
    train, test = (
        [read_shard(root / shard, name) for shard in part] for part in SOURCES[name].shards
    )
    exact = torch.from_numpy(test[0]["exact"]) if "exact" in test[0] else None
    (x, y), (x_test, y_test) = (
        (
            as_images(np.concatenate([shard["x"] for shard in part])),
            torch.from_numpy(np.concatenate([shard["y"] for shard in part])).long(),
        )
        for part in (train, test)
    )
    return ImageData(name, x, y, x_test, y_test, exact)


def read_shard(path: Path, name: str) -> Arrays:
    """Read a shard and check that it is one of the data set.

    A known shard must hold the known images. One with another number of images is none of them:
    it is read, and a warning is logged.

    Args:
        path: The file.
        name: Name of the data set.

    Returns:
        The arrays ``x``, ``y`` and, if there, ``exact``.

    Raises:
        DamagedDataError: If the file is unreadable or holds something else.
    """
    wrong = f"{path} is damaged or no shard of {name}"
    way = f"replace it by a whole copy, or remove it and run python -m nbsrc data fetch {name}"
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = [key for key in ("x", "y", "exact") if key in archive.files]
            # A damaged array comes as bytes.
            found = {key: np.asarray(archive[key]) for key in keys}
    except UNREADABLE as error:
        raise DamagedDataError(f"{wrong} ({first_line(error)}): {way}") from error
    problem = problem_of(found, name)
    if problem is not None:
        raise DamagedDataError(f"{path} must hold {problem}: {way}")
    other = unlike_known(path.name, list(found.values()), path)
    if other is not None:
        raise DamagedDataError(f"{wrong} ({other}): {way}")
    return found


def unlike_known(file: str, arrays: list[npt.NDArray[Any]], path: Path) -> str | None:
    """Compare arrays with those of a known shard; another number of images is only a warning.

    Args:
        file: Name of the shard.
        arrays: Images, labels, and which are exact, if that is known.
        path: Where they are from.

    Returns:
        What is different, None if nothing is, the shard is not known, or the number differs.
    """
    if file not in KNOWN_SHARDS:
        return None
    number, digest = KNOWN_SHARDS[file]
    if len(arrays[0]) != number:
        log.warning("%s: %d images, not the known %d", path, len(arrays[0]), number)
        return None
    found = array_digest(arrays)
    return None if found == digest else f"SHA-256 {found[:16]}..., known {digest[:16]}..."


def problem_of(arrays: Arrays, name: str) -> str | None:
    """Say what arrays should be but are not.

    Args:
        arrays: Pixels ``x``, labels ``y`` and perhaps ``exact``.
        name: Name of the data set.

    Returns:
        Words, None if they are of the right form.
    """
    source = SOURCES[name]
    x, y, exact = (arrays.get(key) for key in ("x", "y", "exact"))
    if (
        x is None or y is None or x.dtype != np.uint8 or x.shape[1:] != source.image
        or not len(x) or y.shape != x.shape[:1]
    ):  # fmt: skip
        sides = ", ".join(map(str, source.image))
        return f"uint8 images x of shape (n, {sides}) and n labels y"
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= source.classes:
        return f"integer labels y from 0 to {source.classes - 1}"
    if exact is not None and (exact.dtype != np.bool_ or exact.shape != y.shape):
        return "one Boolean per image in exact"
    return None
