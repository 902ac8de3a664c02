"""Section 3 of the paper: masks, activation patterns, cells, convolutions as matrices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.points import ReluPoint
from nbsrc.claims import Finding
from nbsrc.conv import dense

__all__ = [
    "audit_conv_matrix",
    "audit_mask_rules_agree",
    "audit_masks_give_output",
    "audit_non_expansive",
    "audit_partition",
]


def audit_mask_rules_agree(points: Iterable[ReluPoint]) -> Finding:
    """Test that the formula ``1(z >= 0)`` and the words "is positive" are one definition.

    Args:
        points: Networks and inputs.

    Returns:
        The finding.
    """
    return audit_true(
        points,
        lambda x: torch.equal(x.pattern(rule=">="), x.pattern(rule=">")),
        family="ReLU networks at points on kinks and off them",
    )


def audit_masks_give_output(
    points: Iterable[ReluPoint], rule: str = ">=", *, shift: float = 0.0
) -> Finding:
    """Test that the network with masks in place of ReLUs has the same logits.

    Args:
        points: Networks and inputs.
        rule: When a unit counts as active.
        shift: A planted error: masks of the pre-activations plus this.

    Returns:
        The finding.
    """

    def masked(x: ReluPoint) -> Tensor:
        if shift:
            return x.masked_output([(z + shift >= 0).double() for z in x.preactivations()])
        return x.masked_output(x.masks(rule=rule))

    return audit_equal(
        points, masked, lambda x: x.output(), tolerance=1e-12, family=f"masks with {rule}"
    )


def audit_partition(points: Iterable[ReluPoint], samples: int, seed: int) -> Finding:
    """Test that each input is in one cell, cells are convex, and some patterns are infeasible.

    The inputs are whole-number and random ones; with more units than inputs, fewer patterns than
    ``2^m`` can occur. For convexity the midpoints of inputs with equal patterns are tested.

    Args:
        points: Networks with more units than inputs.
        samples: Inputs per network.
        seed: Seed.

    Returns:
        The finding; the slack is minus the number of violations.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for point in points:
            n = len(point.x)
            whole = torch.randint(-3, 4, (samples, n), generator=g).double()
            inputs = torch.cat([whole, 2 * torch.randn(samples, n, generator=g).double()])
            patterns = point.pattern(inputs)
            bad = int(((patterns != 0) & (patterns != 1)).sum())  # a pattern for every input
            _, cell = patterns.unique(dim=0, return_inverse=True)
            order = cell.argsort()
            left, right = order[:-1], order[1:]
            same = cell[left] == cell[right]
            middles = point.pattern((inputs[left[same]] + inputs[right[same]]) / 2)
            bad += int((middles != patterns[left[same]]).any(-1).sum())
            bad += int(cell.max()) + 1 == 2**point.units  # every pattern occurs
            yield -float(bad), point.size, {**point.description, "violations": bad}

    return collect(cases(), tolerance=0, family="inputs of ReLU networks, whole and random")


def audit_non_expansive(points: Iterable[ReluPoint], slope: float = 0.0) -> Finding:
    """Test that the largest singular value of each mask is at most 1 (and is 0 or 1).

    Args:
        points: Networks and inputs.
        slope: The slope of the activation for negative input; 0 for the ReLU.

    Returns:
        The finding; the slack is 1 minus the value, and -1 for a value other than 0 and 1.
    """

    def cases() -> Iterator[Case]:
        for point in points:
            for number, mask in enumerate(point.masks()):
                diagonal = mask + slope * (1 - mask)
                value = float(torch.linalg.matrix_norm(torch.diag(diagonal), 2))
                slack = 1 - value if value in {0.0, 1.0} or slope else -1.0
                yield slack, point.size, {**point.description, "layer": number + 1, "sigma": value}

    return collect(cases(), tolerance=1e-15, family="masks of all layers")


def audit_conv_matrix(*, toeplitz: bool, strides: tuple[int, ...] = (1, 2), seed: int) -> Finding:
    """Test that a convolution is a product with a matrix, and whether that matrix is Toeplitz.

    Args:
        toeplitz: Whether the matrix must be Toeplitz (constant along every diagonal), as in
            footnote 1; else only that it gives torch's own outputs.
        strides: Strides.
        seed: Seed.

    Returns:
        The finding, over kernels of one and two dimensions, one channel and several.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for channels, height, stride in (
            (c, h, s) for c in (1, 2) for h in (1, 4) for s in strides
        ):
            size, kernel = (height, 4), (min(height, 3), 3)
            weight = torch.randint(-2, 3, (channels, channels, *kernel), generator=g).double()
            pads = (kernel[0] // 2, 1)
            M = dense.conv_matrix(weight, size, stride=stride, padding=pads)
            shown = {"channels": channels, "input": list(size), "stride": stride}
            order = (height, channels, stride)
            if toeplitz:
                broken = M.shape[0] > 1 and not torch.equal(M[1:, 1:], M[:-1, :-1])
                yield -float(broken), order, shown
            else:
                x = torch.randn(3, channels, *size, generator=g, dtype=torch.float64)
                out = torch.nn.functional.conv2d(x, weight, None, stride, pads)
                error = float((out.flatten(1) - x.flatten(1) @ M.T).abs().max())
                yield -error, order, shown

    return collect(cases(), tolerance=1e-12, family="convolutions with whole-number kernels")
