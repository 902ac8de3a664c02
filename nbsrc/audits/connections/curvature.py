"""Exact curvature for many classes: what needs no approximation and no n x n decomposition."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from nbsrc.audits.connections.architectures import architectures
from nbsrc.audits.connections.compare import ROUNDING, audit_equal, relative_error
from nbsrc.audits.connections.multiclass import loss_derivatives
from nbsrc.audits.connections.optima import taylor_optimum
from nbsrc.audits.connections.points import Point
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import loss_hessian_spectrum, taylor_perturbation_multiclass
from nbsrc.perturbation.networks import network_penalties, network_penalties_autograd

__all__ = [
    "audit_norm_from_gram",
    "audit_optimum",
    "audit_penalty",
    "audit_three_classes",
    "power_iteration_norm",
    "three_class_norm",
    "weight_gradient_error",
]


def three_class_norm(x: Point) -> float:
    r"""Return :math:`\|H\|_2` for three classes in closed form.

    .. math::
        \|H\|_2 = \tfrac12\Big(T + \sqrt{T^2 - 4p_0p_1p_2\,(\|a\|^2\|b\|^2-(a^\top b)^2)}\Big),
        \quad T = \sum_{i<j}p_ip_j\|v_i-v_j\|^2,\ a = v_1-v_0,\ b = v_2-v_0

    H has rank two; T is its trace, and the second symmetric function of its eigenvalues is the
    Gram determinant of a and b times that of the 2 x 2 softmax block (Cauchy and Binet).

    Args:
        x: A point with three classes.

    Returns:
        The norm.

    Raises:
        ValueError: If there are not three classes.
    """
    if x.classes != 3:
        raise ValueError(f"the closed form is for 3 classes, got {x.classes}")
    a, b = x.V[:, 1] - x.V[:, 0], x.V[:, 2] - x.V[:, 0]
    p0, p1, p2 = x.p
    trace = p0 * p1 * (a @ a) + p0 * p2 * (b @ b) + p1 * p2 * ((a - b) @ (a - b))
    gram = (a @ a) * (b @ b) - (a @ b) ** 2
    root = (trace**2 - 4 * p0 * p1 * p2 * gram).clamp_min(0).sqrt()
    return float(trace + root) / 2


def _resolved(points: Iterable[Point]) -> list[Point]:
    """Keep the points where autograd of the softmax does not cancel: 1 - p_y above 1e-6."""
    return [x for x in points if x.rest > 1e-6]


def _dense_norm(x: Point) -> float:
    return float(torch.linalg.eigvalsh(loss_derivatives(x)[2])[-1])


def audit_three_classes(points: Iterable[Point]) -> Finding:
    """Test :func:`three_class_norm` against the Hessian by automatic differentiation.

    Args:
        points: Points; those with another number of classes are left out.

    Returns:
        The finding.
    """
    return audit_equal(
        [x for x in _resolved(points) if x.classes == 3], three_class_norm, _dense_norm,
        tolerance=1e-8, family="three classes",
    )  # fmt: skip


def audit_norm_from_gram(points: Iterable[Point]) -> Finding:
    """Test the norm from the eigenproblem of size K - 1 against the dense Hessian.

    Args:
        points: Points with any number of classes.

    Returns:
        The finding.
    """
    return audit_equal(
        _resolved(points), lambda x: loss_hessian_spectrum(x.p, x.V).spectral_norm, _dense_norm,
        tolerance=1e-9, family="two to ten classes",
    )  # fmt: skip


def audit_optimum(points: Iterable[Point]) -> Finding:
    """Test the multi-class Taylor optimum from K - 1 dimensions against the dense one.

    Args:
        points: Correctly classified points.

    Returns:
        The finding.
    """
    return audit_equal(
        points, lambda x: taylor_perturbation_multiclass(x.p, x.V, x.label, xi=x.xi).norm,
        taylor_optimum, tolerance=1e-7, family="two to ten classes",
    )  # fmt: skip


def power_iteration_norm(x: Point, steps: int, seed: int) -> float:
    """Return what a few steps of power iteration with Hessian-vector products give for ``|H|_2``.

    Args:
        x: The point.
        steps: Number of products.
        seed: Seed of the start vector.

    Returns:
        The estimate, at most the norm.
    """
    g = torch.Generator().manual_seed(seed)
    vector = torch.randn(x.V.shape[0], generator=g, dtype=torch.float64)
    value = 0.0
    for _ in range(steps):
        image = x.hessian @ (vector / vector.norm())
        vector, value = image, float(image.norm())
    return value


def weight_gradient_error(net: nn.Module, x: Tensor, y: int, *, step: float = 1e-6) -> float:
    """Return the relative error of the curvature penalty's weight gradient on all weights.

    Args:
        net: The network.
        x: One input, shape ``[1, *input]``.
        y: The label.
        step: Step of the central differences of the dense Hessian's norm.

    Returns:
        The largest difference over the largest entry, on at least three entries of every weight.
    """
    weights = list(net.parameters())
    value = network_penalties(net, x, y).curvature.sum()
    gradients = torch.autograd.grad(value, weights, materialize_grads=True)
    ours, theirs = [], []
    for weight, gradient in zip(weights, gradients, strict=True):
        flat = weight.data.view(-1)
        for index in range(0, len(flat), max(1, len(flat) // 3)):
            start = float(flat[index])
            values = []
            for shift in (step, -step):
                flat[index] = start + shift
                values.append(float(network_penalties_autograd(net, x, y).curvature))
            flat[index] = start
            ours.append(float(gradient.reshape(-1)[index]))
            theirs.append((values[0] - values[1]) / (2 * step))
    return relative_error(torch.tensor(ours).double(), torch.tensor(theirs).double())


def audit_penalty(
    names: Iterable[str], classes: int, seed: int, *, weights: bool, tolerance: float
) -> Finding:
    """Test the exact curvature penalty of networks, or its gradient with respect to the weights.

    Args:
        names: Names from :func:`nbsrc.audits.connections.architectures.architectures`.
        classes: Number of classes.
        seed: Seed.
        weights: Test the gradient against central differences of the dense norm, else the value
            against the dense norm.
        tolerance: Largest relative error.

    Returns:
        The finding.
    """

    def cases() -> Iterator[Case]:
        g = torch.Generator().manual_seed(seed)
        for number, name in enumerate(names):
            net = architectures(classes, seed)[name]
            x = torch.randn(1, 1, 4, 4, generator=g, dtype=torch.float64)
            label = number % classes
            if weights:
                error = weight_gradient_error(net, x, label)
            else:
                found = network_penalties(net, x, label).curvature
                dense = network_penalties_autograd(net, x, label).curvature
                # the dense Hessian is a difference of terms as large as the Jacobian's square
                rounding = ROUNDING * float(network_penalties(net, x, label).jacobian.detach())
                error = relative_error(found.detach(), dense, rounding=rounding)
            yield -(error if math.isfinite(error) else 1.0), (number,), {"network": name}

    return collect(cases(), tolerance=tolerance, family=f"networks with {classes} classes")
