"""Section 3: the product bound and the global regulariser (5)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import product

import torch
from torch import Tensor, nn

from nbsrc.audits.connections.compare import audit_at_most
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.points import ReluPoint, relu_point
from nbsrc.claims import Finding
from nbsrc.conv import dense
from nbsrc.linear_region import jacobian

__all__ = [
    "audit_balanced_sum",
    "audit_product_bound",
    "audit_sum_bounds_product",
    "batch_norm_case",
    "layer_products",
    "pooling_case",
    "product_bound",
    "reshaped_kernel_case",
]


def product_bound(point: ReluPoint) -> float:
    """Return the product of the spectral norms of all weights.

    Args:
        point: A network.

    Returns:
        The bound.
    """
    return math.prod(float(torch.linalg.matrix_norm(W, 2)) for W in point.weights)


def audit_product_bound(points: Iterable[ReluPoint], leave_out: int | None = None) -> Finding:
    """Test that the spectral norm of the Jacobian is at most the product of those of the layers.

    Args:
        points: Networks and inputs; both mask rules are tested.
        leave_out: A planted error: the index of a layer that is left out.

    Returns:
        The finding; the slack is relative.
    """

    def bound(point: ReluPoint) -> float:
        layers = list(point.weights)
        if leave_out is not None:
            del layers[leave_out]
        return math.prod(float(torch.linalg.matrix_norm(W, 2)) for W in layers)

    def largest(point: ReluPoint) -> float:
        found = [torch.linalg.matrix_norm(point.jacobian(rule), 2) for rule in (">=", ">")]
        return float(max(found))

    return audit_at_most(
        points, largest, bound, tolerance=1e-12, family="plain ReLU networks, kinks included"
    )


def reshaped_kernel_case() -> dict[str, float]:
    """Return the norm of a convolution and that of its stored kernel, as a matrix with d_out rows.

    The smallest case: the kernel ``[1, 1]`` on two pixels with padding 1.

    Returns:
        The convolution's norm and that of the reshaped kernel.
    """
    weight = torch.ones(1, 1, 1, 2, dtype=torch.float64)
    operator = dense.conv_matrix(weight, (1, 2), padding=(0, 1))
    return {
        "operator": float(torch.linalg.matrix_norm(operator, 2)),
        "reshaped": float(torch.linalg.matrix_norm(weight.flatten(1), 2)),
    }


def pooling_case(stride: int) -> dict[str, float]:
    """Return the norm of the Jacobian of max-pooling of windows of two pixels at ``(0, 1, 0)``.

    Args:
        stride: 1 makes the windows overlap.

    Returns:
        The norm, and the product of the norms of the linear layers (there is none: 1).
    """
    net = nn.Sequential(nn.Unflatten(1, (1, 3)), nn.MaxPool1d(2, stride), nn.Flatten())
    x = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    rows = [torch.autograd.functional.jacobian(lambda z: net(z).squeeze(0), x)]
    return {"sigma": float(torch.linalg.matrix_norm(rows[0].flatten(1), 2)), "product": 1.0}


def batch_norm_case() -> dict[str, float]:
    """Return the norm of ``1 -> batch norm of factor 2 -> 1`` and the product of the weights.

    Returns:
        The norm of the Jacobian at 0, and the product.
    """
    norm = nn.BatchNorm1d(1, affine=True, eps=0.0, dtype=torch.float64).eval()
    norm.running_var = torch.full((1,), 0.25, dtype=torch.float64)
    first = nn.Linear(1, 1, dtype=torch.float64)
    first.weight.data = torch.ones(1, 1, dtype=torch.float64)
    net = nn.Sequential(first, norm)
    J = jacobian(net, torch.zeros(1, 1, dtype=torch.float64))
    return {"sigma": float(J.abs().max()), "product": 1.0}


def layer_products(depth: int, count: int, seed: int) -> Iterator[ReluPoint]:
    """Yield networks of a given depth: the whole-number ones of width 1 first, then random ones.

    Args:
        depth: Number of layers.
        count: Random networks.
        seed: Seed.

    Yields:
        The networks at the input 1 or at random inputs.
    """
    for values in product((1, 2, 3), repeat=depth):
        yield relu_point([[[v]] for v in values], [1])
    g = torch.Generator().manual_seed(seed)
    for _ in range(count):
        weights = tuple(torch.randn(3, 3, generator=g, dtype=torch.float64) for _ in range(depth))
        zero = tuple(torch.zeros(3, dtype=torch.float64) for _ in range(depth))
        yield ReluPoint(weights, zero, torch.randn(3, generator=g, dtype=torch.float64))


def _norms(point: ReluPoint) -> list[float]:
    return [float(torch.linalg.matrix_norm(W, 2)) for W in point.weights]


def audit_sum_bounds_product(points: Iterable[ReluPoint], *, powered: bool) -> Finding:
    r"""Test whether the regulariser of (5) bounds the product it is made from.

    Args:
        points: Networks.
        powered: False for :math:`\frac12\sum\sigma^2 \ge \prod\sigma`; True for
            :math:`(\frac1L\sum\sigma^2)^{L/2} \ge \prod\sigma`.

    Returns:
        The finding.
    """

    def bound(point: ReluPoint) -> float:
        total, L = sum(v**2 for v in _norms(point)), len(point.weights)
        return (total / L) ** (L / 2) if powered else total / 2

    return audit_at_most(points, product_bound, bound, tolerance=1e-12, family="ReLU networks")


def audit_balanced_sum(points: Iterable[ReluPoint], *, exponent: float = 1.0) -> Finding:
    r"""Test that the least regulariser over rescaled layers is a function of the product.

    .. math::
        \min_{\prod a_\ell=1}\tfrac12\sum_\ell a_\ell^2\sigma(W^\ell)^2
        = \tfrac L2\Big(\prod_\ell\sigma(W^\ell)\Big)^{2/L}

    The minimum is found by gradient descent over the logarithms of the factors. The rescaled
    network (biases along with it) computes the same function, which is tested as well.

    Args:
        points: Networks.
        exponent: A planted error: a factor on the exponent ``2/L``.

    Returns:
        The finding; the slack is minus the relative error.
    """

    def cases() -> Iterator[Case]:
        for point in points:
            norms = torch.tensor(_norms(point), dtype=torch.float64)
            logs = torch.zeros_like(norms)
            for _ in range(300):  # a convex function of the logarithms; Newton's steps, centred
                terms = (norms * logs.exp()) ** 2
                step = (terms - terms.mean()) / (2 * terms.mean())
                logs = logs - 0.5 * step / (1 + step.abs().max())
                logs = logs - logs.mean()
            least = float((((norms * logs.exp()) ** 2).sum()) / 2)
            L = len(norms)
            printed = L / 2 * float(norms.prod()) ** (exponent * 2 / L)
            scaled = _rescaled(point, logs.exp())
            change = float((scaled.output() - point.output()).abs().max())
            error = abs(least - printed) / max(least, printed) + change
            yield -error, point.size, {**point.description, "least": least, "formula": printed}

    return collect(cases(), tolerance=1e-9, family="ReLU networks with rescaled layers")


def _rescaled(point: ReluPoint, factors: Tensor) -> ReluPoint:
    """Return the network with layer l times a_l, and biases so that the function is the same."""
    weights = tuple(a * W for a, W in zip(factors, point.weights, strict=True))
    biases = tuple(a * b for a, b in zip(factors.cumprod(0), point.biases, strict=True))
    return ReluPoint(weights, biases, point.x)
