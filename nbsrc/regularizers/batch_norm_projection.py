"""Projection of batch norm onto a norm ball after every step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nbsrc.layer_operators import kind_of
from nbsrc.regularizers._arguments import check_number, submodule
from nbsrc.regularizers.interface import Regularizer

__all__ = ["BatchNormProjection", "batch_norm_names"]


@dataclass(frozen=True, eq=False)
class BatchNormProjection(Regularizer):
    r"""Clip the scales of batch norm so that its norm at inference is at most a bound.

    .. math:: \gamma_i \leftarrow \mathrm{clip}\big(\gamma_i,\ \pm c\sqrt{\sigma_i^2+\epsilon}\big)

    Liang & Huang (2021), Appendix B.2, project the norms of batch norm to 5 after each step. This
    is the Euclidean projection of :math:`\gamma` onto all with
    :math:`\max_i|\gamma_i|/\sqrt{\sigma_i^2+\epsilon}\le c`, which is the l1, l2 and linf norm
    (:func:`nbsrc.batch_norm.batch_norm_norm`): every channel beyond the bound is clipped, with the
    running variance as it is at that moment. Whether the norm stays within the bound depends on
    the variance, which the next forward pass moves.

    Attributes:
        names: Names of batch norm layers, see :func:`nbsrc.regularizers.batch_norm_names`.
        bound: c, at least 0.

    Example:
        >>> net = nn.Sequential(nn.BatchNorm1d(2, eps=0.0))
        >>> _ = net[0].weight.data.copy_(torch.tensor([7.0, -1.0]))
        >>> BatchNormProjection(["0"], 5.0).after_step(net)
        >>> net[0].weight.tolist()
        [5.0, -1.0]
    """

    names: Iterable[str]
    bound: float

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            TypeError: If ``names`` is a string.
        """
        if isinstance(self.names, str):
            raise TypeError(f"names must be several names, got the string {self.names!r}")
        object.__setattr__(self, "names", tuple(self.names))
        check_number("bound", self.bound)

    def after_step(self, model: nn.Module) -> None:
        """Clip the scales.

        Args:
            model: The network.

        Raises:
            ValueError: If a layer is no batch norm, or has no scale or no running variance.
        """
        with torch.no_grad():
            for name in self.names:
                layer: Any = submodule(model, name)
                if kind_of(layer) != "batch-norm":
                    raise ValueError(
                        f"layer {name!r} must be a batch norm, got {type(layer).__name__}"
                    )
                if layer.weight is None:
                    raise ValueError(f"layer {name!r} has no scale to project (affine=False)")
                if layer.running_var is None:
                    raise ValueError(f"layer {name!r} has no running variance, so no fixed norm")
                limit = self.bound * (layer.running_var + layer.eps).sqrt()
                layer.weight.copy_(torch.minimum(torch.maximum(layer.weight, -limit), limit))


def batch_norm_names(model: nn.Module) -> list[str]:
    """The names of the batch norm layers of a model.

    Args:
        model: The network.

    Returns:
        The names, in the order of ``model.named_modules()``.

    Example:
        >>> batch_norm_names(nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2)))
        ['1']
    """
    return [name for name, module in model.named_modules() if kind_of(module) == "batch-norm"]
