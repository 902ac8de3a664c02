"""Every linear region that a segment crosses, exactly."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nbsrc.linear_region.pattern import Pattern, check_input
from nbsrc.linear_region.program import Program
from nbsrc.linear_region.reading import read_network
from nbsrc.linear_region.walk import Walk

__all__ = ["SegmentRegions", "segment_regions"]


@dataclass(frozen=True, eq=False)
class SegmentRegions:
    r"""The pieces of a segment on which a network is affine, in float64.

    On piece j, for t from ``breakpoints[j]`` to ``breakpoints[j + 1]``,

    .. math::
        net(x_0 + t (x_1 - x_0)) = A_j (x_0 + t (x_1 - x_0)) + b_j
                                 = \text{offset}_j + t \cdot \text{slope}_j .

    Attributes:
        x0: Start ``[*input]``.
        x1: End ``[*input]``.
        breakpoints: ``[pieces + 1]``, rising from 0 to 1.
        offset: :math:`A_j x_0 + b_j`, ``[pieces, outputs]``.
        slope: :math:`A_j (x_1 - x_0)`, ``[pieces, outputs]``.
        pattern: The gates inside each piece.
        zeros: How many ReLU or leaky-ReLU units have a pre-activation that is 0 all along the
            piece: the segment runs inside their hyperplanes (or they are constant).
    """

    x0: Tensor
    x1: Tensor
    breakpoints: Tensor
    offset: Tensor
    slope: Tensor
    pattern: Pattern
    zeros: Tensor
    _program: Program = field(repr=False)

    def __len__(self) -> int:
        return len(self.offset)

    @property
    def weights(self) -> Tensor:
        """The share ``breakpoints[j + 1] - breakpoints[j]`` of each piece; their sum is 1."""
        return self.breakpoints.diff()

    def piece(self, t: Tensor) -> Tensor:
        """Find the piece of each time.

        Args:
            t: Times from 0 to 1, any shape.

        Returns:
            Numbers of pieces: at a breakpoint the piece that begins there, at 1 the last one.

        Raises:
            ValueError: If a time is not between 0 and 1.
        """
        times = torch.as_tensor(t, dtype=torch.float64)
        if not bool(((times >= 0) & (times <= 1)).all()):
            raise ValueError("t must be between 0 and 1")
        return torch.bucketize(times.contiguous(), self.breakpoints[1:-1].contiguous(), right=True)

    def points(self, t: Tensor) -> Tensor:
        """Return the points of the segment.

        Args:
            t: Times, ``[k]``.

        Returns:
            ``[k, *input]``.
        """
        times = torch.as_tensor(t, dtype=torch.float64)
        return self.x0 + times.reshape(-1, *[1] * self.x0.ndim) * (self.x1 - self.x0)

    def value(self, t: Tensor) -> Tensor:
        """Evaluate the network along the segment.

        Args:
            t: Times from 0 to 1, any shape.

        Returns:
            ``[*times, outputs]``.
        """
        times = torch.as_tensor(t, dtype=torch.float64)
        j = self.piece(times)
        return self.offset[j] + times[..., None] * self.slope[j]

    def affine(self, index: int) -> tuple[Tensor, Tensor]:
        """The affine map of one piece, formed now: one backward pass per output.

        Args:
            index: Number of the piece.

        Returns:
            A ``[outputs, *input]`` and b ``[outputs]``.
        """
        gates = [gate[index].unsqueeze(0) for gate in self.pattern.gates]
        zero = torch.zeros_like(self.x0).unsqueeze(0)
        with torch.no_grad():
            constant = self._program.run(zero, lambda i, *_: gates[i])[0]
        with torch.enable_grad():
            inputs = zero.clone().requires_grad_()
            output = self._program.run(inputs, lambda i, *_: gates[i], constant=False)[0]
            rows = [
                torch.autograd.grad(entry, inputs, retain_graph=True, materialize_grads=True)[0][0]
                for entry in output
            ]
        return torch.stack(rows), constant

    def path_length(self, ord: float = 2) -> float:
        r"""The length of the image of the segment.

        .. math::
            \sum_j (e_j - s_j)\,\|A_j (x_1 - x_0)\|_p .

        Args:
            ord: p.

        Returns:
            The length, at least :meth:`chord`.
        """
        return float(self.weights @ torch.linalg.vector_norm(self.slope, ord, dim=1))

    def chord(self, ord: float = 2) -> float:
        r"""The distance of the images of the ends.

        .. math::
            \|net(x_1) - net(x_0)\|_p = \Bigl\|\sum_j (e_j - s_j) A_j (x_1 - x_0)\Bigr\|_p .

        Args:
            ord: p.

        Returns:
            The distance.
        """
        return float(torch.linalg.vector_norm(self.weights @ self.slope, ord))


def segment_regions(
    net: nn.Module, x0: Tensor, x1: Tensor, *, max_regions: int = 100_000
) -> SegmentRegions:
    r"""The linear regions along the segment from ``x0`` to ``x1``, found layer by layer.

    The input is an affine function of t. If what a switch sees is affine in t on each piece so far,
    then the zeros of the pre-activations (for max-pool the corners of the largest line of each
    window) cut the pieces further, and behind the switch everything is affine in t on each new
    piece. Nothing is sampled, so no region is missed, however short. No matrix is formed either:
    offset and slope go through the layers as two inputs would. :meth:`SegmentRegions.affine` forms
    a matrix on demand.

    Regions are convex, so each is met in one piece, and the pieces' patterns differ. The network
    may have the same affine map on neighbouring ones.

    Rounding: everything is computed in float64; weights and inputs in float32 are read as exact
    numbers. With each value goes an estimate of the variance of its rounding error. A breakpoint
    that is within 16 standard deviations of another one, or of an end, counts as the same; a
    pre-activation that is within 16 standard deviations of 0 at both ends of a piece counts as 0
    along it. Pieces that are shorter than that are not found. Slopes do not suffer from short
    pieces, they are not differences of values.

    Kinks: inside a piece the gates are those of its interior. So where ``x0`` or ``x1`` lies on a
    kink, the segment's own side is taken (:func:`nbsrc.linear_region.activation_pattern` takes the
    side of ReLU's derivative 0). Where a pre-activation is 0 all along a piece, the unit counts as
    off, and of lines of a window that are equal along a piece one is taken; offset and slope do not
    depend on it, ``affine`` does. A unit that touches 0 without a change of sign makes no
    breakpoint. If ``x0`` equals ``x1`` there is one piece with slope 0.

    Args:
        net: The network; it is not changed.
        x0: One input without a batch dimension, ``[*input]``.
        x1: Another one.
        max_regions: Largest allowed number of pieces.

    Returns:
        The pieces.

    Raises:
        NotImplementedError: If the network has an unsupported layer.
        OverflowError: If weights or values are so large (some 1e150) that their squares overflow.
        RegionLimitError: If there are more than ``max_regions`` pieces.
        TypeError: If an argument has the wrong type.
        ValueError: If the inputs differ in shape, are not finite, or have another dtype than the
            network.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU())
        >>> net[0].weight.data = torch.tensor([[1.0], [-1.0]])
        >>> regions = segment_regions(net, torch.tensor([-1.0]), torch.tensor([1.0]))
        >>> regions.breakpoints.tolist(), regions.slope.tolist()
        ([0.0, 0.5, 1.0], [[0.0, -2.0], [2.0, 0.0]])
        >>> regions.path_length(), round(regions.chord(), 3)
        (2.0, 1.414)
    """
    if type(max_regions) is not int or max_regions < 1:
        raise ValueError(f"max_regions must be a positive integer, got {max_regions!r}")
    read_network(net)  # complains about what it is given before it is copied
    for name, x in (("x0", x0), ("x1", x1)):
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(x).__name__}")
        check_input(net, x.unsqueeze(0))
    if x0.shape != x1.shape:
        raise ValueError(f"x0 and x1 must have one shape, got {(*x0.shape,)} and {(*x1.shape,)}")
    program = read_network(copy.deepcopy(net).double().cpu())
    start, end = (x.detach().double().cpu() for x in (x0, x1))
    walk = Walk(program, start, end, max_regions)
    with torch.no_grad():
        offset, slope = walk.run().values.flatten(2)
    names = tuple(step.name for step in program.switches)
    pattern = Pattern(names, tuple(walk.gates), len(offset))
    times = torch.from_numpy(walk.breakpoints)
    return SegmentRegions(start, end, times, offset, slope, pattern, walk.zeros, program)
