"""Networks that are almost linear in value and not at all in slope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.bound import exact_deviation_1d, exact_maximum_1d
from nbsrc.audits.power_methods.cases import Case, affine
from nbsrc.audits.power_methods.iteration import literal_pga, logit_norm
from nbsrc.claims import Finding

__all__ = [
    "audit_iterates_agree",
    "audit_not_decided",
    "audit_values_agree",
    "flat_and_steep",
    "sawtooth",
    "slopes",
    "tilted",
    "unit_interval",
]


def sawtooth(teeth: int, slope: float = 0.5) -> nn.Sequential:
    r"""Return :math:`f(x) = \mathrm{slope}\cdot x + s(x)` on [-1, 1] with an odd sawtooth s.

    With ``h = 1 / (4 teeth + 2)`` s is 0 up to h, then alternates between slopes 1 and -1 and
    between the values h and -h; it ends at h for x = 1. So J(0) is the slope, the deviation from
    linearity is h, and J takes the values slope, slope + 1 and slope - 1.

    Args:
        teeth: Number of pieces with slope -1 on each side.
        slope: J(0).

    Returns:
        The network, float64.
    """
    h = 1 / (4 * teeth + 2)
    knots = [h, *(h * (2 + 2 * k) for k in range(2 * teeth))]
    changes = [1.0, *(-2.0 if k % 2 == 0 else 2.0 for k in range(2 * teeth))]
    t, c = torch.tensor(knots, dtype=torch.float64), torch.tensor(changes, dtype=torch.float64)
    one = torch.ones(len(knots), dtype=torch.float64)
    first = affine(torch.cat([one, -one, one[:1]])[:, None], torch.cat([-t, -t, 8 * one[:1]]))
    last = affine(torch.cat([c, -c, slope * one[:1]])[None], [-8 * slope])
    return nn.Sequential(first, nn.ReLU(), last)


def tilted(teeth: int) -> nn.Sequential:
    r"""Return :math:`f(x) = x_1/2 + s(x_2)` on the plane with the sawtooth s.

    At 0 the Jacobian is (1/2, 0), and the deviation from linearity is at most
    ``1 / (4 teeth + 2)`` in the unit ball. On the teeth the second entry of the Jacobian is 1 or
    -1.

    Args:
        teeth: See :func:`sawtooth`.

    Returns:
        The network, float64.
    """
    first, _, last = sawtooth(teeth)
    assert isinstance(first, nn.Linear)
    weight = torch.cat([torch.zeros_like(first.weight), first.weight], 1)
    weight[-1] = torch.tensor([1.0, 0.0])  # the last unit carries x_1 / 2
    return nn.Sequential(affine(weight, first.bias), nn.ReLU(), last)


def audit_iterates_agree(teeth: Iterable[int]) -> Finding:
    """Test the inference for :func:`tilted`: tiny deviation, so attack and power method agree.

    Ten steps of the attack in the l2 ball of radius 1 with a practically infinite step, from 20
    starts. Only the line of the direction counts, not its sign.

    Args:
        teeth: Numbers of teeth.

    Returns:
        The finding; the slack is ``|cos| - 1``, cos between the attack and v_1 = (1, 0).
    """
    starts = torch.tensor([[0.5, k / 25] for k in range(1, 21)], dtype=torch.float64)
    one = torch.ones(len(starts), dtype=torch.float64)

    def results() -> Iterator[Result]:
        for k in teeth:
            v = literal_pga(
                tilted(k), torch.zeros_like(starts), one, 2.0, logit_norm(2.0), 1e8 * one, 10,
                starts,
            )[-1]  # fmt: skip
            with torch.no_grad():
                gains = (tilted(k)(v) - tilted(k)(0 * v)).abs().squeeze(-1)
            cosines = v[:, 0].abs()
            worst = int(cosines.argmin())
            shown = {"teeth": k, "deviation": 1 / (4 * k + 2), "start": starts[worst].tolist(),
                     "attack": v[worst].tolist(), "cosine": float(cosines[worst]),
                     "gain over ||J||": 2 * float(gains[worst])}  # fmt: skip
            yield float(cosines[worst]) - 1, (k,), shown

    return collect(results(), tolerance=0.1, family="x_1/2 + s(x_2), J(0) = (1/2, 0), eps = 1")


def unit_interval(net: nn.Module, words: str) -> Case:
    """Return a network with one input as a case around 0.

    Args:
        net: The network.
        words: Its name.

    Returns:
        The case.
    """
    return Case(net, torch.zeros(1, 1).double(), torch.ones(1, 1).double(), words)


def audit_values_agree(cases: Iterable[Case], share: float = 1.0) -> Finding:
    """Test that the largest change of the output is within the deviation T of ``eps ||J||``.

    Args:
        cases: Networks with one input and one hidden layer; eps is 1.
        share: The deviation is multiplied by this, for a control.

    Returns:
        The finding; maximum and deviation are exact.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            limit = exact_deviation_1d(case.net, case.x, 1.0, 2.0)
            largest = exact_maximum_1d(case.net, case.x, 1.0, 2.0)
            gap = abs(largest - float(case.J.norm()))
            yield share * limit - gap, case.size, {"network": case.words, "gap": gap, "T": limit}

    return collect(results(), tolerance=1e-9, family="exact maxima over intervals of radius 1")


def flat_and_steep() -> tuple[nn.Sequential, nn.Sequential]:
    """Return two networks with equal J = 1 and radius 1 at 0, one flat and one steep beyond.

    Returns:
        ``clip(x, -1, 1)`` and ``2 x - clip(x, -1, 1)``.
    """
    one, two = (
        nn.Sequential(
            affine([[1.0], [1.0], [-1.0]], [8.0, -1.0, -1.0]), nn.ReLU(),
            affine([[1.0, change, -change]], [-8.0]),
        )
        for change in (-1.0, 1.0)
    )  # fmt: skip
    return one, two


def slopes(net: nn.Module, points: int = 400) -> Tensor:
    """Return the slopes of a network at points between those of a grid of [-1, 1].

    Args:
        net: A network with one input.
        points: How many.

    Returns:
        The slopes.
    """
    grid = torch.linspace(-1, 1, points, dtype=torch.float64)[:, None].requires_grad_()
    return torch.autograd.grad(net(grid).sum(), grid)[0].squeeze(-1)


def audit_not_decided(sizes: Iterable[float]) -> Finding:
    """Test that J and the radius of the cell do not decide the maximum in a ball.

    Args:
        sizes: Radii; the cell of both networks has radius 1.

    Returns:
        The finding; the slack is the difference of the two maxima minus 0.1.
    """
    zero = torch.zeros(1, 1, dtype=torch.float64)
    flat, steep = flat_and_steep()

    def results() -> Iterator[Result]:
        for number, eps in enumerate(sizes):
            values = [exact_maximum_1d(net, zero, eps, 2.0) for net in (flat, steep)]
            yield abs(values[0] - values[1]) - 0.1, (number,), {"eps": eps, "maxima": values}

    return collect(results(), tolerance=0, family="clip(x) and 2x - clip(x), equal J and radius")
