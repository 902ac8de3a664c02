"""The data sets that lie in the data root: which files, in which layout, and where the root is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DATA_NAMES", "SOURCES", "Source", "data_root", "find_layout", "missing_message"]


@dataclass(frozen=True)
class Source:
    """The files of one data set.

    Attributes:
        title: Its name in sentences.
        image: Shape of one image in the files.
        classes: Number of labels.
        shards: Files of the compact shards, of training and of test images; none if there are no
            shards of this data set.
        loader: Name of torchvision's class.
        folder: Where torchvision's files lie in the data root.
        files: Their names.
    """

    title: str
    image: tuple[int, ...]
    classes: int
    shards: tuple[tuple[str, ...], tuple[str, ...]]
    loader: str
    folder: str
    files: tuple[str, ...]

    def paths(self, layout: str, root: Path) -> list[Path]:
        """Return the files that the data set consists of.

        Args:
            layout: ``"shards"`` or ``"torchvision"``.
            root: The data root.

        Returns:
            Their paths, whether they exist or not.
        """
        if layout == "shards":
            return [root / shard for part in self.shards for shard in part]
        return [root / self.folder / name for name in self.files]


_IDX = tuple(
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")
_CIFAR_TRAIN = tuple(f"cifar10_train_{number}.npz" for number in range(5))
#: The data sets besides the digits, which come with scikit-learn.
SOURCES: Mapping[str, Source] = {
    "mnist": Source(
        "MNIST", (28, 28), 10, (("mnist_train.npz",), ("mnist_test.npz",)),
        "MNIST", "MNIST/raw", _IDX,
    ),
    "cifar10": Source(
        "CIFAR-10", (32, 32, 3), 10, (_CIFAR_TRAIN, ("cifar10_test.npz",)),
        "CIFAR10", "cifar-10-batches-py", _BATCHES,
    ),
    "cifar100": Source(
        "CIFAR-100", (32, 32, 3), 100, ((), ()),
        "CIFAR100", "cifar-100-python", ("train", "test", "meta"),
    ),
    "svhn": Source(
        "SVHN", (32, 32, 3), 10, ((), ()),
        "SVHN", "", ("train_32x32.mat", "test_32x32.mat"),
    ),
}  # fmt: skip
#: The names that :func:`nbsrc.data.load_data` knows.
DATA_NAMES: tuple[str, ...] = ("digits", *SOURCES)


def data_root(root: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the data root.

    Args:
        root: The root, None for that of the environment variable ``NBSRC_DATA``.

    Returns:
        Its path, None if none is set.
    """
    given = os.environ.get("NBSRC_DATA") if root is None else root
    return Path(given) if given else None


def find_layout(name: str, root: Path | None) -> str | None:
    """Say how a data set lies in a root, without reading it.

    Args:
        name: One of ``DATA_NAMES`` but ``"digits"``.
        root: The data root, or None.

    Returns:
        ``"shards"``, ``"torchvision"``, or None if it is not there or not all of its files are.
    """
    if root is None:
        return None
    source = SOURCES[name]
    for layout in ("shards", "torchvision"):
        paths = source.paths(layout, root)
        if paths and all(path.is_file() for path in paths):
            return layout
    return None


def missing_message(name: str, root: Path | None) -> str:
    """Say that a data set is not there, and what to do.

    Args:
        name: One of ``DATA_NAMES`` but ``"digits"``.
        root: The data root, or None.

    Returns:
        A message that names the root, the files and the command.
    """
    source = SOURCES[name]
    fetch = f"python -m nbsrc data fetch {name}"
    shards = ", ".join(shard for part in source.shards for shard in part)
    put = f"put {shards} there, or " if shards else ""
    if root is None:
        return (
            f"{name} is not available: no data root is set (NBSRC_DATA). Set it to a folder, then "
            f"{put}let torchvision download it: {fetch} --root FOLDER"
        )
    where = f"{name} is not in the data root {root}"
    for layout in ("shards", "torchvision"):
        paths = source.paths(layout, root)
        absent = [path for path in paths if not path.is_file()]
        if 0 < len(absent) < len(paths):
            names = ", ".join(str(path.relative_to(root)) for path in absent)
            where = f"{name} in the data root {root} is incomplete: {names} is not there"
            break
    put = put[:1].upper() + put[1:]
    way = "let torchvision download it" if put else "Let torchvision download it"
    return f"{where}. {put}{way}: {fetch} --root {root}"
