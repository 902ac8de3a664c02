"""Random crops and flips of a whole batch at once, on the device where the images are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from nbsrc.models.standardisation import Standardisation

__all__ = ["Augmentation", "CropAndFlip"]

#: Called as ``augmentation(images, generator)`` with a batch ``[n, channels, height, width]`` and
#: the loop's own generator on the CPU; returns images of the same shape.
Augmentation: TypeAlias = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class CropAndFlip:
    """The usual augmentation of CIFAR: zeros around the image, a random crop, a random flip.

    Attributes:
        padding: Zeros at every border; the crop has the size of the image.
        flip: Whether half of the images are mirrored, left to right.
        standardise: Whether the result is given mean 0 and variance 1 again, for images that are
            standardised. As standardising forgets an affine map of the pixels, this is cropping
            first and standardising then, but for the padding: it has the image's mean colour where
            padding before standardising would have black.
    """

    padding: int = 4
    flip: bool = True
    standardise: bool = False

    def __post_init__(self) -> None:
        """Check the padding.

        Raises:
            ValueError: If it is negative.
        """
        if self.padding < 0:
            raise ValueError(f"padding must be at least 0, got {self.padding}")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Crop and flip.

        Args:
            images: ``[n, channels, height, width]``.
            generator: Source of the crops and flips, on the CPU; the images may lie elsewhere.

        Returns:
            New images of the same shape.

        Raises:
            ValueError: If the images have not four dimensions.
        """
        if images.ndim != 4:
            raise ValueError(f"images must be [n, channels, height, width], got {images.shape}")
        number, _, height, width = images.shape
        offsets = torch.randint(2 * self.padding + 1, (2, number, 1), generator=generator)
        rows, columns = offsets[0] + torch.arange(height), offsets[1] + torch.arange(width)
        if self.flip:
            mirrored = torch.randint(2, (number, 1), generator=generator).bool()
            columns = torch.where(mirrored, columns.flip(1), columns)
        chosen = [
            torch.arange(number)[:, None, None], rows[:, :, None], columns[:, None, :],
        ]  # fmt: skip
        padded = F.pad(images, [self.padding] * 4).permute(0, 2, 3, 1)
        taken = padded[tuple(index.to(images.device) for index in chosen)]
        changed = taken.permute(0, 3, 1, 2).contiguous()
        return Standardisation()(changed) if self.standardise else changed
