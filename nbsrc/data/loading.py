"""Loading a data set by its name."""

from __future__ import annotations

import os

from nbsrc.data.digits import load_digits
from nbsrc.data.errors import MissingDataError
from nbsrc.data.images import ImageData
from nbsrc.data.official import download as download_official
from nbsrc.data.official import load_official
from nbsrc.data.shards import load_shards
from nbsrc.data.sources import DATA_NAMES, data_root, find_layout, missing_message

__all__ = ["load_data"]


def load_data(
    name: str, *, root: str | os.PathLike[str] | None = None, download: bool = False, seed: int = 0
) -> ImageData:
    """Load a data set by name.

    All but the digits are looked for in the data root: first as compact shards (``.npz`` files of
    plain arrays; MNIST and CIFAR-10), then in torchvision's own layout. Nothing is downloaded
    unless asked for.

    Args:
        name: ``"digits"``, ``"mnist"``, ``"cifar10"``, ``"cifar100"`` (its 100 fine labels) or
            ``"svhn"`` (label 0 is the digit 0).
        root: The data root, by default the environment variable ``NBSRC_DATA``.
        download: Whether torchvision may download what is missing into the root.
        seed: Seed of the split of the digits; the others have an official split.

    Returns:
        The data.

    Raises:
        DamagedDataError: If a file is unreadable or holds something else; a ``ValueError``.
        MissingDataError: If the data set is not in the root and may not be, or cannot be,
            downloaded.
        ValueError: If the name is unknown.
    """
    if name not in DATA_NAMES:
        raise ValueError(f"name must be one of {DATA_NAMES}, got {name!r}")
    if name == "digits":
        return load_digits(seed=seed)
    folder = data_root(root)
    layout = find_layout(name, folder)
    if folder is None or (layout is None and not download):
        raise MissingDataError(missing_message(name, folder))
    if layout == "shards":
        return load_shards(name, folder)
    if layout is None:
        download_official(name, folder)
    return load_official(name, folder)
