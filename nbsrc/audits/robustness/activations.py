"""Theorem 2 for activations other than ReLU: bounds chosen in advance, and certificates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nbsrc.audits.robustness.sets import LabelledSet, points_of_balls
from nbsrc.constructions import certify_robust, robust_classifier
from nbsrc.constructions.activations import Replacement, replace_relu
from nbsrc.constructions.activations_square import square_classifier
from nbsrc.constructions.activations_threshold import threshold_classifier

__all__ = ["ActivationRow", "EveryActivation", "activation_table", "unscaled_softplus"]

_REPLACED = {
    "leaky ReLU": nn.LeakyReLU(0.1),
    "softplus": nn.Softplus(),
    "ELU": nn.ELU(),
    "GELU": nn.GELU(),
    "SiLU": nn.SiLU(),
}
_VOTING = {"tanh": nn.Tanh(), "sigmoid": nn.Sigmoid()}


@dataclass(frozen=True)
class ActivationRow:
    """How close a network with one activation comes to the labels on all balls.

    Attributes:
        name: The activation.
        road: How the network was made.
        bound: The error bound of the construction, in real arithmetic.
        deviation: Largest distance from the label: proven over the balls if ``certified``, else
            the largest seen at points of the balls.
        certified: Whether ``deviation`` is proven, rounding included.
        robust_accuracy: Proven robust accuracy.
    """

    name: str
    road: str
    bound: float
    deviation: float
    certified: bool
    robust_accuracy: float


def activation_table(data: LabelledSet, *, tolerance: float, seed: int = 0) -> list[ActivationRow]:
    """Build and judge a robust network with each activation.

    Args:
        data: A separable set.
        tolerance: Error bound asked of the constructions.
        seed: Seed of the points at which the network of squares is run.

    Returns:
        A row per activation.
    """
    arguments = data.points, data.labels, data.eps, data.ord
    relu = robust_classifier(*arguments)
    rows = [_certified("ReLU", "as constructed", Replacement(relu, 0.0, ()), data)]
    for name, activation in _REPLACED.items():
        road = "exact" if isinstance(activation, nn.LeakyReLU) else "scaled"
        found = replace_relu(relu, activation, tolerance=tolerance)
        rows.append(_certified(name, road, found, data))
    for name, activation in _VOTING.items():
        found = threshold_classifier(*arguments, activation, tolerance=tolerance)
        rows.append(_certified(name, "vote", found, data))
    squares = square_classifier(*arguments, tolerance=tolerance)
    points = points_of_balls(data, 200, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        output = squares.network(points.flatten(0, 1)).reshape(points.shape[:2])
    deviation = float((output - data.labels).abs().max())
    share = 1.0 if squares.error < 0.5 else 0.0
    rows.append(ActivationRow("x squared", "iterated", squares.error, deviation, False, share))
    return rows


def _certified(name: str, road: str, found: Replacement, data: LabelledSet) -> ActivationRow:
    proof = certify_robust(found.network, data.points, data.labels, data.eps, data.ord)
    deviation = float(proof.deviation.max())
    share = proof.robust_accuracy.lower
    return ActivationRow(name, road, found.error, deviation, certified=True, robust_accuracy=share)


@dataclass(frozen=True)
class EveryActivation:
    """A separable set for which a network with each activation of the table is wanted.

    Attributes:
        data: The set.
        tolerance: Error bound asked of the constructions.
    """

    data: LabelledSet
    tolerance: float = 0.1

    @property
    def size(self) -> tuple[int, ...]:
        """As of the set."""
        return self.data.size

    @property
    def description(self) -> dict[str, Any]:
        """As of the set."""
        return self.data.description | {"activation": "the worst of nine"}

    def shortfall(self) -> float:
        """Return one minus the least proven robust accuracy over the activations.

        Returns:
            What the worst of nine lacks.
        """
        table = activation_table(self.data, tolerance=self.tolerance)
        return 1 - min(row.robust_accuracy for row in table)


def unscaled_softplus(data: LabelledSet) -> ActivationRow:
    """Judge the robust ReLU network with softplus simply put in the place of ReLU.

    Args:
        data: A separable set.

    Returns:
        Its row; without scaling nothing promises robustness.
    """
    relu = robust_classifier(data.points, data.labels, data.eps, data.ord)
    modules = (nn.Softplus() if isinstance(m, nn.ReLU) else m for m in relu)
    soft = Replacement(nn.Sequential(*modules), math.inf, ())
    return _certified("softplus", "unscaled", soft, data)
