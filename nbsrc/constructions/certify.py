r"""Robust accuracy in the sense of Definition 2 of Liang & Huang (2021), proven ball by ball.

A point counts as robust if :math:`|g(x)-y|<0.5` for every x of its *closed* ball, strictly. Three
methods, each sound with rounding errors included, are tried in turn: interval bounds, linear
bounds carried backwards, and both on pieces of the ball. Where none succeeds, a point of the ball
that breaks the inequality refutes; what is neither certified nor refuted stays open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nbsrc.bracket import Bracket
from nbsrc.constructions._arguments import as_number, as_order
from nbsrc.constructions.certify_goals import Goals, label_goals, score_goals
from nbsrc.constructions.certify_intervals import Region, input_interval, step_interval
from nbsrc.constructions.certify_network import Affine, Step, first_step, network_steps
from nbsrc.constructions.certify_refine import refine
from nbsrc.constructions.certify_witness import Search

__all__ = ["Certificate", "certify_robust"]

Output = Literal["auto", "label", "scores"]
_BLOCK = 1 << 23  # numbers per temporary array: 64 MB


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is proven of a network on the closed balls around points.

    Attributes:
        eps: Radius of the balls.
        ord: Order of their norm.
        output: ``"label"``: one output, Definition 2; ``"scores"``: one per class, largest wins.
        lower: ``[m, C]`` (C = 1 for a label) proven lower bounds of the outputs over each ball.
        upper: ``[m, C]`` proven upper bounds.
        slack: ``[m]`` proven lower bound, over the ball, of ``0.5 - |g - y|`` for a label, of the
            score of y minus the largest other score for scores.
        deviation: ``[m]`` proven upper bound of ``|g - y|`` for a label, of the largest distance
            of a score from the one-hot code for scores.
        certified: ``[m]`` bool: robust, proven.
        refuted: ``[m]`` bool: not robust, proven by a witness.
        witnesses: ``[m, n]`` points of the closed balls that break the inequality, NaN where none.
        robust_accuracy: The share of robust points: certified, and one minus refuted.
        pieces: ``[m]`` number of pieces into which each ball was cut (0: interval bounds only).
        method: How the points were decided, in words.
    """

    eps: float
    ord: float
    output: str
    lower: Tensor
    upper: Tensor
    slack: Tensor
    deviation: Tensor
    certified: Tensor
    refuted: Tensor
    witnesses: Tensor
    robust_accuracy: Bracket
    pieces: Tensor
    method: str


