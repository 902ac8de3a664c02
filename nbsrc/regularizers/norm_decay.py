r"""Norm decay: Algorithm 1 of Liang & Huang (2021), and the variant of their Appendix C."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.conv import geometry_norms
from nbsrc.regularizers._arguments import add_to_gradient, check_number, check_word
from nbsrc.regularizers.interface import Regularizer
from nbsrc.regularizers.layers import WeightLayer
from nbsrc.regularizers.subgradient import ActiveWeights, active_weights

__all__ = ["NormDecay"]

_MOMENTA = ("average", "copy")


@dataclass(frozen=True, eq=False)
class NormDecay(Regularizer):
    r"""Gradient of :math:`\frac\beta N\sum_i\|\theta^{(i)}\|_p` with momentum, p = 1 or infinity.

    Equation (5) and Algorithm 1, with the exact norms of :func:`nbsrc.conv.geometry_norms`: p is
    the subgradient of a layer's norm, h its running mean, and :math:`\frac\beta Nh` is added to
    the gradients. With :math:`\gamma=0` a step of SGD is a step on equation (5).

    .. math:: h \leftarrow \gamma h + (1-\gamma)p

    ``momentum="copy"`` is Appendix C: h is multiplied by :math:`\gamma`, then the nonzero entries
    of p are written over those of h. Where p is constant, h is p at once and the average only in
    the limit; where p is rarely active, h is larger than the average by nearly
    :math:`1/(1-\gamma)`.

    Ties. Where several rows or columns attain the maximum, p belongs to the first, as the gradient
    of :func:`nbsrc.conv.conv_norm` does; at a weight 0 it is 0. Both are subgradients, so a tie
    broken otherwise gives another, equally valid step. Weights that are NaN give NaN gradients.

    Attributes:
        layers: The layers, see :func:`nbsrc.regularizers.weight_layers`; their number is N.
        order: p, 1 or ``math.inf``.
        beta: :math:`\beta`, at least 0.
        gamma: :math:`\gamma`, in [0, 1); the paper uses 0.5.
        momentum: ``"average"`` or ``"copy"``.

    Example:
        >>> from nbsrc.regularizers import weight_layers
        >>> net = nn.Linear(2, 1, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0, -4.0]]))
        >>> decay = NormDecay(weight_layers(net, (1, 2)), order=1, beta=1.0, gamma=0.0)
        >>> decay.after_backward(net)
        >>> net.weight.grad.tolist(), decay.value(net).item()
        ([[0.0, -1.0]], 4.0)
    """

    layers: tuple[WeightLayer, ...]
    order: float
    beta: float
    gamma: float = 0.5
    momentum: str = "average"
    _h: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            NotImplementedError: If the norm of a layer is not known.
            ValueError: If there is no layer, or a setting is out of range.
        """
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("layers must not be empty: the norms are averaged over them")
        check_word("order", self.order, (1, math.inf))
        check_number("beta", self.beta)
        check_number("gamma", self.gamma, below=1.0)
        check_word("momentum", self.momentum, _MOMENTA)
        for layer in self.layers:
            layer.known_geometry(f"l{self.order:g} norm")

    def after_backward(self, model: nn.Module) -> None:
        r"""Update h and add :math:`\frac\beta Nh` to the gradients of the weights.

        Args:
            model: The network.
        """
        with torch.no_grad():
            for layer in self.layers:
                weight = layer.weight(model)
                h = self._moved(layer, weight)
                add_to_gradient(
                    f"the weight of layer {layer.name!r}", weight, h, self.beta / len(self.layers)
                )

    def value(self, model: nn.Module) -> Tensor:
        r"""The penalty :math:`\frac\beta N\sum_i\|\theta^{(i)}\|_p`, for records.

        Args:
            model: The network.

        Returns:
            A 0-d tensor with a graph.
        """
        return self.beta * torch.stack(list(self.norms(model).values())).mean()

    def norms(self, model: nn.Module) -> dict[str, Tensor]:
        """The norms of the layers.

        Args:
            model: The network.

        Returns:
            A 0-d tensor with a graph by the name of each layer.
        """
        found = {}
        for layer in self.layers:
            found[layer.name] = geometry_norms(
                layer.kernel(layer.weight(model)),
                layer.known_geometry("norm"),
                (self.order,),
                groups=layer.groups,
                transposed=layer.kind == "conv-transpose",
            )[self.order]
        return found

    def state_dict(self) -> dict[str, Any]:
        """The momentum h.

        Returns:
            Copies of h by the name of each layer.
        """
        return {"h": {name: h.clone() for name, h in self._h.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the momentum.

        Args:
            state: What :meth:`state_dict` returned.

        Raises:
            ValueError: If h belongs to other layers or has another shape.
        """
        shapes = {layer.name: layer.weight_shape for layer in self.layers}
        for name, h in state["h"].items():
            if shapes.get(name) != tuple(h.shape):
                raise ValueError(f"h of layer {name!r} must be of shape {shapes.get(name)}, got "
                                 f"{tuple(h.shape)}")  # fmt: skip
        self._h.clear()
        self._h.update({name: h.clone() for name, h in state["h"].items()})

    def _moved(self, layer: WeightLayer, weight: Tensor) -> Tensor:
        """Return h of a layer after line 5 of the algorithm."""
        kept = self._h.get(layer.name)
        h = torch.zeros_like(weight) if kept is None else kept.to(weight)
        self._h[layer.name] = h.detach()
        active = active_weights(
            layer.kernel(weight),
            layer.known_geometry("norm"),
            self.order,
            groups=layer.groups,
            transposed=layer.kind == "conv-transpose",
        )
        h.mul_(self.gamma)
        self._write(layer.kernel(h).flatten(2), active)
        return h

    def _write(self, h: Tensor, active: ActiveWeights) -> None:
        """Bring the new subgradient into h, ``[d_out, d_in/groups, taps]``, in place."""
        if self.momentum == "average":
            h.index_put_(active.index, active.values * (1 - self.gamma), accumulate=True)
        else:
            old = h[active.index]
            h.index_put_(active.index, torch.where(active.values != 0, active.values, old))
