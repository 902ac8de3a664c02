"""Training on the digits: standard, with the global regulariser (5), with the local one (7)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.audits.operator_norms.digits import (
    DigitsData,
    batched_jacobian,
    largest_gains,
    linear_layers,
    new_network,
)

__all__ = ["Amortised", "train"]


@dataclass
class Amortised:
    """How well the persistent vectors of the global regulariser follow the weights.

    Attributes:
        iterations: Power iterations per update.
        errors: Per update the largest relative error of an estimated norm.
        cosines: Per update the smallest cosine between a vector and the true one.
    """

    iterations: int
    errors: list[float] = field(default_factory=list)
    cosines: list[float] = field(default_factory=list)


def train(
    data: DigitsData,
    method: str,
    strength: float,
    seed: int,
    epochs: int,
    *,
    iterations: int = 5,
    record: Amortised | None = None,
) -> nn.Sequential:
    """Train a network with SGD with momentum.

    Args:
        data: The digits.
        method: "standard"; "local", equation (7); or "global", equation (5), whose vectors persist
            from one update to the next.
        strength: The factor of the regulariser, lambda.
        seed: Seed of weights, order of the images and starts.
        epochs: Passes over the training images.
        iterations: Power iterations per update.
        record: For "global": where to record the estimates.

    Returns:
        The network.
    """
    net = new_network(seed)
    g = torch.Generator().manual_seed(seed + 1)
    layers = linear_layers(net)
    vectors = [F.normalize(torch.randn(x.in_features, generator=g), dim=0) for x in layers]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for _ in range(epochs):
        for batch in torch.randperm(len(data.x), generator=g).split(64):
            x, y = data.x[batch], data.y[batch]
            loss = F.cross_entropy(net(x), y)
            if method == "local":
                start = torch.randn(x.shape, generator=g)
                sizes = largest_gains(batched_jacobian(net, x), iterations, start)
                loss = loss + strength / 2 * sizes.square().mean()
            elif method == "global":
                norms = [
                    largest_gains(layer.weight.unsqueeze(0), iterations, v.unsqueeze(0))[0]
                    for layer, v in zip(layers, vectors, strict=True)
                ]
                vectors = [
                    _step(x.weight, v, iterations) for x, v in zip(layers, vectors, strict=True)
                ]
                loss = loss + strength / 2 * torch.stack(norms).square().sum()
                if record is not None:
                    _note(record, layers, norms, vectors)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


def _step(W: Tensor, v: Tensor, iterations: int) -> Tensor:
    """Return the vector after the power iterations."""
    with torch.no_grad():
        for _ in range(iterations):
            v = F.normalize(W.T @ (W @ v), dim=0)
    return v


def _note(
    record: Amortised, layers: list[nn.Linear], norms: list[Tensor], vectors: list[Tensor]
) -> None:
    with torch.no_grad():
        errors, cosines = [], []
        for layer, norm, v in zip(layers, norms, vectors, strict=True):
            _, values, rows = torch.linalg.svd(layer.weight, full_matrices=False)
            errors.append(abs(1 - float(norm) / float(values[0])))
            cosines.append(abs(float(rows[0] @ v)))
        record.errors.append(max(errors))
        record.cosines.append(min(cosines))
