r"""Robust classifiers with sigmoid or tanh units: threshold circuits on the same half-spaces.

No scaling turns a bounded activation into ReLU, but three layers of thresholds compute what the
ReLU classifier computes. With :math:`v_h` of :class:`nbsrc.constructions.HalfSpaces`,
:math:`\delta` its gap and :math:`\sigma` the sigmoid:

.. math::
    a_h = \sigma(k_1(v_h-\tfrac\delta8)),\quad
    b_i = \sigma\Bigl(k_2\bigl(\tfrac12-\sum_h a_h\bigr)\Bigr),\quad
    g_c = \sigma\Bigl(k_3\bigl(\sum_{i\in c}b_i-\tfrac12\bigr)\Bigr),\quad F=\sum_c c\,g_c.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_number
from nbsrc.constructions.activations import Replacement, linear_layers
from nbsrc.constructions.halfspaces import HalfSpaces, separating_halfspaces

__all__ = ["circuit_layers", "threshold_classifier"]


def threshold_classifier(
    points: Tensor,
    labels: Tensor,
    eps: float,
    ord: float,
    activation: nn.Module,
    *,
    tolerance: float = 0.1,
) -> Replacement:
    r"""A robust classifier of sigmoid or tanh units, for any finite 2 eps-separable set.

    On the balls :math:`v_h-\delta/8` is at most :math:`-3\delta/8` for all half-spaces of the own
    point, and at least :math:`3\delta/8` for one of every point of another class. With
    :math:`\sigma(-3k_1\delta/8)=1/(4H)` for at most H half-spaces per point,
    :math:`\sigma(-k_2/4)=1/(4m)` for at most m points per class and
    :math:`\sigma(-k_3/4)=\text{tolerance}/\sum_c|c|`, every sum of wrong units stays at most 1/4,
    and :math:`|F-y|\le\text{tolerance}` on every closed ball. tanh is
    :math:`2\sigma(2t)-1`. The case of bounded activations of Theorem 2 of Liang & Huang (2021).

    Args:
        points: ``[m, n]``, float32, float64 or integer.
        labels: ``[m]`` integers.
        eps: Radius of the closed balls, at least 0.
        ord: Order of their norm: 1, 2 or ``math.inf``.
        activation: ``nn.Sigmoid()`` or ``nn.Tanh()``.
        tolerance: Bound on \|F - y\| on the balls; below 0.5 for robust accuracy 1.

    Returns:
        The network (output ``[batch, 1]``), the error bound in real arithmetic on the balls, and
        k1, k2, k3.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or two points of different classes are not
            further apart than 2 eps.
        NotImplementedError: If the activation is neither sigmoid nor tanh.

    Example:
        >>> points, labels = torch.tensor([[0.0], [4.0]]), torch.tensor([1, 2])
        >>> found = threshold_classifier(points, labels, 1.0, 2, nn.Tanh())
        >>> [round(v, 1) for v in found.network(points).flatten().tolist()], found.error <= 0.1
        ([1.0, 2.0], True)
    """
    limit = as_number("tolerance", tolerance, minimum=0, strict=True)
    if not isinstance(activation, nn.Sigmoid | nn.Tanh):
        raise NotImplementedError(f"activation must be Sigmoid or Tanh, got {activation}")
    halfspaces = separating_halfspaces(points, labels, eps, ord)
    first, second, third, last = circuit_layers(halfspaces)
    widest = max(1, int(second[0].abs().sum(1).max()))
    members = int(third[0].sum(1).max())
    mass = max(1.0, float(last[0].abs().sum()))
    wrong = min(limit / mass * (1 - 1e-9), 0.25)
    gap = halfspaces.gap if halfspaces.gap < math.inf else 1.0
    factors = (
        _logit(1 / (4 * widest)) * 8 / (3 * gap),
        4 * _logit(1 / (4 * members)),
        4 * _logit(wrong),
    )
    sharp = zip((first, second, third), factors, strict=True)
    layers = [*((weight * k, bias * k) for (weight, bias), k in sharp), last]
    if isinstance(activation, nn.Tanh):
        layers = _as_tanh(layers)
    network = linear_layers(layers, activation, halfspaces.dtype)
    return Replacement(network, wrong * mass, factors)


def circuit_layers(halfspaces: HalfSpaces) -> list[tuple[Tensor, Tensor]]:
    r"""The affine maps of the circuit, before sharpening: thresholds at 0.

    :math:`v_h-\delta/8`, then :math:`1/2-\sum_h a_h` per point, :math:`\sum_i b_i-1/2` per class,
    and the label.

    Args:
        halfspaces: The half-spaces.

    Returns:
        Four pairs of weight and bias in float64.
    """
    count = len(halfspaces.points)
    normals, offsets = halfspaces.normals, halfspaces.offsets + halfspaces.gap / 8
    collect = normals.new_zeros(count, len(normals))
    collect[halfspaces.owner, torch.arange(len(normals))] = -1.0
    if not len(normals):  # a single class: one unit that nobody reads
        normals, offsets = normals.new_zeros(1, normals.shape[1]), normals.new_zeros(1)
        collect = normals.new_zeros(count, 1)
    classes, class_of = halfspaces.labels.unique(return_inverse=True)
    members = normals.new_zeros(len(classes), count)
    members[class_of, torch.arange(count)] = 1.0
    half = normals.new_full((max(count, len(classes)),), 0.5)
    return [
        (normals, -offsets),
        (collect, half[:count]),
        (members, -half[: len(classes)]),
        (classes.double()[None], normals.new_zeros(1)),
    ]


def _logit(share: float) -> float:
    """Return t with sigmoid(-t) = share, a little more."""
    return math.log((1 - share) / share) * (1 + 1e-12)


def _as_tanh(layers: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """Write every sigmoid as (1 + tanh(t / 2)) / 2."""
    made = []
    for index, (weight, bias) in enumerate(layers):
        if index:
            weight, bias = weight / 2, bias + weight.sum(1) / 2
        if index < len(layers) - 1:
            weight, bias = weight / 2, bias / 2
        made.append((weight, bias))
    return made
