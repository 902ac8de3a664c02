"""What the tests of tap audits share: a family that covers too much, and smallest violations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from nbsrc.audits.layers import Layer
from nbsrc.claims import Finding


def everything(layer: Layer) -> list[tuple[tuple[int, int], ...]]:
    k1, k2 = layer.shape.kernel_size
    return [tuple(product(range(k1), range(k2)))]


def smallest_violation(audit: Callable[[list[Layer]], Finding], layers: list[Layer]) -> None:
    """The counterexample is the least violating layer, found by auditing layers one by one."""
    found = audit(layers)
    assert not found.holds
    assert found.worst_slack < 0
    wrong = [x for x in layers if not audit([x]).holds]
    least = min(wrong, key=lambda x: x.size)
    described = {k: found.counterexample[k] for k in least.description}
    assert described == least.description
    assert found.trials == len(layers)
