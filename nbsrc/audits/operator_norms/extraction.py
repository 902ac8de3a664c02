"""Section 7.9: five ways to extract a Jacobian, and how accurate they are in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from operator import methodcaller
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.linear_region import jacobian

__all__ = [
    "METHODS",
    "Extraction",
    "errors",
    "extraction",
]

#: The ways that need no parameter, and what they are called.
METHODS: dict[str, str] = {
    "backward": "backward pass per output",
    "vmap": "vmap of vjp",
    "masked": "product of masked matrices",
}


@dataclass(frozen=True, eq=False)
class Extraction:
    """A network in float32, an input, and the Jacobian in float64 of the same weights.

    Attributes:
        net: Linear layers and ReLUs.
        x: ``[n]``, float32.
        reference: ``[d, n]``, float64.
    """

    net: nn.Sequential
    x: Tensor
    reference: Tensor

    def run(self, inputs: Tensor, *, frozen: bool) -> Tensor:
        """Return the outputs, with the activation pattern of x held fixed or not.

        Args:
            inputs: ``[batch, n]``.
            frozen: Whether it is held fixed.

        Returns:
            ``[batch, d]``.
        """
        value, own = inputs, self.x
        with torch.no_grad():
            for layer in self.net:
                if isinstance(layer, nn.Linear):
                    value, own = layer(value), layer(own)
                else:
                    value = value * (own > 0) if frozen else value.clamp(min=0)
                    own = own.clamp(min=0)
        return value

    def backward(self) -> Tensor:
        """Return the Jacobian by one backward pass per output.

        Returns:
            ``[d, n]``.
        """
        return jacobian(self.net, self.x.unsqueeze(0))[0]

    def vmap(self) -> Tensor:
        """Return the Jacobian by one vectorised backward pass for all outputs.

        Returns:
            ``[d, n]``.
        """
        with torch.no_grad():
            outputs, pullback = torch.func.vjp(self.net, self.x)[:2]
            rows: Tensor = torch.func.vmap(pullback)(torch.eye(len(outputs)))[0]
        return rows

    def masked(self) -> Tensor:
        """Return the Jacobian by the product (2), from the output side.

        Returns:
            ``[d, n]``.
        """
        own, masks = self.x, []
        layers = [layer for layer in self.net if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer in layers[:-1]:
                own = layer(own)
                masks.append((own > 0).to(own.dtype))
                own = own.clamp(min=0)
            product_: Tensor = layers[-1].weight
            for layer, mask in zip(layers[-2::-1], masks[::-1], strict=True):
                product_ = (product_ * mask) @ layer.weight
        return product_

    def differences(self, h: float, *, frozen: bool) -> Tensor:
        """Return forward differences along the inputs, one after the other.

        Args:
            h: The step.
            frozen: Whether the pattern of x is held fixed.

        Returns:
            ``[d, n]``.
        """
        base = self.run(self.x.unsqueeze(0), frozen=frozen)
        columns = []
        for j in range(len(self.x)):
            moved = self.x.clone()
            moved[j] += h
            columns.append((self.run(moved.unsqueeze(0), frozen=frozen) - base)[0] / h)
        return torch.stack(columns, dim=1)

    def regression(
        self, samples: int, noise: float, generator: torch.Generator, *, frozen: bool = True
    ) -> Tensor:
        """Return the weight of a linear regression on random perturbations of x, with intercept.

        All of it is in single precision. (A least-squares solver in double precision averages the
        network's rounding away: with many samples the error comes to half that of a backward pass.)

        Args:
            samples: Number of perturbations.
            noise: Their standard deviation.
            generator: Source of the perturbations.
            frozen: Whether the pattern of x is held fixed, as in section 7.9.

        Returns:
            ``[d, n]``.
        """
        steps = noise * torch.randn(samples, len(self.x), generator=generator)
        inputs = self.x + steps
        design = torch.cat([inputs - self.x, torch.full((samples, 1), noise)], dim=1)
        outputs = self.run(inputs, frozen=frozen)
        # without pivoting: repeats to the last bit, and the columns are of one size anyway
        solution = torch.linalg.lstsq(design, outputs, driver="gels").solution
        weight: Tensor = solution[:-1].T
        return weight

    def error(self, found: Tensor) -> float:
        """Return the relative error in the Frobenius norm.

        Args:
            found: ``[d, n]``.

        Returns:
            The error.
        """
        difference = found.double() - self.reference
        return float(difference.norm() / self.reference.norm())


def extraction(widths: Sequence[int], seed: int) -> Extraction:
    """Return a random network with He's initialisation and a random input.

    Args:
        widths: Inputs, units of the hidden layers, outputs.
        seed: Seed.

    Returns:
        The case.
    """
    g = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layer = nn.Linear(fan_in, fan_out)
        layer.weight.data = torch.randn(fan_out, fan_in, generator=g) * (2 / fan_in) ** 0.5
        layer.bias.data = 0.1 * torch.randn(fan_out, generator=g)
        layers += [layer, nn.ReLU()]
    net = nn.Sequential(*layers[:-1])
    x = torch.rand(widths[0], generator=g)
    exact = Extraction(net, x, torch.zeros(1)).net.double()
    reference = jacobian(exact, x.double().unsqueeze(0))[0]
    return Extraction(net.float(), x, reference)


def errors(
    cases: Sequence[Extraction],
    steps: Iterable[float],
    factors: Iterable[float],
    noises: Sequence[float],
    seed: int,
) -> list[dict[str, Any]]:
    """Return the error of every method, the median and the largest over the cases.

    Args:
        cases: Networks of the same number of inputs.
        steps: Steps of the differences.
        factors: Samples of the regression, as multiples of the number of inputs + 1.
        noises: Standard deviations of its perturbations.
        seed: Seed of the perturbations.

    Returns:
        Rows with ``method``, ``parameter``, ``median`` and ``largest``.
    """
    rows: list[dict[str, Any]] = []

    def add(method: str, parameter: float | None, find: Callable[[Extraction], Tensor]) -> None:
        found = sorted(case.error(find(case)) for case in cases)
        middle, last = found[len(found) // 2], found[-1]
        rows.append({"method": method, "parameter": parameter, "median": middle, "largest": last})

    for name, words in METHODS.items():
        add(words, None, methodcaller(name))
    for h in steps:
        add("differences, live", h, methodcaller("differences", h, frozen=False))
        add("differences, frozen", h, methodcaller("differences", h, frozen=True))
    for factor, noise in product(factors, noises):
        g = torch.Generator().manual_seed(seed)
        samples = round(factor * (len(cases[0].x) + 1))
        find = methodcaller("regression", samples, noise, g)
        add(f"regression, {factor:g} (n + 1) samples", noise, find)
    return rows
