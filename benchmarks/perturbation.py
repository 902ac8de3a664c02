r"""Speed of exact curvature: the spectral norm of a loss Hessian with respect to the input.

Three ways to :math:`\|H\|_2` for a 10-class network: the (K - 1) x (K - 1) eigenproblem of
``nbsrc.perturbation``, the dense Hessian of ``torch.func`` with ``eigvalsh``, and power iteration
on Hessian-vector products, run until it is as accurate.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.perturbation import network_hessian_spectrum
from nbsrc.timing import time_call

SIZES = (784, 3072)  # inputs of MNIST and of CIFAR-10
CLASSES = 10
BATCH = 128
ACCURACY = 1e-12  # relative error at which power iteration may stop
MOST_ITERATIONS = 5000
TARGET_CURVATURE = 15.0  # dense over exact


def curvature_rows(evaluations: int, budget: float) -> list[dict[str, Any]]:
    """Time every way for every input size."""
    return [curvature_row(n, evaluations, budget) for n in SIZES]


def curvature_row(n: int, evaluations: int, budget: float) -> dict[str, Any]:
    """Time every way for one input size, in float64, with a fixed random network."""
    generator = torch.Generator().manual_seed(0)
    net = lenet(n, generator)
    x = torch.rand(BATCH, n, generator=generator, dtype=torch.float64)
    start = torch.randn(n, generator=generator, dtype=torch.float64)
    spectrum = network_hessian_spectrum(net, x[:1])
    norm = float(spectrum.spectral_norm)
    power, iterations = power_iteration(net, x[:1], start, lambda v: abs(v / norm - 1) <= ACCURACY)
    timings = {
        "exact": time_call(lambda: exact_norm(net, x[:1]), evaluations, budget=budget),
        "dense": time_call(lambda: dense_norm(net, x[0]), evaluations, budget=budget),
        "power_iteration": time_call(
            lambda: power_iteration(net, x[:1], start, after(iterations)),
            evaluations,
            budget=budget,
        ),
        "batch": time_call(lambda: network_hessian_spectrum(net, x), evaluations, budget=budget),
    }
    exact = timings["exact"].median
    return {
        "inputs": n,
        "classes": CLASSES,
        "norm": norm,
        "second_over_first_eigenvalue": float(spectrum.eigenvalues[0, 1]) / norm,
        "dense_relative_difference": abs(dense_norm(net, x[0]) / norm - 1),
        "power_iterations": iterations,
        "power_relative_error": abs(power / norm - 1),
        "power_relative_error_after_10": abs(
            power_iteration(net, x[:1], start, after(10))[0] / norm - 1
        ),
        "timings": {name: timing.as_dict() for name, timing in timings.items()},
        "ratios": {
            "dense_to_exact": timings["dense"].median / exact,
            "power_iteration_to_exact": timings["power_iteration"].median / exact,
        },
        "batch": BATCH,
        "batch_per_second": BATCH / timings["batch"].median,
    }


def lenet(n: int, generator: torch.Generator) -> nn.Module:
    """Three layers, n-300-100-10, with random weights."""
    widths = (n, 300, 100, CLASSES)
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layer = nn.Linear(fan_in, fan_out, dtype=torch.float64)
        with torch.no_grad():
            weight = torch.randn(fan_out, fan_in, generator=generator, dtype=torch.float64)
            layer.weight.copy_(weight * (2 / fan_in) ** 0.5)
            layer.bias.zero_()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def exact_norm(net: nn.Module, x: Tensor) -> float:
    """The norm from the small eigenproblem."""
    return float(network_hessian_spectrum(net, x).spectral_norm)


def dense_norm(net: nn.Module, x: Tensor) -> float:
    """The norm from the n x n Hessian."""

    def loss(point: Tensor) -> Tensor:
        return F.cross_entropy(net(point.unsqueeze(0)), torch.zeros(1, dtype=torch.long))

    hessian = torch.func.hessian(loss)(x).detach()
    return float(torch.linalg.eigvalsh(hessian)[-1])


def power_iteration(
    net: nn.Module, x: Tensor, start: Tensor, stop: Callable[[float], bool]
) -> tuple[float, int]:
    """Rayleigh quotients from Hessian-vector products, until ``stop`` or MOST_ITERATIONS."""
    inputs = x.clone().requires_grad_()
    loss = F.cross_entropy(net(inputs), torch.zeros(len(x), dtype=torch.long))
    (gradient,) = torch.autograd.grad(loss, inputs, create_graph=True)
    v, iteration = start / start.norm(), 0
    while iteration < MOST_ITERATIONS:
        iteration += 1
        (product,) = torch.autograd.grad(gradient, inputs, v.unsqueeze(0), retain_graph=True)
        quotient = float(v @ product[0])
        if stop(quotient):
            break
        v = product[0] / product.norm()
    return quotient, iteration


def after(iterations: int) -> Callable[[float], bool]:
    """Stop after so many iterations."""
    left = iterations

    def stop(_: float) -> bool:
        nonlocal left
        left -= 1
        return left <= 0

    return stop


def curvature_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The rows as text, and the target, met or missed."""
    lines = [f"||H||_2 of the loss of a {CLASSES}-class network (milliseconds per input)"]
    for row in rows:
        times = {name: 1e3 * timing["median"] for name, timing in row["timings"].items()}
        ratio = row["ratios"]["dense_to_exact"]
        word = "met" if ratio >= TARGET_CURVATURE else "missed"
        lines += [
            f"  {row['inputs']} inputs: exact {times['exact']:.3f}, dense Hessian and eigvalsh "
            f"{times['dense']:.1f}, power iteration {times['power_iteration']:.1f} "
            f"({row['power_iterations']} products to a relative error of "
            f"{row['power_relative_error']:.1e}; {row['power_relative_error_after_10']:.1e} "
            f"after 10)",
            f"  dense over exact {ratio:.0f} (target {TARGET_CURVATURE:g}: {word}), power "
            f"iteration over exact {row['ratios']['power_iteration_to_exact']:.1f}, batches of "
            f"{row['batch']}: {row['batch_per_second']:.0f} inputs per second",
        ]
    return lines
