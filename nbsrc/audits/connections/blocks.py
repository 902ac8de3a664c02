"""Section 3's list of layers: for which of them Lemma 3.2 holds with the local Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "NETWORKS",
    "PIECEWISE",
    "Attention",
    "HardAttention",
    "Residual",
    "audit_blocks",
    "pick",
    "two_tokens",
]

Builder = Callable[[], nn.Module]


class Residual(nn.Module):
    """``x + relu(W x)``: a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Shape ``[..., width]``.

        Returns:
            The same shape.
        """
        return x + torch.relu(self.layer(x))


class Attention(nn.Module):
    """Self-attention over the entries of the input as tokens of one number, without parameters."""

    def weights(self, scores: Tensor) -> Tensor:
        """Return the attention weights.

        Args:
            scores: Shape ``[..., tokens, tokens]``.

        Returns:
            The softmax of each row.
        """
        return torch.softmax(scores, -1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``sum_j w_ij x_j`` with weights from the scores ``x_i x_j``.

        Args:
            x: Shape ``[..., tokens]``.

        Returns:
            The same shape.
        """
        return (self.weights(x[..., :, None] * x[..., None, :]) * x[..., None, :]).sum(-1)


class HardAttention(Attention):
    """The same with all weight on the largest score: piecewise linear."""

    def weights(self, scores: Tensor) -> Tensor:
        """Return the attention weights.

        Args:
            scores: Shape ``[..., tokens, tokens]``.

        Returns:
            One for the largest score of each row, zero elsewhere.
        """
        return nn.functional.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores)


def _image(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Unflatten(-1, (1, 6, 6)), *layers, nn.Flatten(-3), nn.LazyLinear(2))


NETWORKS: Mapping[str, Builder] = {
    "biases": lambda: nn.Sequential(nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 2)),
    "leaky ReLU": lambda: nn.Sequential(nn.Linear(36, 8), nn.LeakyReLU(0.2), nn.Linear(8, 2)),
    "convolution": lambda: _image(nn.Conv2d(1, 3, 3), nn.ReLU()),
    "max pooling": lambda: _image(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2)),
    "average pooling": lambda: _image(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AvgPool2d(2)),
    "skip connection": lambda: nn.Sequential(Residual(36), Residual(36), nn.Linear(36, 2)),
    "batch norm, evaluating": lambda: _image(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU()),
    "hard attention": lambda: nn.Sequential(HardAttention(), nn.Linear(36, 2)),
    "softmax self-attention": lambda: nn.Sequential(Attention(), nn.Linear(36, 2)),
    "softplus": lambda: nn.Sequential(nn.Linear(36, 8), nn.Softplus(), nn.Linear(8, 2)),
}
PIECEWISE = tuple(name for name in NETWORKS if name not in {"softmax self-attention", "softplus"})


def audit_blocks(networks: Mapping[str, Builder], points: int, seed: int) -> Finding:
    """Test Lemma 3.2 with the local Jacobian against automatic differentiation of the network.

    Args:
        networks: Networks with two logits, by name.
        points: Points per network.
        seed: Seed of the weights and points.

    Returns:
        The finding; relative error of gradient and Hessian.
    """

    def cases() -> Iterator[Case]:
        for name, build in networks.items():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                network = build()
                inputs = _inputs(name)
                network(torch.zeros(1, len(inputs[0])))  # lazy layers learn their size
                network = network.double().eval().requires_grad_(requires_grad=False)
                drawn = [torch.randn(36, dtype=torch.float64) for _ in range(points)]
            for x in inputs if name == "two tokens" else drawn:
                error = max(_error(network, x, label) for label in (0, 1))
                size = (len(x), int(bool((x != x.round()).any())), int(x.abs().sum()))
                shown = {"network": name, "relative error": error}
                yield -error, size, {**shown, "x": x.tolist()} if len(x) < 4 else shown

    return collect(cases(), tolerance=1e-9, family="one small network per kind of layer")


def _inputs(name: str) -> list[Tensor]:
    if name == "two tokens":
        return [torch.tensor(x, dtype=torch.float32) for x in ([1.0, 0.0], [1.0, 2.0])]
    return [torch.zeros(36)]


def _error(network: nn.Module, x: Tensor, label: int) -> float:
    """Return the larger error of gradient and Hessian against Lemma 3.2."""

    def logits(point: Tensor) -> Tensor:
        z: Tensor = network(point[None])[0]
        return z

    def loss(point: Tensor) -> Tensor:
        return -torch.log_softmax(logits(point), -1)[label]

    p = torch.softmax(logits(x), -1)
    J = torch.autograd.functional.jacobian(logits, x)
    a, sign = J[0] - J[1], 1 - 2 * label
    slope = torch.autograd.functional.jacobian(loss, x)
    H = torch.autograd.functional.hessian(loss, x)
    return max(
        relative_error(-sign * p[1 - label] * a, slope),
        relative_error(p.prod() * torch.outer(a, a), H),
    )


def two_tokens() -> Mapping[str, Builder]:
    """Return the smallest softmax attention as a family for :func:`audit_blocks`.

    Returns:
        One network, tried at whole-number points.
    """
    return {"two tokens": Attention}


def pick(names: Iterable[str]) -> dict[str, Builder]:
    """Return some of :data:`NETWORKS`.

    Args:
        names: Their names.

    Returns:
        The networks by name.
    """
    return {name: NETWORKS[name] for name in names}
