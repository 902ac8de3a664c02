"""Spectral complexity, Definition 7: a product of norms, and what it bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.rescaling import weight_layers
from nbsrc.claims import Finding
from nbsrc.layer_spectra import LayerSpectrum, layer_spectra, spectral_complexity

__all__ = ["audit_complexity_bounds", "audit_complexity_invariance", "audit_complexity_is_product",
           "kernel_norms"]  # fmt: skip


def kernel_norms(net: nn.Sequential) -> float:
    """The product of the spectral norms of the weights as matrices, kernels flattened.

    Args:
        net: A network.

    Returns:
        The product; for convolutions not that of the operators.
    """
    weights = [m.weight.detach().double().flatten(1) for m in weight_layers(net)]
    return math.prod(float(torch.linalg.matrix_norm(W, 2)) for W in weights)


def audit_complexity_bounds(
    nets: Iterable[tuple[nn.Sequential, tuple[int, ...]]],
    complexity: Callable[[nn.Sequential, list[LayerSpectrum]], float],
    *,
    seed: int = 0,
) -> Finding:
    """Test that the spectral complexity is at least every Jacobian's norm.

    Args:
        nets: Networks and the shape of an input, batch dimension included.
        complexity: The product of the layers' norms, from the network and its records.
        seed: Seed of the inputs.

    Returns:
        The finding; the slack is relative to the larger side.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for number, (net, shape) in enumerate(nets):
            value = complexity(net, layer_spectra(net, shape))
            for _ in range(4):
                x = torch.randn(shape, generator=g, dtype=torch.float64).abs()
                J = torch.autograd.functional.jacobian(net.double(), x)
                found = float(torch.linalg.matrix_norm(J.reshape(-1, x.numel()), 2))
                shown = {"network": number, "complexity": value, "norm of a Jacobian": found}
                yield (value - found) / max(value, found), (number,), shown

    return collect(cases(), tolerance=1e-9, family="fully connected and convolutional networks")


def audit_complexity_invariance(
    pairs: Iterable[tuple[nn.Sequential, nn.Sequential, tuple[int, ...]]],
) -> Finding:
    """Test that a network and its rescaled copy have the same spectral complexity.

    Args:
        pairs: Networks, their copies, and the shape of an input, batch dimension included.

    Returns:
        The finding; the slack is minus the relative difference.
    """

    def cases() -> Iterator[Case]:
        for number, (*pair, shape) in enumerate(pairs):
            one, two = (spectral_complexity(layer_spectra(net, shape)) for net in pair)
            yield -abs(one - two) / max(one, two), (number,), {"one": one, "two": two}

    return collect(cases(), tolerance=1e-6, family="networks and rescaled copies")


def audit_complexity_is_product(
    nets: Iterable[tuple[nn.Sequential, tuple[int, ...]]], *, skip: int = 0
) -> Finding:
    """Test the spectral complexity against the layers' own forward on unit inputs.

    Args:
        nets: Networks and the shape of an input, batch dimension included.
        skip: Leave out this many layers: must break.

    Returns:
        The finding; the slack is minus the relative error.
    """

    def norms(net: nn.Sequential, shape: tuple[int, ...]) -> Iterator[float]:
        x = torch.zeros(shape, dtype=torch.float64)
        for module in net.double():
            if isinstance(module, nn.Conv2d | nn.Linear):
                eye = torch.eye(x.numel(), dtype=torch.float64).reshape(-1, *x.shape[1:])
                M = (module(eye) - module(torch.zeros_like(eye))).flatten(1)
                yield float(torch.linalg.matrix_norm(M, 2))
            x = module(x)

    def cases() -> Iterator[Case]:
        for number, (net, shape) in enumerate(nets):
            with torch.no_grad():
                truth = math.prod(list(norms(net, shape))[skip:])
            found = spectral_complexity(layer_spectra(net, shape))
            shown = {"network": number, "complexity": found, "product": truth}
            yield -abs(found - truth) / max(found, truth), (number,), shown

    return collect(cases(), tolerance=1e-9, family="fully connected and convolutional networks")
