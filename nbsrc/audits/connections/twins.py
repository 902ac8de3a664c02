"""Two trainings of a whole network, under nu^2 / 2 and under mu^2: do they stay the same?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = ["Network", "audit_twins", "differences", "digits_pair", "objective", "start", "train"]

OPTIMISERS = ("gd", "momentum", "adam")


@dataclass(frozen=True)
class Network:
    """A bias-free network ``w^T relu(W^T x)`` with two outputs.

    Attributes:
        hidden: W, shape ``[n, h]``.
        last: w, shape ``[h, 2]``.
    """

    hidden: Tensor
    last: Tensor

    @property
    def parameters(self) -> tuple[Tensor, Tensor]:
        """Both weights."""
        return self.hidden, self.last


def digits_pair(count: int, digits: tuple[int, int] = (1, 7)) -> tuple[Tensor, Tensor]:
    """Return images of two of scikit-learn's digits.

    Args:
        count: How many, from the front.
        digits: The classes.

    Returns:
        Inputs ``[count, 64]`` in float64 and labels +1 (the second digit) and -1.
    """
    images, names = load_digits(return_X_y=True)
    chosen = (names == digits[0]) | (names == digits[1])
    x = torch.from_numpy(images[chosen][:count] / 16.0)
    labels = torch.from_numpy((names[chosen][:count] == digits[1]).astype("int64"))
    return x, 2 * labels - 1


def start(inputs: int, hidden: int, seed: int, *, opposite: bool) -> Network:
    """Return random first weights.

    Args:
        inputs: n.
        hidden: h.
        seed: Seed.
        opposite: Let the last layer's columns be opposite, ``w_- = -w_+``.

    Returns:
        The network.
    """
    g = torch.Generator().manual_seed(seed)
    W = torch.randn(inputs, hidden, generator=g, dtype=torch.float64) / inputs**0.5
    w = torch.randn(hidden, 2, generator=g, dtype=torch.float64) / hidden**0.5
    if opposite:
        w = torch.stack([w[:, 0], -w[:, 0]], 1)
    return Network(W, w)


def objective(net: Network, x: Tensor, y: Tensor, penalty: str, strength: float) -> Tensor:
    """Return mean cross-entropy plus the mean penalty of the local maps.

    The squared Frobenius norm of ``V(x) = W D(x) w`` is a quadratic form in the active units, so
    no V is built.

    Args:
        net: The weights.
        x: Inputs.
        y: Labels +1 and -1.
        penalty: ``"mu2"`` for ``mu^2``, ``"nu2"`` for ``nu^2 / 2``.
        strength: lambda.

    Returns:
        The objective.

    Raises:
        ValueError: If the penalty is unknown.
    """
    if penalty not in ("mu2", "nu2"):
        raise ValueError(f"penalty must be 'mu2' or 'nu2', got {penalty!r}")
    before = x @ net.hidden
    active = (before > 0).double()
    a = before * active
    # Each logit by itself: opposite columns then give opposite logits to the last bit.
    z = torch.stack([(a * column).sum(1) for column in net.last.unbind(1)], 1)
    loss = F.softplus(-y * (z[:, 0] - z[:, 1])).mean()
    if penalty == "mu2":
        columns = net.last.unbind(1)
        scale = 1.0
    else:
        columns = (net.last[:, 0] - net.last[:, 1],)
        scale = 0.5
    gram = net.hidden.T @ net.hidden
    sizes = [(((active * w) @ gram) * (active * w)).sum(1).mean() for w in columns]
    return loss + strength * scale * torch.stack(sizes).sum()


def train(
    first: Network, x: Tensor, y: Tensor, penalty: str, *, strength: float = 0.1,
    rate: float = 0.1, steps: int = 100, optimiser: str = "gd",
) -> list[Network]:  # fmt: skip
    """Train all weights on the whole data set and keep every iterate.

    Args:
        first: The first weights.
        x: Inputs.
        y: Labels +1 and -1.
        penalty: As in :func:`objective`.
        strength: lambda.
        rate: Step size; a tenth of it for Adam.
        steps: Number of steps.
        optimiser: ``"gd"``, ``"momentum"`` or ``"adam"``.

    Returns:
        The iterates, the first one included.

    Raises:
        ValueError: If the optimiser is unknown.
    """
    if optimiser not in OPTIMISERS:
        raise ValueError(f"optimiser must be one of {OPTIMISERS}, got {optimiser!r}")
    weights = [w.clone().requires_grad_() for w in first.parameters]
    step: torch.optim.Optimizer
    if optimiser == "adam":
        step = torch.optim.Adam(weights, lr=rate / 10, foreach=False)
    else:
        step = torch.optim.SGD(weights, lr=rate, momentum=0.9 * (optimiser == "momentum"))
    path = [first]
    for _ in range(steps):
        step.zero_grad()
        objective(Network(*weights), x, y, penalty, strength).backward()
        step.step()
        path.append(Network(*(w.detach().clone() for w in weights)))
    return path


def differences(one: list[Network], two: list[Network]) -> list[float]:
    """Return the largest difference of a weight after every step.

    Args:
        one: Iterates.
        two: Iterates of the other training.

    Returns:
        One number per iterate.
    """
    return [
        max(float((a - b).abs().max()) for a, b in zip(n.parameters, m.parameters, strict=True))
        for n, m in zip(one, two, strict=True)
    ]


def audit_twins(
    seed: int, steps: int, *, opposite: bool, factor: float = 1.0, tolerance: float = 0.0
) -> Finding:
    """Test that all weights of both trainings agree after every step, for three optimisers.

    Args:
        seed: Seed of the first weights.
        steps: Number of steps.
        opposite: Start from opposite columns in the last layer.
        factor: Factor of the strength of the mu^2 training.
        tolerance: Largest difference; 0 asks for the same bits.

    Returns:
        The finding; a counterexample names the optimiser.
    """
    x, y = digits_pair(120)
    first = start(x.shape[1], 12, seed, opposite=opposite)

    def worst(optimiser: str) -> float:
        one = train(first, x, y, "nu2", steps=steps, optimiser=optimiser)
        two = train(first, x, y, "mu2", strength=0.1 * factor, steps=steps, optimiser=optimiser)
        return max(differences(one, two))

    return collect(
        ((-worst(name), (i,), {"optimiser": name}) for i, name in enumerate(OPTIMISERS)),
        tolerance=tolerance,
        family=f"two-layer network on digits, all weights trained, {steps} steps",
    )
