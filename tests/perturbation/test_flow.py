"""Two trainings that coincide to the last bit, the one that drifts, and what is conserved."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from nbsrc.perturbation.flow import (
    OPTIMISERS,
    bayes_start,
    cross_entropy_gradient,
    descend,
    penalty_gradient,
    weak_features,
)

f64 = torch.float64
X, Y = weak_features(60, 5, 0.4, generator=torch.Generator().manual_seed(0))
START = bayes_start(5, 0.3)


def run(start: torch.Tensor, penalty: str, **options: Any) -> torch.Tensor:
    settings = {"strength": 0.3, "rate": 0.2, "steps": 120, **options}
    classes = start.shape[1]
    return descend(X, Y % classes, start, penalty=penalty, **settings)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_opposite_columns_give_the_same_run_to_the_last_bit(optimiser: str) -> None:
    a = run(START, "mu2", optimiser=optimiser)
    b = run(START, "spread", optimiser=optimiser)
    assert torch.equal(a, b)
    assert float((a[-1] - a[0]).abs().max()) > 0.1
    assert torch.equal(a[..., 0], -a[..., 1])


def test_the_wrong_factor_gives_another_run() -> None:
    a, b = run(START, "mu2"), run(START, "spread", strength=0.6)
    assert float((a - b).abs().max()) > 1e-3


@pytest.mark.parametrize("classes", [2, 4])
def test_the_sum_of_the_columns_decides(classes: int) -> None:
    """Conserved under S, decaying geometrically under mu^2; the rest of V is the same."""
    start = torch.randn(5, classes, generator=torch.Generator().manual_seed(1), dtype=f64)
    labels = torch.randint(classes, (60,), generator=torch.Generator().manual_seed(2))
    options: dict[str, Any] = {"strength": 0.3, "rate": 0.2, "steps": 120}
    a = descend(X, labels, start, penalty="mu2", **options)
    b = descend(X, labels, start, penalty="spread", **options)
    mean = start.mean(-1)
    assert torch.allclose(b.mean(-1), mean.expand(121, 5), atol=1e-13)
    decay = (1 - 2 * 0.3 * 0.2) ** torch.arange(121, dtype=f64).unsqueeze(-1)
    assert torch.allclose(a.mean(-1), decay * mean, atol=1e-13)
    centred = [path - path.mean(-1, keepdim=True) for path in (a, b)]
    assert torch.allclose(centred[0], centred[1], atol=1e-12)
    assert float((a[-1] - b[-1]).abs().max()) > 0.1
    start = start - start.mean(-1, keepdim=True)
    a = descend(X, labels, start, penalty="mu2", **options)
    b = descend(X, labels, start, penalty="spread", **options)
    assert torch.allclose(a, b, atol=1e-12)


def test_adam_couples_the_mean_to_the_rest() -> None:
    """Its scaling per entry breaks the argument: the centred parts differ too."""
    start = START + torch.tensor([[0.5, 0.5]], dtype=f64)
    a, b = (run(start, penalty, optimiser="adam") for penalty in ("mu2", "spread"))
    rest = [path - path.mean(-1, keepdim=True) for path in (a, b)]
    assert float((rest[0] - rest[1]).abs().max()) > 1e-3
    plain = [run(start, penalty) for penalty in ("mu2", "spread")]
    rest = [path - path.mean(-1, keepdim=True) for path in plain]
    assert float((rest[0] - rest[1]).abs().max()) < 1e-12


def test_adam_parts_the_runs_of_three_classes() -> None:
    """Opposite columns stay opposite, but a zero sum of three is not kept."""
    start = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=f64)
    start = start - start.mean(-1, keepdim=True)
    labels = torch.randint(3, (60,), generator=torch.Generator().manual_seed(2))
    options: dict[str, Any] = {"strength": 0.3, "rate": 0.05, "steps": 100}
    for optimiser, same in (("gd", True), ("momentum", True), ("adam", False)):
        a, b = (
            descend(X, labels, start, penalty=penalty, optimiser=optimiser, **options)
            for penalty in ("mu2", "spread")
        )
        assert (float((a - b).abs().max()) < 1e-12) == same, optimiser
        assert (float(b.sum(-1).abs().max()) < 1e-12) == same, optimiser


def test_gradients_are_those_of_autograd() -> None:
    V = torch.randn(5, 3, generator=torch.Generator().manual_seed(3), dtype=f64)
    labels = torch.arange(60) % 3

    def objective(V: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(X @ V, labels)

    assert torch.allclose(
        cross_entropy_gradient(X, labels, V), torch.func.grad(objective)(V), atol=1e-15
    )
    pairs = [(0, 1), (0, 2), (1, 2)]
    spread = torch.func.grad(lambda V: sum(((V[:, i] - V[:, j]) ** 2).sum() for i, j in pairs) / 3)(
        V
    )
    assert torch.allclose(penalty_gradient(V, "spread"), spread, atol=1e-14)
    assert torch.allclose(penalty_gradient(V, "mu2"), torch.func.grad(lambda V: (V**2).sum())(V))
    assert float(penalty_gradient(V, "none").abs().max()) == 0


def test_optimisers_are_those_of_torch() -> None:
    torch_optimisers = {
        "gd": lambda p: torch.optim.SGD(p, lr=0.05),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, lr=0.05),
    }
    for name, make in torch_optimisers.items():
        V = START.clone().requires_grad_()
        optimiser = make([V])
        for _ in range(15):
            optimiser.zero_grad()
            (F.cross_entropy(X @ V, Y) + 0.3 * (V**2).sum()).backward()
            optimiser.step()
        path = run(START, "mu2", rate=0.05, steps=15, optimiser=name)
        assert torch.allclose(path[-1], V.detach(), atol=1e-9), name


def test_data_of_the_example() -> None:
    x, y = weak_features(20_000, 4, 0.3, generator=torch.Generator().manual_seed(4))
    signs = 1.0 - 2.0 * y
    assert set(x[:, 0].tolist()) == {-1.0, 1.0}
    assert abs(float((x[:, 0] * signs).mean())) < 0.03
    assert float((x[:, 1:] * signs.unsqueeze(-1)).mean()) == pytest.approx(0.3, abs=0.02)
    assert float((x[:, 1:] - 0.3 * signs.unsqueeze(-1)).std()) == pytest.approx(1, abs=0.02)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="optimiser must be one of"):
        run(START, "mu2", optimiser="sgd")
    with pytest.raises(ValueError, match="penalty must be one of"):
        run(START, "nu2")
    with pytest.raises(ValueError, match="strength and steps must be at least 0"):
        run(START, "mu2", strength=math.nan)
    with pytest.raises(ValueError, match="must have the same n"):
        run(START[:3], "mu2")
    with pytest.raises(ValueError, match="K >= 2"):
        run(START[:, :1], "mu2")
    with pytest.raises(ValueError, match="examples must be at least 1 and n at least 2"):
        weak_features(0, 5, 1.0, generator=torch.Generator())
    with pytest.raises(ValueError, match="n must be at least 2"):
        bayes_start(1, 1.0)
