"""From pixels to images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["as_images"]


def as_images(pixels: Any) -> Tensor:
    """Turn pixels into images.

    Args:
        pixels: uint8, ``[n, height, width]`` or ``[n, height, width, channels]``.

    Returns:
        Floats in [0, 1], ``[n, channels, height, width]``.
    """
    images = torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(255)
    return images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
