"""Section 3, global against local: networks whose norm is large only where there are no data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.operator_norms.bounds import product_bound
from nbsrc.audits.operator_norms.points import ReluPoint, relu_point
from nbsrc.claims import Finding

__all__ = ["audit_global_is_loose", "global_against_local", "transition"]


def transition(m: int) -> ReluPoint:
    r"""Return a network that is 0 left of 0, 1 right of :math:`1/m`, and a ramp between.

    Args:
        m: The slope of the ramp, a whole number.

    Returns:
        The network :math:`\phi(mx) - \phi(mx-1)` at the input -1.
    """
    return relu_point([[[m], [m]], [[1, -1]]], [-1], [[0, -1], [0]])


def global_against_local(m: int, data: tuple[float, ...] = (-1.0, 2.0)) -> dict[str, float]:
    """Return global and local norms of the network of :func:`transition`.

    Args:
        m: The slope.
        data: The places of the examples; the transition is between them.

    Returns:
        The largest norm over all inputs, the mean over the data, and the product bound.
    """
    point = transition(m)
    return _norms_at(point, 0.5 / m, data)


def _norms_at(point: ReluPoint, middle: float, data: tuple[float, ...]) -> dict[str, float]:
    places = [torch.tensor([x], dtype=torch.float64) for x in data]
    local = [float(point.at(x).jacobian().abs().max()) for x in places]
    steep = point.at(torch.tensor([middle], dtype=torch.float64)).jacobian()
    return {
        "global": float(steep.abs().max()),
        "local": sum(local) / len(local),
        "product": product_bound(point),
    }


def audit_global_is_loose(factors: Iterable[int], *, linear: bool = False) -> Finding:
    """Test that for every factor some network has a bound that is as many times its local norm.

    Also that the bound holds at every input tried, that the largest norm is that of the transition,
    and that the network is constant, norm 0, on both sides.

    Args:
        factors: The factors m.
        linear: A control: the network ``x -> m x``, whose bound is tight.

    Returns:
        The finding; the slack is the relative excess of the bound over m times the local norm.
    """

    def cases() -> Iterator[Case]:
        for m in factors:
            point = relu_point([[[m]]], [-1]) if linear else transition(m)
            found = _norms_at(point, 0.5 / m, (-1.0, 2.0))
            bound, local = found["product"], found["local"]
            slack = (bound - m * local) / bound if m > 1 or not linear else 0.0
            inputs = torch.linspace(-2, 3, 101, dtype=torch.float64).unsqueeze(1)
            everywhere = [float(point.at(x).jacobian().abs().max()) for x in inputs]
            if max(everywhere) > bound * (1 + 1e-12) or found["global"] < m:
                slack = -1.0
            yield slack, (m,), {"factor": m, **found}

    return collect(cases(), tolerance=1e-12, family="one-dimensional ramps between two constants")
