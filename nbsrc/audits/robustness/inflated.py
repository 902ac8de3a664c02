"""Beyond Proposition 1: large layers around any function at all."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.robustness.zero import smallest_layer_norm
from nbsrc.claims import Finding
from nbsrc.constructions import inflate_norms, proves_same_function
from nbsrc.models import digits_cnn, initialise

__all__ = [
    "NetworkToInflate",
    "audit_inflated",
    "networks_to_inflate",
]


@dataclass(frozen=True)
class NetworkToInflate:
    """A network and inputs for it.

    Attributes:
        name: What it is.
        network: The network, in eval mode.
        inputs: A batch.
    """

    name: str
    network: nn.Sequential
    inputs: Tensor


def networks_to_inflate(count: int, seed: int) -> Iterator[NetworkToInflate]:
    """Yield random fully connected networks and small CNNs with batch norm, stride and padding.

    Args:
        count: Number of networks.
        seed: Seed of weights and inputs.

    Yields:
        The networks, every fourth one a CNN.
    """
    generator = torch.Generator().manual_seed(seed)
    for number in range(count):
        if number % 4 == 3:
            network = digits_cnn(generator=generator, channels=(3, 4, 2 + number % 3)).double()
            x = torch.rand(5, 1, 8, 8, generator=generator, dtype=torch.float64)
            yield NetworkToInflate("digits CNN", network.eval(), x)
            continue
        widths = [int(torch.randint(1, 7, (), generator=generator)) for _ in range(3 + number % 3)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        network = initialise(nn.Sequential(*layers[:-1]), generator).double()
        x = torch.randn(40, widths[0], generator=generator, dtype=torch.float64)
        name = "widths " + ", ".join(map(str, widths))
        yield NetworkToInflate(name, network.eval(), x)


def audit_inflated(
    cases: Iterable[NetworkToInflate], scale: float, *, tolerance: float, read_back: bool = False
) -> Finding:
    """Test that inflated networks compute the same function, with large layers.

    Equality is proven from the weights; outputs may differ by rounding, because a wider matrix may
    be added up in another order.

    Args:
        cases: Networks with inputs.
        scale: The norm wanted of every layer.
        tolerance: Rounding allowed for the outputs.
        read_back: Whether the layer behind reads the loud units (a control).

    Returns:
        The finding; the slack is the least of: relative excess of the layer norms over the scale,
        minus the largest difference of outputs, and -1 if the weights do not prove equality.
    """

    def judged() -> Iterator[Case]:
        for case in cases:
            large = inflate_norms(case.network, scale)
            if read_back:
                large = copy.deepcopy(large)
                pairs = list(zip(_linear_layers(case.network), _linear_layers(large), strict=True))
                before, reader = pairs[1 if isinstance(large[0], nn.Linear) else -1]
                reader.weight.data[:, before.in_features :] = 1.0  # all columns that were added
            with torch.no_grad():
                difference = float((large(case.inputs) - case.network(case.inputs)).abs().max())
            proof = 0.0 if proves_same_function(case.network, large) else -1.0
            excess = smallest_layer_norm(large, case.inputs) / scale - 1
            parameters = sum(x.numel() for x in case.network.parameters())
            shown = {"network": case.name, "difference": difference}
            yield min(excess, -difference, proof), (parameters,), shown

    return collect(judged(), tolerance=tolerance, family="random networks, vectors and images")


def _linear_layers(network: nn.Module) -> list[nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Linear)]
