"""Spectral normalisation to a bound at the end of every epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.bracket import Bracket
from nbsrc.conv import Geometry
from nbsrc.conv.axis import Axis
from nbsrc.conv.spectral import geometry_spectral_norm
from nbsrc.regularizers._arguments import check_number
from nbsrc.regularizers.interface import Regularizer
from nbsrc.regularizers.layers import WeightLayer

__all__ = ["SpectralBound", "layer_spectral_norm"]


@dataclass(frozen=True, eq=False)
class SpectralBound(Regularizer):
    r"""Scale each layer to a spectral norm of at most a bound, after every epoch.

    .. math:: W \leftarrow \min(1, c/\|W\|_2)\,W

    Wen, Li & Jia (2020), Appendix B.3 and D.3: "we clip the spectral norm every epoch". They also
    say that it is renormalised to a designated value; ``always=True`` multiplies by
    :math:`c/\|W\|_2` where that is larger than 1, too. Scaling keeps the direction of W, unlike
    :class:`nbsrc.regularizers.SingularValueClipping`. The norm is that of the layer as a linear
    map at its input size, with its stride and padding; the bound holds up to the rounding of the
    scaled weights. Biases are not touched.

    Attributes:
        layers: The layers, see :func:`nbsrc.regularizers.weight_layers`.
        bound: c, greater than 0.
        always: Whether smaller norms are scaled up to the bound.
        certified: Whether to divide by a proven upper value of the norm; else by what Lanczos
            iterations found, which takes a fraction of the time for large layers and may be a
            little too small.
        rtol: Relative accuracy of the norm.

    Example:
        >>> from nbsrc.regularizers import weight_layers
        >>> net = nn.Linear(2, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        >>> SpectralBound(weight_layers(net, (1, 2)), 1.5).after_epoch(net)
        >>> net.weight.data
        tensor([[1.5000, 0.0000],
                [0.0000, 0.5000]])
    """

    layers: tuple[WeightLayer, ...]
    bound: float
    always: bool = False
    certified: bool = True
    rtol: float = 1e-6

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            NotImplementedError: If the norm of a layer is not implemented.
            ValueError: If a setting is out of range.
        """
        object.__setattr__(self, "layers", tuple(self.layers))
        check_number("bound", self.bound, strict=True)
        check_number("rtol", self.rtol, below=1.0, strict=True)
        for layer in self.layers:
            _planar(layer)

    def after_epoch(self, model: nn.Module) -> None:
        """Scale the weights.

        Args:
            model: The network.

        Raises:
            ValueError: If a weight is not finite, or 0 where it should be scaled up.
        """
        with torch.no_grad():
            for layer in self.layers:
                weight = layer.weight(model)
                found = layer_spectral_norm(
                    layer, weight, rtol=self.rtol, max_work=3e11 if self.certified else 0.0
                )
                norm = found.upper if self.certified else found.lower
                if norm == 0 and self.always:
                    raise ValueError(f"layer {layer.name!r} has norm 0 and cannot be scaled up")
                if norm > self.bound or self.always:
                    weight.mul_(self.bound / norm)


def layer_spectral_norm(
    layer: WeightLayer, weight: Tensor, *, rtol: float = 1e-6, max_work: float = 3e11
) -> Bracket:
    """The spectral norm of a layer as a linear map, in a certified bracket.

    Args:
        layer: The layer.
        weight: Its weight.
        rtol: Wanted relative width.
        max_work: Operations allowed for a certificate, see :func:`nbsrc.conv.conv_spectral_norm`.

    Returns:
        The bracket.

    Raises:
        NotImplementedError: If the layer is three-dimensional or its padding is not zero padding.
        ValueError: If a weight is NaN or infinite.
    """
    geometry, kernel = _planar(layer), layer.kernel(weight)
    if kernel.ndim == 3:
        kernel = kernel.unsqueeze(2)
    try:
        return geometry_spectral_norm(
            kernel, geometry, groups=layer.groups, rtol=rtol, max_work=max_work
        )
    except ValueError as error:
        raise ValueError(f"layer {layer.name!r}: {error}") from error


def _planar(layer: WeightLayer) -> Geometry:
    """Return the geometry as a two-dimensional one.

    Raises:
        NotImplementedError: If it has no spectral norm here; the message names the layer.
    """
    geometry = layer.known_geometry("spectral norm")
    if len(geometry.axes) > 2:
        raise NotImplementedError(
            f"layer {layer.name!r}: no spectral norm of three-dimensional layers"
        )
    if any(axis.circular for axis in geometry.axes):
        raise NotImplementedError(f"layer {layer.name!r}: no spectral norm with circular padding")
    if len(geometry.axes) == 1:
        return Geometry((Axis(1, 1, 1, 0, 1, 1), *geometry.axes))
    return geometry
