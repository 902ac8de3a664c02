"""Small networks of several architectures, on which Lemma 4.1 is tested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import torch
from torch import Tensor, nn

from nbsrc.audits.connections.compare import relative_error
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import loss_gradient, loss_hessian
from nbsrc.perturbation.networks import differentiable_piece

__all__ = ["architectures", "audit_architectures"]


def architectures(classes: int, seed: int) -> dict[str, nn.Module]:
    """Return small piecewise affine networks, and a smooth one, on ``1 x 4 x 4`` images.

    Args:
        classes: Number of outputs.
        seed: Seed of the weights, drawn from a generator of their own.

    Returns:
        The networks in float64 by name, in eval mode.
    """

    class Residual(nn.Module):
        """``x + relu(conv(x))``."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return x + torch.relu(self.conv(x))

    def image(*middle: nn.Module, size: int = 32) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1), *middle, nn.Flatten(), nn.Linear(size, classes)
        )

    def dense(activation: nn.Module, bias: bool = True) -> nn.Module:
        return nn.Sequential(
            nn.Flatten(), nn.Linear(16, 9, bias=bias), activation,
            nn.Linear(9, classes, bias=bias),
        )  # fmt: skip

    with torch.random.fork_rng(devices=[]):  # torch's own initialisation draws globally
        found = {
            "MLP without biases": dense(nn.ReLU(), bias=False),
            "MLP with biases": dense(nn.ReLU()),
            "MLP, leaky ReLU": dense(nn.LeakyReLU(0.2)),
            "convolution": image(nn.ReLU()),
            "convolution, max-pooling": image(nn.ReLU(), nn.MaxPool2d(2), size=8),
            "convolution, batch norm": image(nn.BatchNorm2d(2), nn.ReLU()),
            "residual": image(Residual(), nn.ReLU()),
            "softplus (smooth)": dense(nn.Softplus()),
        }
    g = torch.Generator().manual_seed(seed)
    for net in found.values():
        net.double().eval()
        for weight in net.parameters():
            weight.data = 0.5 * torch.randn(weight.shape, generator=g, dtype=torch.float64)
    return found


def audit_architectures(names: Iterable[str], classes: Iterable[int], seed: int) -> Finding:
    """Test Lemma 4.1's gradient and Hessian on networks, against automatic differentiation.

    Args:
        names: Names from :func:`architectures`.
        classes: Numbers of classes.
        seed: Seed.

    Returns:
        The finding; the slack is minus the relative error.
    """

    def cases() -> Iterator[Case]:
        g = torch.Generator().manual_seed(seed)
        for K, name in product(classes, names):
            net = architectures(K, seed)[name]
            x = torch.randn(1, 1, 4, 4, generator=g, dtype=torch.float64)
            label = int(torch.randint(K, (), generator=g))

            def loss(point: Tensor, net: nn.Module = net, label: int = label) -> Tensor:
                return -torch.log_softmax(net(point), -1)[0, label]

            logits, V = (value.detach()[0] for value in differentiable_piece(net, x))
            p = torch.softmax(logits, -1)
            H = torch.autograd.functional.hessian(loss, x).reshape(16, 16)
            slope = torch.autograd.functional.jacobian(loss, x).flatten()
            error = max(
                relative_error(loss_gradient(p, V, label), slope),
                relative_error(loss_hessian(p, V), H),
            )
            yield -error, (K, len(name)), {"network": name, "K": K}

    return collect(cases(), tolerance=1e-10, family="seven architectures, random images")
