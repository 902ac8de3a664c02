"""Small labelled sets and planted errors, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.audits.robustness.sets import LabelledSet, random_sets
from nbsrc.bracket import Bracket
from nbsrc.claims import Finding
from nbsrc.constructions import Certificate, certify_robust, robust_classifier
from nbsrc.lipschitz import lipschitz_constant


def tight(data: LabelledSet) -> bool:
    """Whether the balls nearly touch: only there a classifier for smaller balls must fail."""
    return 2 * data.eps > 0.8 * data.separation


def small_sets() -> list[LabelledSet]:
    """All norms, 2 and 3 classes, and radii from zero to nearly touching balls."""
    return list(random_sets(6, 4, max_dimension=3, max_classes=3, max_points=5))


def line(points: Sequence[float], labels: Sequence[int], eps: float) -> LabelledSet:
    x = torch.tensor(points, dtype=torch.float64)[:, None]
    return LabelledSet(x, torch.tensor(labels), eps, 2.0)


def constant(value: float, inputs: int = 1) -> nn.Sequential:
    layer = nn.Linear(inputs, 1, dtype=torch.float64)
    layer.weight = nn.Parameter(torch.zeros(1, inputs, dtype=torch.float64), requires_grad=False)
    layer.bias = nn.Parameter(torch.tensor([value], dtype=torch.float64), requires_grad=False)
    return nn.Sequential(layer)


def for_smaller_balls(
    points: Tensor, labels: Tensor, eps: float, ord: float, **options: Any
) -> nn.Sequential:
    """Planted error: the classifier of an attack of a tenth of the size."""
    return robust_classifier(points, labels, eps / 10, ord, **options)


def always_yes(
    network: nn.Module, points: Tensor, labels: Tensor, eps: float, ord: float, **options: Any
) -> Certificate:
    """Planted error: a certificate that looks at the centres only, as if eps were zero."""
    return certify_robust(network, points, labels, 0.0, ord, **options)


def always_no(*arguments: Any, **options: Any) -> Certificate:
    """Planted error: a certificate that accepts no point."""
    found = certify_robust(*arguments, **options)
    return replace(found, certified=torch.zeros_like(found.certified))


def scaled(factor: float, only: float | None = None) -> Callable[..., Bracket]:
    """Planted error: a constant off by a factor, in all norms or in one."""

    def value(network: nn.Sequential, order: float, *rest: object) -> Bracket:
        true = lipschitz_constant(network, order, *rest).value
        wrong = true * (factor if only in {None, order} else 1)
        return Bracket(wrong, wrong, wrong, 0, converged=True)

    return value


def smallest_set(
    audit: Callable[[Iterable[LabelledSet]], Finding], sets: list[LabelledSet]
) -> Finding:
    """The counterexample is the least violating set, found by auditing sets one by one."""
    found = audit(sets)
    assert not found.holds
    assert found.worst_slack is not None
    assert found.worst_slack < 0
    least = min((x for x in sets if not audit([x]).holds), key=lambda x: x.size)
    assert {k: found.counterexample[k] for k in least.description} == least.description
    return found
