"""The layers of a piecewise affine network: affine maps, and switches that choose an affine piece.

A switch (ReLU, leaky ReLU, max-pool) decides on a *gate* for each value it sees. With the gate held
fixed it is a linear map, and its gate is right for an input as long as certain linear functions of
what it sees, its *margins*, keep their sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

__all__ = [
    "Affine",
    "MaxPool",
    "Operation",
    "Rectifier",
    "Switch",
    "check_image",
    "flatten",
]


@dataclass(frozen=True)
class Affine:
    """A map ``x -> L x + c`` of each example.

    Attributes:
        full: ``x -> L x + c``; may take several tensors.
        linear: ``x -> L x``.
        squared: ``x -> S x`` with S about the squares of the entries of L: what the variances of
            rounding errors go through.
    """

    full: Callable[..., Tensor]
    linear: Callable[..., Tensor]
    squared: Callable[..., Tensor]


@dataclass(frozen=True)
class Rectifier:
    """ReLU (slope 0) or leaky ReLU. The gate is True where the value is positive, False at 0.

    Attributes:
        slope: The slope at values that are not positive.
    """

    slope: float = 0.0

    def decide(self, value: Tensor) -> Tensor:
        """Return where the value is positive.

        Args:
            value: ``[batch, *shape]``.

        Returns:
            A Boolean tensor of the same shape. At exactly 0 it is False, torch's own choice.
        """
        return value > 0

    def apply(self, value: Tensor, gate: Tensor) -> Tensor:
        """Multiply by 1 where the gate is True, else by the slope.

        Args:
            value: ``[copies * batch, *shape]``.
            gate: ``[batch, *shape]``.

        Returns:
            A tensor with the shape of ``value``.
        """
        split = value.unflatten(0, (-1, len(gate)))
        if self.slope == 0:
            gated: Tensor = _Gated.apply(split, gate)
            return gated.flatten(0, 1)
        return torch.where(gate, split, self.slope * split).flatten(0, 1)

    def margins(self, value: Tensor, gate: Tensor) -> Tensor:
        """Return the values themselves: a gate changes where its value changes sign.

        Args:
            value: ``[batch, *shape]``.
            gate: Not needed here.

        Returns:
            ``[batch, units]``.
        """
        return value.flatten(1)


class _Gated(torch.autograd.Function):
    """``where(gate, value, 0)`` with a product on the way back, faster than torch's own rule."""

    @staticmethod
    def forward(ctx: FunctionCtx, value: Tensor, gate: Tensor) -> Tensor:
        ctx.save_for_backward(gate.to(value.dtype))  # converted once, for all ways back
        return torch.where(gate, value, 0.0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.saved_tensors[0], None


@dataclass(frozen=True)
class MaxPool:
    """Two-dimensional max-pooling. The gate is the flat index of the winner of each window.

    Attributes:
        kernel: Window size per axis.
        stride: Stride per axis.
        padding: Padding per axis; padded places never win.
        dilation: Dilation per axis.
        ceil_mode: torch's rounding of the output size.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil_mode: bool

    def decide(self, value: Tensor) -> Tensor:
        """Return the winners.

        Args:
            value: ``[batch, channels, height, width]``.

        Returns:
            Flat pixel indices ``[batch, channels, out_height, out_width]``; of equal values the
            first in the order of rows wins, torch's own choice.

        Raises:
            ValueError: If the value has not four dimensions.
        """
        check_image(value, "MaxPool2d")
        _, winners = F.max_pool2d(
            value, self.kernel, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=True,
        )  # fmt: skip
        return winners

    def apply(self, value: Tensor, gate: Tensor) -> Tensor:
        """Pick the winners.

        Args:
            value: ``[copies * batch, channels, height, width]``.
            gate: ``[batch, channels, out_height, out_width]``.

        Returns:
            ``[copies * batch, channels, out_height, out_width]``.
        """
        split = value.flatten(2).unflatten(0, (-1, len(gate)))
        chosen = gate.flatten(2).expand(len(split), -1, -1, -1)
        picked: Tensor = split.gather(3, chosen).flatten(0, 1).unflatten(2, gate.shape[2:])
        return picked

    def margins(self, value: Tensor, gate: Tensor) -> Tensor:
        """Return winner minus every value of its window (0 for the winner itself).

        Args:
            value: ``[copies * batch, channels, height, width]``.
            gate: ``[batch, channels, out_height, out_width]``.

        Returns:
            ``[copies * batch, margins]``.
        """
        places, inside = self.windows(value, gate)
        winner = self.apply(value, gate).flatten(2).unsqueeze(3)
        others = value.flatten(2)[:, :, places]
        return torch.where(inside, winner - others, 0.0).flatten(1)

    def windows(self, value: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        """Return the places of every window.

        Args:
            value: ``[batch, channels, height, width]``.
            gate: The winners, ``[batch, channels, out_height, out_width]``.

        Returns:
            Flat pixel indices ``[outputs, taps]``, and which of them lie in the image.
        """
        axes = []
        for axis in (0, 1):
            starts = torch.arange(gate.shape[2 + axis]) * self.stride[axis] - self.padding[axis]
            axes.append(starts[:, None] + torch.arange(self.kernel[axis]) * self.dilation[axis])
        rows, columns = axes[0][:, None, :, None], axes[1][None, :, None, :]
        height, width = value.shape[2:]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        places = torch.where(inside, rows * width + columns, 0)
        taps = self.kernel[0] * self.kernel[1]
        return places.reshape(-1, taps).to(value.device), inside.reshape(-1, taps).to(value.device)


Switch: TypeAlias = Rectifier | MaxPool
Operation: TypeAlias = Affine | Switch


def flatten(start: int, end: int) -> Affine:
    """Flattening of each example.

    Args:
        start: First flattened dimension, at least 1: examples stay apart.
        end: Last flattened dimension.

    Returns:
        The operation.

    Raises:
        NotImplementedError: If ``start`` is less than 1.
    """
    if start < 1:
        raise NotImplementedError(f"flattening must start at dimension 1 or later, got {start}")

    def flat(value: Tensor) -> Tensor:
        return value.flatten(start, end)

    return Affine(flat, flat, flat)


def check_image(value: Tensor, layer: str) -> None:
    """Refuse what torch would read as a single image without a batch dimension.

    Args:
        value: What the layer is given.
        layer: The layer's class, for the message.

    Raises:
        ValueError: If the value has not four dimensions.
    """
    if value.ndim != 4:
        raise ValueError(
            f"{layer} needs [batch, channels, height, width], got shape {tuple(value.shape)}"
        )
