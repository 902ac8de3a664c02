"""Building a network as a chain of layers, with the size of the features kept in view."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

__all__ = ["Chain", "scaled"]


def scaled(channels: int, width: float) -> int:
    """The number of channels of a narrower or wider network.

    Args:
        channels: The number at width 1.
        width: The multiplier.

    Returns:
        Their product, rounded, at least 1.
    """
    return max(1, round(channels * width))


class Chain:
    """A chain of layers that is being built; it keeps track of the size of the features.

    Attributes:
        layers: The layers so far, by name; names count by kind: ``conv1``, ``relu1``, ``conv2``.
        channels: Channels of the features.
        size: Their height and width.
    """

    def __init__(self, image: tuple[int, int, int]) -> None:
        """Start with an image of this shape, ``(channels, height, width)``."""
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.channels, self.size = image[0], (image[1], image[2])
        self._numbers: dict[str, int] = {}

    def add(self, kind: str, layer: nn.Module) -> None:
        """Add a layer that keeps the shape.

        Args:
            kind: First part of its name.
            layer: The layer.
        """
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        self.layers[f"{kind}{self._numbers[kind]}"] = layer

    def convolution(
        self,
        channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: int = 1,
        norm: bool = False,
        affine: bool = True,
    ) -> None:
        """Add a convolution, batch norm if wanted, and ReLU.

        Args:
            channels: Output channels.
            kernel: Height and width of the kernel.
            stride: The stride.
            padding: Zeros at each border; more if the kernel does not fit.
            norm: Whether batch norm follows; the convolution then has no bias, which would be
                without effect.
            affine: Whether that batch norm has a scale and a shift of its own.
        """
        if min(self.size) + 2 * padding < kernel:
            padding = kernel // 2
        self.add("conv", nn.Conv2d(self.channels, channels, kernel, stride, padding, bias=not norm))
        self.channels = channels
        height, width = ((n + 2 * padding - kernel) // stride + 1 for n in self.size)
        self.size = (height, width)
        if norm:
            self.add("bn", nn.BatchNorm2d(channels, affine=affine))
        self.add("relu", nn.ReLU())

    def pool(self) -> None:
        """Add max-pooling over 2x2 windows, unless it would leave nothing."""
        if min(self.size) >= 2:
            self.add("pool", nn.MaxPool2d(2))
            self.size = (self.size[0] // 2, self.size[1] // 2)

    def flatten(self) -> None:
        """Make vectors of the features."""
        self.layers["flatten"] = nn.Flatten()
        self.channels, self.size = self.channels * self.size[0] * self.size[1], (1, 1)

    def hidden(self, units: int, *, norm: bool = False) -> None:
        """Add a linear layer, batch norm if wanted, and ReLU.

        Args:
            units: Number of units.
            norm: Whether batch norm follows, see :meth:`convolution`.
        """
        self.add("linear", nn.Linear(self.channels, units, bias=not norm))
        if norm:
            self.add("bn", nn.BatchNorm1d(units))
        self.add("relu", nn.ReLU())
        self.channels = units

    def output(self, classes: int) -> nn.Sequential:
        """Add the last linear layer.

        Args:
            classes: Number of outputs.

        Returns:
            The network; the last layer is called ``linear`` if there is no other linear one.
        """
        last = nn.Linear(self.channels, classes)
        if "linear" in self._numbers:
            self.add("linear", last)
        else:
            self.layers["linear"] = last
        return nn.Sequential(self.layers)
