"""SHA-256 digests of arrays, and those of the known files of compact shards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["KNOWN_SHARDS", "array_digest"]


def array_digest(arrays: Iterable[npt.NDArray[Any]]) -> str:
    """Return the SHA-256 of the types, shapes and values of arrays.

    Args:
        arrays: The arrays; their order counts, their layout in memory does not.

    Returns:
        Sixty-four hexadecimal digits, the same on every machine.
    """
    sha = hashlib.sha256()
    for array in arrays:
        plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        sha.update(f"{plain.dtype.name} {array.shape}\n".encode())
        sha.update(plain.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


#: By file: the number of images, and the digest of images ``x``, labels ``y``, and ``exact`` if the
#: shard marks which images are bit-exact. The digests of MNIST are also those of the official
#: files.
KNOWN_SHARDS: Mapping[str, tuple[int, str]] = {
    "cifar10_test.npz": (
        10000,
        "bde535caa206c9d4bae776015125e69a701d42636eb004aff8870438ac205533",
    ),
    "cifar10_train_0.npz": (
        10000,
        "e1f48b2c36852712e8c26ec5d705bd5f10c51167c3d86325ed0ea06f3eb33ff9",
    ),
    "cifar10_train_1.npz": (
        10000,
        "8ac4efca28a931817678fa3eda0c88032522fa92d64acda994e2fad910b8e29f",
    ),
    "cifar10_train_2.npz": (
        10000,
        "692b8b0ca8607ae65188210b0ca881c6a6b7f7e00374e90eb87245e20bd83162",
    ),
    "cifar10_train_3.npz": (
        10000,
        "b4cb3486c24417703ed7d4d3db03995e2af45ff152a5bb86c26ce269920fe9ec",
    ),
    "cifar10_train_4.npz": (
        10000,
        "a97df3c191b65cefdfb009f6f8e815460e0f43b9ab531e41c406fc94dde6fc75",
    ),
    "mnist_test.npz": (
        10000,
        "0f35bf2d481dbd28cbc986f6d44e7392c55ab67830bd5310e84b33e07811caec",
    ),
    "mnist_train.npz": (
        60000,
        "b8ae69637ba7679583e7443f30a2812919997f6821c54b2d04bc2e09367171a8",
    ),
}
