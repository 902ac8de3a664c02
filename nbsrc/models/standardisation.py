"""Standardising every image inside the network, so that attacks work on images in [0, 1]."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

__all__ = ["Standardisation", "standardised"]


class Standardisation(nn.Module):
    """Gives every image mean 0 and variance 1, over all its pixels and channels.

    Roth et al. (2020, appendix 7.10) "standardize each image to have zero mean and unit variance
    when passing it to the classifier". This is TensorFlow's ``per_image_standardization``:
    ``(x - mean) / max(std, 1 / sqrt(N))`` for an image of N numbers, where the bound keeps constant
    images, which become 0. The gradient is finite there too, which TensorFlow's is not.

    The layer is not affine: a perturbation is scaled by about 1 / std, another factor for every
    image, and a network that begins with it is not piecewise linear.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Standardise a batch.

        Args:
            x: ``[batch, *image]``.

        Returns:
            The same shape.
        """
        flat = x.flatten(1)
        centred = flat - flat.mean(dim=1, keepdim=True)
        variance = centred.square().mean(dim=1, keepdim=True)
        scaled: Tensor = centred * variance.clamp(min=1 / flat.shape[1]).rsqrt()
        return scaled.view_as(x)


def standardised(model: nn.Module) -> nn.Sequential:
    """Put a :class:`Standardisation` before a network.

    The layers of an ``nn.Sequential`` keep their names; another network becomes the layer
    ``network``. The weights are shared, not copied.

    Args:
        model: The network.

    Returns:
        A network for images in [0, 1] with the same weights, in the same mode.

    Raises:
        ValueError: If the network standardises its images already.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if type(model) is nn.Sequential:
        layers.update(model.named_children())
    else:
        layers["network"] = model
    if any(isinstance(module, Standardisation) for module in model.modules()):
        raise ValueError("model standardises its images already")
    layers["standardise"] = Standardisation()
    layers.move_to_end("standardise", last=False)
    whole = nn.Sequential(layers)
    whole.training = model.training
    layers["standardise"].training = model.training
    return whole
