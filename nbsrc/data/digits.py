"""scikit-learn's digits."""

from __future__ import annotations

import numpy as np
import torch

from nbsrc.data.images import ImageData

__all__ = ["load_digits"]


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
