"""Global spectral norm regularisation (Yoshida & Miyato 2017), one power iteration per step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.regularizers._arguments import check_count, check_generator, check_number, check_word
from nbsrc.regularizers.interface import Regularizer
from nbsrc.regularizers.layers import WeightLayer

__all__ = ["GlobalSpectral"]

_OPERATORS = ("reshaped", "layer")


@dataclass(frozen=True, eq=False)
class GlobalSpectral(Regularizer):
    r"""The penalty :math:`\frac\lambda2\sum_\ell\sigma(W^\ell)^2`, equation (5) of Roth et al.

    Each call does a few power iterations (4) from the vectors that the last call left, and the
    gradient is :math:`\lambda\sigma uv^\top` with u and v held fixed. :math:`\sigma=u^\top Wv` is
    a lower bound that tends to the norm while the weights move little.

    W is the weight reshaped to a matrix, one row per entry of its first dimension, as Yoshida &
    Miyato have it for convolutions; or the layer itself as a linear map on its inputs, whose norm
    is what bounds the network's. For linear layers they are the same.

    Attributes:
        layers: The layers, see :func:`nbsrc.regularizers.weight_layers`.
        strength: :math:`\lambda`, at least 0.
        generator: Source of the start vectors.
        operator: ``"reshaped"`` or ``"layer"``.
        iterations: Power iterations per call.

    Example:
        >>> from nbsrc.regularizers import weight_layers
        >>> net = nn.Linear(2, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        >>> draw = torch.Generator().manual_seed(0)
        >>> penalty = GlobalSpectral(weight_layers(net, (1, 2)), 1.0, draw, iterations=50)
        >>> x, y = torch.zeros(1, 2), torch.tensor([0])
        >>> round(penalty.penalty(net, x, y, net(x)).item(), 4)
        4.5
    """

    layers: tuple[WeightLayer, ...]
    strength: float
    generator: torch.Generator
    operator: str = "reshaped"
    iterations: int = 1
    _v: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            ValueError: If there is no layer, or a setting is out of range.
        """
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("layers must not be empty")
        check_number("strength", self.strength)
        check_generator("generator", self.generator)
        check_word("operator", self.operator, _OPERATORS)
        check_count("iterations", self.iterations)

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor:
        """The penalty.

        Args:
            model: The network.
            x: Not used.
            y: Not used.
            logits: Not used.

        Returns:
            A 0-d tensor.
        """
        squares = [sigma.square() for sigma in self.norms(model).values()]
        return self.strength / 2 * torch.stack(squares).sum()

    def norms(self, model: nn.Module) -> dict[str, Tensor]:
        """Iterate once more, and return the estimates of the norms.

        Args:
            model: The network.

        Returns:
            A 0-d tensor with a graph by the name of each layer.
        """
        found = {}
        for layer in self.layers:
            weight = layer.weight(model)
            v = self._vector(layer, weight)
            fixed = weight.detach()
            for _ in range(self.iterations):
                u = _unit(self._apply(layer, model, fixed, v), None)
                v = _unit(self._adjoint(layer, model, fixed, u), v)
            self._v[layer.name] = v
            u = _unit(self._apply(layer, model, fixed, v), None)
            found[layer.name] = (u * self._apply(layer, model, weight, v)).sum()
        return found

    def state_dict(self) -> dict[str, Any]:
        """The vectors and the generator's state.

        Returns:
            Copies of the vectors by the name of each layer, and the state.
        """
        vectors = {name: v.clone() for name, v in self._v.items()}
        return {"v": vectors, "generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over vectors and the generator's state.

        Args:
            state: What :meth:`state_dict` returned.

        Raises:
            ValueError: If there are vectors of other layers.
        """
        unknown = sorted(set(state["v"]) - {layer.name for layer in self.layers})
        if unknown:
            raise ValueError(f"the state has vectors of layers that are not regularised: {unknown}")
        self._v.clear()
        self._v.update({name: v.clone() for name, v in state["v"].items()})
        self.generator.set_state(state["generator"])

    def _vector(self, layer: WeightLayer, weight: Tensor) -> Tensor:
        """Return the vector that the last call left, or a random one."""
        if layer.name in self._v:
            return self._v[layer.name].to(weight)
        shape: tuple[int, ...] = (1, *layer.input_shape)
        if self.operator == "reshaped":
            shape = (weight[0].numel(),)
        drawn = torch.randn(
            shape, generator=self.generator, dtype=torch.float64, device=self.generator.device
        )
        return _unit(drawn.to(weight), None)

    def _apply(self, layer: WeightLayer, model: nn.Module, weight: Tensor, v: Tensor) -> Tensor:
        if self.operator == "reshaped":
            return weight.flatten(1) @ v
        return layer.apply(model, weight, v)

    def _adjoint(self, layer: WeightLayer, model: nn.Module, weight: Tensor, u: Tensor) -> Tensor:
        if self.operator == "reshaped":
            return weight.flatten(1).T @ u
        with torch.enable_grad():
            zero = torch.zeros(1, *layer.input_shape, dtype=u.dtype, device=u.device)
            image = layer.apply(model, weight, zero.requires_grad_())
            (back,) = torch.autograd.grad(image, zero, u)
        return back


def _unit(vector: Tensor, otherwise: Tensor | None) -> Tensor:
    """Return a vector of length 1; where it is 0, another one or itself."""
    length = torch.linalg.vector_norm(vector)
    unit = vector / torch.where(length > 0, length, torch.ones_like(length))
    return unit if otherwise is None else torch.where(length > 0, unit, otherwise)
