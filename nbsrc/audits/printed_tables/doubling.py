"""How the largest change of the loss grows with the radius where the network is affine.

If the scores are affine on a ball of radius 2r around x, then along every direction the
cross-entropy is convex, so the change at 2d is at least twice the change at d. The largest change
over the ball of radius 2r is therefore at least twice that over the ball of radius r.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "audit_affine_doubling", "audit_printed_doubling", "error_probability", "largest_change",
    "loss_of",
]  # fmt: skip

Measure = Callable[[Tensor, int], Tensor]


def loss_of(scores: Tensor, label: int) -> Tensor:
    """Return the cross-entropy of scores.

    Args:
        scores: Scores, the classes in the last place.
        label: The label.

    Returns:
        The losses.
    """
    return torch.logsumexp(scores, -1) - scores[..., label]


def error_probability(scores: Tensor, label: int) -> Tensor:
    """Return the probability of the wrong classes, which is no convex function of the scores.

    Args:
        scores: Scores, the classes in the last place.
        label: The label.

    Returns:
        The probabilities.
    """
    return 1 - torch.softmax(scores, -1)[..., label]


def largest_change(
    weight: Tensor, bias: Tensor, label: int, radius: float, measure: Measure
) -> float:
    """Return the largest change of a measure over the l_inf ball around 0, exactly for convex ones.

    Args:
        weight: Matrix of the scores, classes by inputs.
        bias: Scores at the centre.
        label: The label.
        radius: Radius of the ball.
        measure: The measure; its maximum is taken over the corners and the centre.

    Returns:
        The change, at least 0.
    """
    corners = torch.tensor(
        list(itertools.product((-radius, radius), repeat=weight.shape[1])), dtype=weight.dtype
    )
    values = measure(corners @ weight.T + bias, label) - measure(bias, label)
    return max(0.0, float(values.max()))


def audit_affine_doubling(trials: int, seed: int, measure: Measure = loss_of) -> Finding:
    """Test that twice the radius at least doubles the largest change, for affine scores.

    Args:
        trials: Number of random maps; small whole-number maps come before them.
        seed: Seed.
        measure: What is measured: the loss, or another function of the scores for a control.

    Returns:
        A finding over maps; the slack is the change at radius 2 less twice that at radius 1.
    """

    def cases() -> Iterator[Case]:
        for number, (weight, bias) in enumerate(_maps(trials, seed)):
            one, two = (largest_change(weight, bias, 0, r, measure) for r in (1.0, 2.0))
            shown = {"weight": weight.tolist(), "bias": bias.tolist(), "one": one, "two": two}
            yield two - 2 * one, (number,), shown

    return collect(cases(), tolerance=1e-9, family="small whole and random affine maps")


def audit_printed_doubling(
    table: Mapping[tuple[str, int, int], tuple[float, float]], data: str
) -> Finding:
    """Test whether the means of Table 1 at least double with the size of the attack.

    Args:
        table: The cells of Table 1, see :func:`nbsrc.audits.printed_tables.trends.variation`.
        data: The data set.

    Returns:
        The finding; slack is the larger mean less twice the smaller, with 1.5 units of the last
        digit for rounding.
    """
    cases: list[Case] = []
    keys = sorted(key for key in table if key[0] == data and (data, 2 * key[1], key[2]) in table)
    for number, (_, attack, strength) in enumerate(keys):
        one, two = table[data, attack, strength][0], table[data, 2 * attack, strength][0]
        text = f"{data}, AR {strength}: {one:.4f} at {attack}, {two:.4f} at {2 * attack}"
        cases.append((two - 2 * one + 1.5e-4, (number,), text))
    return collect(cases, tolerance=0, family=f"means of Table 1 on {data}")


def _maps(trials: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield matrices and biases: two classes with one input and whole entries first."""
    for entries in itertools.product((-1, 0, 1, 2), repeat=4):
        values = torch.tensor(entries, dtype=torch.float64)
        yield values[:2, None], values[2:]
    generator = torch.Generator().manual_seed(seed)
    for trial in range(trials):
        classes, inputs = 2 + trial % 4, 1 + trial % 5
        scale = 3.0 ** (trial % 5 - 2)
        weight = torch.randn(classes, inputs, generator=generator, dtype=torch.float64)
        yield scale * weight, torch.randn(classes, generator=generator, dtype=torch.float64)
