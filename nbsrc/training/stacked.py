"""Several networks of one architecture as one module, which runs them all in one forward."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

__all__ = ["Stacked"]


class Stacked(nn.Module):
    """Networks of equal architecture and type with their weights stacked (torch.func, vmap).

    A batch holds the examples of all networks one network after the other: with E networks, example
    i of network e is row ``e * n + i`` of ``E * n`` rows, and so are the logits. To everything that
    treats the rows of a batch alike, attacks and penalties that are means over examples, it is a
    network like any other. Its mode (training or evaluation) is that of all its layers.

    Attributes:
        members: Number of networks.
        weights: The stacked parameters, ``[members, *shape]`` each.
    """

    def __init__(self, models: Sequence[nn.Module]) -> None:
        """Copy the networks' weights.

        Raises:
            NotImplementedError: If a layer is random in training mode (dropout).
            ValueError: If there is no network, or they differ in more than the weights.
        """
        super().__init__()
        _check(models)
        parameters, buffers = stack_module_state(list(models))
        self.members = len(models)
        self._names, self._buffer_names = list(parameters), list(buffers)
        self.weights = nn.ParameterList(parameters.values())
        for number, buffer in enumerate(buffers.values()):
            self.register_buffer(f"buffer{number}", buffer)
        # What the layers do; it has no weights of its own and is no submodule.
        self.__dict__["_skeleton"] = copy.deepcopy(models[0]).to("meta")

    def forward(self, x: Tensor) -> Tensor:
        """Apply every network to its part of the batch.

        Args:
            x: ``[members * n, *input]``.

        Returns:
            ``[members * n, *output]``.

        Raises:
            ValueError: If the rows are no multiple of the number of networks.
        """
        if len(x) % self.members:
            raise ValueError(f"rows must be a multiple of {self.members}, got {len(x)}")
        skeleton: nn.Module = self.__dict__["_skeleton"]
        for module in skeleton.modules():
            module.training = self.training

        def one(weights: dict[str, Tensor], buffers: dict[str, Tensor], part: Tensor) -> Tensor:
            output: Tensor = functional_call(skeleton, (weights, buffers), (part,))
            return output

        outputs = torch.vmap(one)(
            dict(zip(self._names, self.weights, strict=True)),
            dict(zip(self._buffer_names, self._stacked_buffers(), strict=True)),
            x.unflatten(0, (self.members, -1)),
        )
        return outputs.flatten(0, 1)

    @torch.no_grad()
    def unstack(self, models: Sequence[nn.Module]) -> None:
        """Copy the weights back into networks.

        Args:
            models: As many networks of the same architecture.
        """
        for number, model in enumerate(models):
            for own, stacked in (
                (dict(model.named_parameters()), zip(self._names, self.weights, strict=True)),
                (
                    dict(model.named_buffers()),
                    zip(self._buffer_names, self._stacked_buffers(), strict=True),
                ),
            ):
                for name, tensor in stacked:
                    own[name].copy_(tensor[number])

    def finite(self) -> list[bool]:
        """Say which networks' weights are finite.

        Returns:
            One entry per network.
        """
        each = [p.detach().flatten(1).isfinite().all(dim=1) for p in self.weights]
        return [bool(entry) for entry in torch.stack(each).all(dim=0)]

    def _stacked_buffers(self) -> list[Tensor]:
        return [self.get_buffer(f"buffer{number}") for number in range(len(self._buffer_names))]


def _check(models: Sequence[nn.Module]) -> None:
    """Check that networks can be stacked.

    Raises:
        NotImplementedError: If a layer is random in training mode.
        ValueError: If there is none, or they differ in more than the weights.
    """
    if not models:
        raise ValueError("models must not be empty")
    for name, module in models[0].named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0:
            raise NotImplementedError(
                f"layer {name!r} ({type(module).__name__}) is random in training: train the "
                "networks one by one"
            )
    first = _shapes(models[0])
    for number, model in enumerate(models):
        if str(model) != str(models[0]) or _shapes(model) != first:
            raise ValueError(f"models must be of one architecture, but number {number} differs")


def _shapes(model: nn.Module) -> list[tuple[str, torch.Size, torch.dtype, torch.device]]:
    return [(name, t.shape, t.dtype, t.device) for name, t in model.state_dict().items()]