def certify_robust(
    network: nn.Module,
    points: Tensor,
    labels: Tensor,
    eps: float,
    ord: float,
    *,
    output: Output = "auto",
    classes: Sequence[int] | None = None,
    pieces: int = 64,
) -> Certificate:
    r"""Prove or refute, per point, that a network is right on the whole closed ball around it.

    .. math:: |g(x)-y|<0.5\quad\text{for all }x\text{ with }\|x-x_i\|\le\epsilon

    (Definition 2 of Liang & Huang 2021; for scores :math:`g_y>\max_{c\ne y}g_c`). The bounds hold
    for the function of real numbers that the stored weights define and for the network evaluated
    in its own dtype on a CPU; nothing rests on sampling. Refutations hold for the real function.

    Args:
        network: ``nn.Sequential`` of Linear, Flatten, Identity and ReLU, LeakyReLU, Hardtanh, ELU,
            Softplus, Tanh, Sigmoid, GELU or SiLU; float32 or float64.
        points: ``[m, n]``, exact in the network's dtype.
        labels: ``[m]`` integers.
        eps: Radius of the closed balls, at least 0.
        ord: Order of their norm: 1, 2 or ``math.inf``.
        output: ``"label"`` for one real output near the label, ``"scores"`` for one output per
            class, ``"auto"`` to choose by the number of outputs.
        classes: The label of every score. Default: the distinct labels in order if their number is
            that of the scores, else 0, 1, 2, ...
        pieces: Largest number of pieces into which a ball is cut where bounds on the whole do not
            decide; 1 for linear bounds on the whole ball, 0 for interval bounds only. Linear bounds
            take milliseconds per piece for a small network, seconds for 10,000 units.

    Returns:
        The certificate.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or shapes disagree.
        NotImplementedError: If a module is not supported.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1).double())
        >>> _ = net[0].weight.data.fill_(1), net[0].bias.data.fill_(0)
        >>> found = certify_robust(net, torch.tensor([[0], [1]]), torch.tensor([0, 1]), 0.25, 2)
        >>> found.certified.tolist(), found.robust_accuracy.lower
        ([True, True], 1.0)
        >>> certify_robust(net, torch.tensor([[1]]), torch.tensor([1]), 0.5, 2).refuted.tolist()
        [True]
    """
    order, radius = as_order(ord), as_number("eps", eps, minimum=0)
    if isinstance(pieces, bool) or not isinstance(pieces, int) or pieces < 0:
        raise ValueError(f"pieces must be an integer >= 0, got {pieces!r}")
    steps, dtype = network_steps(network)
    centres, codes = _check_points(steps, dtype, points, labels)
    goals = _goals(steps, codes, output, classes)
    region = Region(centres, radius, order)
    lower, upper = _interval_bounds(steps, region)
    slack = goals.slack(lower, upper)
    search = Search(steps, goals, region, dtype)
    cuts = torch.zeros(len(centres), dtype=torch.int64)
    open_rows = (slack <= 0).nonzero()[:, 0]
    by_intervals = len(centres) - len(open_rows)
    search.attack(open_rows)
    for row in open_rows.tolist():
        if search.found(row) or pieces == 0:
            continue
        found = refine(steps, region.row(row), *goals.functions(row), pieces)
        cuts[row] = found.pieces
        best, low, high = goals.read(row, found.bounds)
        slack[row] = torch.maximum(slack[row], best)
        lower[row], upper[row] = torch.maximum(lower[row], low), torch.minimum(upper[row], high)
        if not bool(slack[row] > 0):
            search.attempt(row, found.middles)
    witnesses = search.witnesses
    certified, refuted = slack > 0, ~witnesses.isnan().any(1)
    total, proven = len(centres), int(certified.sum())
    possible = total - int(refuted.sum())
    whole = int((certified & (cuts == 1)).sum())
    method = (
        f"sound bounds, rounding included: {by_intervals} by intervals (first layer exact), "
        f"{whole} by linear bounds, {int((certified & (cuts > 1)).sum())} by cutting the ball; "
        f"{int(refuted.sum())} refuted by a point of the closed ball; "
        f"{int((~certified & ~refuted).sum())} open"
    )
    accuracy = Bracket(
        proven / total, proven / total, possible / total, int(cuts.sum()), proven == possible
    )
    return Certificate(
        radius, order, goals.output, lower, upper, slack, goals.deviation(lower, upper), certified,
        refuted, witnesses, accuracy, cuts, method,
    )  # fmt: skip


def _check_points(
    steps: Sequence[Step], dtype: torch.dtype, points: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the points in float64 and the labels in int64."""
    for name, value in (("points", points), ("labels", labels)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels must be integers, got dtype {labels.dtype}")
    width = first_step(steps).weight.shape[1]
    if points.ndim != 2 or points.shape[1] != width or len(points) == 0:
        raise ValueError(
            f"points must have shape [m, {width}] with m >= 1, got {tuple(points.shape)}"
        )
    if labels.shape != points.shape[:1]:
        raise ValueError(
            f"labels must have shape ({len(points)},), one per point, got {tuple(labels.shape)}"
        )
    exact = points.detach().to("cpu", torch.float64)
    if not bool(exact.isfinite().all()):
        raise ValueError("points must be finite, got NaN or inf")
    if not bool((exact.to(dtype).double() == exact).all()):
        raise ValueError(f"points must be exact in the network's dtype {dtype}; convert them first")
    return exact, labels.detach().to("cpu", torch.int64)


def _goals(
    steps: Sequence[Step],
    labels: Tensor,
    output: str,
    classes: Sequence[int] | None,
) -> Goals:
    """Return what is to be shown of each point."""
    if output not in {"auto", "label", "scores"}:
        raise ValueError(f"output must be 'auto', 'label' or 'scores', got {output!r}")
    width = next(len(s.weight) for s in reversed(steps) if isinstance(s, Affine))
    if output == "label" or (output == "auto" and width == 1):
        if width != 1:
            raise ValueError(f"output='label' needs a network of one output, got {width} outputs")
        return label_goals(labels)
    return score_goals(labels, width, classes)


def _interval_bounds(steps: Sequence[Step], region: Region) -> tuple[Tensor, Tensor]:
    """Return interval bounds of the outputs for all balls, a block of points at a time."""
    widest = max(len(s.weight) for s in steps if isinstance(s, Affine))
    lower, upper = [], []
    for centre in region.centre.split(max(1, _BLOCK // widest)):
        found = input_interval(first_step(steps), Region(centre, region.eps, region.ord))
        for step in steps[1:]:
            found = step_interval(step, found)
        lower.append(found.lower)
        upper.append(found.upper)
    return torch.cat(lower), torch.cat(upper)
