"""Training and test images with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nbsrc.data.digests import array_digest

__all__ = ["ImageData"]


@dataclass(frozen=True)
class ImageData:
    """Images as float tensors, ``[n, channels, height, width]``, and integer labels.

    Images are in [0, 1], unless they are standardised.

    Attributes:
        name: Name of the data set, for one ``"digits"``.
        train_images: Training images.
        train_labels: Training labels, 0, 1, ...
        test_images: Test images.
        test_labels: Test labels.
        test_exact: For CIFAR-10 from compact shards: which test images are bit-exact.
        standardised: Whether every image has mean 0 and variance 1,
            see :func:`nbsrc.data.standardised_data`.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    test_exact: Tensor | None = None
    standardised: bool = False

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

    def checksum(self) -> dict[str, Any]:
        """Say exactly which numbers these are, for a record of where results come from.

        The digests are computed once; the tensors are taken to stay as they are.

        Returns:
            ``name``; under ``train`` and ``test`` the number of ``images`` and the ``sha256`` of
            images and labels as they are here; and with ``test_exact`` how many test images are
            ``exact``; and ``standardised`` if they are. All values are plain.
        """
        return {key: dict(v) if isinstance(v, dict) else v for key, v in self._checksum.items()}

    @cached_property
    def _checksum(self) -> dict[str, Any]:
        parts = {
            "train": (self.train_images, self.train_labels),
            "test": (self.test_images, self.test_labels),
        }
        found: dict[str, Any] = {"name": self.name}
        for part, tensors in parts.items():
            digest = array_digest(tensor.detach().cpu().numpy() for tensor in tensors)
            found[part] = {"images": len(tensors[0]), "sha256": digest}
        if self.standardised:
            found["standardised"] = True
        if self.test_exact is not None:
            found["test"]["exact"] = int(self.test_exact.sum())
        return found


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
