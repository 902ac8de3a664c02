"""What a regulariser may do in a training step, and how several of them act together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Composition", "Regularizer", "compose", "training_step"]


class Regularizer:
    """Four hooks of a training loop, each of which does nothing unless a subclass overrides it.

    A loop calls them in this order, see :func:`training_step`: the loss and :meth:`penalty`,
    backward, :meth:`after_backward`, the optimiser's step, :meth:`after_step`, and
    :meth:`after_epoch` at the end of an epoch. A regulariser holds its settings and its own state
    only. No hook changes torch's global random state, the mode of a module, ``requires_grad`` or a
    buffer of the model. Layers are found by name, so a copy of the model works too.
    """

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor | None:
        """The term added to the loss.

        Args:
            model: The network.
            x: The inputs of the batch, ``[batch, *input]``.
            y: Its labels, ``[batch]``.
            logits: The network's outputs for them as the loop computed them, with their graph.

        Returns:
            A 0-d tensor with a graph, or None for no term.
        """
        return None

    def after_backward(self, model: nn.Module) -> None:
        """Edit the gradients.

        Args:
            model: The network.
        """

    def after_step(self, model: nn.Module) -> None:
        """Edit the parameters after a step of the optimiser.

        Args:
            model: The network.
        """

    def after_epoch(self, model: nn.Module) -> None:
        """Edit the parameters after an epoch.

        Args:
            model: The network.
        """

    def state_dict(self) -> dict[str, Any]:
        """The state that a resumed run needs: momenta, vectors, states of generators.

        Returns:
            A dictionary of tensors, numbers and dictionaries, for ``torch.save``.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the state of another regulariser with the same settings.

        Args:
            state: What its :meth:`state_dict` returned.

        Raises:
            ValueError: If the state belongs to another kind of regulariser.
        """
        if state:
            raise ValueError(
                f"{type(self).__name__} has no state, got one with {', '.join(sorted(state))}"
            )


class Composition(Regularizer):
    """Several regularisers as one: penalties add up, the other hooks run in the order given.

    The order matters where one part edits what another one has edited: a projection after a step
    belongs behind whatever it should have the last word on.

    Attributes:
        parts: The regularisers, compositions among them taken apart.
    """

    parts: tuple[Regularizer, ...]

    def __init__(self, *regularizers: Regularizer) -> None:
        """Collect the parts.

        Raises:
            TypeError: If an argument is no regulariser.
        """
        parts: list[Regularizer] = []
        for position, part in enumerate(regularizers, start=1):
            if not isinstance(part, Regularizer):
                raise TypeError(
                    f"argument {position} of compose must be a Regularizer, "
                    f"got {type(part).__name__}"
                )
            parts += part.parts if isinstance(part, Composition) else (part,)
        self.parts = tuple(parts)

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> Tensor | None:
        """The sum of the penalties.

        Args:
            model: The network.
            x: ``[batch, *input]``.
            y: ``[batch]``.
            logits: The network's outputs with their graph.

        Returns:
            The sum, None if no part has a penalty.
        """
        total = None
        for part in self.parts:
            term = part.penalty(model, x, y, logits)
            if term is not None:
                total = term if total is None else total + term
        return total

    def after_backward(self, model: nn.Module) -> None:
        """Call the hook of every part.

        Args:
            model: The network.
        """
        for part in self.parts:
            part.after_backward(model)

    def after_step(self, model: nn.Module) -> None:
        """Call the hook of every part.

        Args:
            model: The network.
        """
        for part in self.parts:
            part.after_step(model)

    def after_epoch(self, model: nn.Module) -> None:
        """Call the hook of every part.

        Args:
            model: The network.
        """
        for part in self.parts:
            part.after_epoch(model)

    def state_dict(self) -> dict[str, Any]:
        """The states of the parts, by position and class.

        Returns:
            One entry per part.
        """
        return {_key(number, part): part.state_dict() for number, part in enumerate(self.parts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give every part its state.

        Args:
            state: What :meth:`state_dict` of an equal composition returned.

        Raises:
            ValueError: If the parts are others.
        """
        keys = [_key(number, part) for number, part in enumerate(self.parts)]
        if list(state) != keys:
            raise ValueError(f"the state must be of the parts {keys}, got {list(state)}")
        for key, part in zip(keys, self.parts, strict=True):
            part.load_state_dict(state[key])


def _key(number: int, part: Regularizer) -> str:
    return f"{number}:{type(part).__name__}"


def compose(*regularizers: Regularizer) -> Composition:
    """Several regularisers as one.

    Args:
        regularizers: Any number of them; none gives a regulariser that does nothing.

    Returns:
        The composition.

    Raises:
        TypeError: If an argument is no regulariser.

    Example:
        >>> compose(Regularizer(), compose(Regularizer())).parts.__len__()
        2
    """
    return Composition(*regularizers)


def training_step(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    optimizer: torch.optim.Optimizer,
    regularizer: Regularizer,
) -> Tensor:
    """One step on the mean cross-entropy with a regulariser; the epoch's hook is the caller's.

    Args:
        model: The network, in the mode in which to train it.
        x: ``[batch, *input]``.
        y: Labels ``[batch]``.
        optimizer: The optimiser of the network's parameters.
        regularizer: One regulariser, or a composition.

    Returns:
        The loss with the penalty, detached.
    """
    logits = model(x)
    loss: Tensor = F.cross_entropy(logits, y)
    term = regularizer.penalty(model, x, y, logits)
    if term is not None:
        loss = loss + term
    optimizer.zero_grad()
    loss.backward()
    regularizer.after_backward(model)
    optimizer.step()
    regularizer.after_step(model)
    return loss.detach()
