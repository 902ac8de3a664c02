"""Crops and flips against the same done image by image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nbsrc.training import CropAndFlip


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def candidates(image: Tensor, padding: int, *, flip: bool) -> list[Tensor]:
    """All results that one image may have."""
    height, width = image.shape[1:]
    padded = torch.nn.functional.pad(image, [padding] * 4)
    places = range(2 * padding + 1)
    crops = [padded[:, r : r + height, c : c + width] for r in places for c in places]
    return crops + [crop.flip(2) for crop in crops if flip]


@pytest.mark.parametrize(("padding", "flip"), [(1, True), (2, False), (0, True), (0, False)])
def test_every_result_is_a_crop_and_all_crops_occur(padding: int, flip: bool) -> None:
    image = 1 + torch.arange(2 * 4 * 3.0).reshape(2, 4, 3)
    batch = image.expand(1200, -1, -1, -1)
    results = CropAndFlip(padding, flip)(batch, seeded())
    possible = torch.stack(candidates(image, padding, flip=flip))
    equal = (results[:, None] == possible[None]).flatten(2).all(dim=2)
    assert (equal.sum(dim=1) == 1).all()
    shares = equal.double().mean(dim=0) * len(possible)
    assert shares.min() > 0.4  # uniform: about 1200 / 50 results each
    assert shares.max() < 1.8


def test_images_of_a_batch_differ_and_the_generator_decides() -> None:
    images = torch.rand(16, 3, 8, 8, generator=seeded())
    kept = images.clone()
    augment = CropAndFlip(2)
    first, again, other = (augment(images, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(images, kept)
    assert first.shape == images.shape
    assert first.dtype == images.dtype
    assert first.is_contiguous()
    assert augment(images.double(), seeded()).dtype == torch.float64


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="padding must be at least 0, got -1"):
        CropAndFlip(-1)
    with pytest.raises(ValueError, match=r"images must be \[n, channels, height, width\]"):
        CropAndFlip(1)(torch.zeros(2, 3, 3), seeded())
