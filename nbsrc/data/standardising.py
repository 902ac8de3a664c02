"""Images of mean 0 and variance 1, made once and for all."""

from __future__ import annotations

from dataclasses import replace

from nbsrc.data.images import ImageData
from nbsrc.models.standardisation import Standardisation

__all__ = ["standardised_data"]


def standardised_data(data: ImageData) -> ImageData:
    """Give every image mean 0 and variance 1, over all its pixels and channels.

    The formula is that of :class:`nbsrc.models.Standardisation`. Where a network begins with that
    layer, radii are in pixels; here the network sees the new images, so that radii, norms and
    Jacobians are in the space of standardised images: there N numbers have norm ``sqrt(N)``.

    Args:
        data: Images in [0, 1].

    Returns:
        Data of the same name, with images that have no bounds.

    Raises:
        ValueError: If the images are standardised already.

    Example:
        >>> from nbsrc.data import load_data
        >>> found = standardised_data(load_data("digits").first(2, 2)).test_images
        >>> [round(float(image.norm()), 4) for image in found]
        [8.0, 8.0]
    """
    if data.standardised:
        raise ValueError(f"the images of {data.name} are standardised already")
    layer = Standardisation()
    return replace(
        data,
        train_images=layer(data.train_images),
        test_images=layer(data.test_images),
        standardised=True,
    )
