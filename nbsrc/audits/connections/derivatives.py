"""Derivatives of the loss by automatic differentiation: the truth of this package's audits."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from nbsrc.audits.connections.instances import Instance

__all__ = ["gradient", "hessian", "jacobian", "taylor_loss"]


@lru_cache(maxsize=4096)
def gradient(instance: Instance) -> Tensor:
    """Return the gradient of the loss with respect to the input.

    Args:
        instance: The instance.

    Returns:
        Shape ``[n]``.
    """
    x = instance.x.clone().requires_grad_()
    return torch.autograd.grad(_at(instance)(x), x)[0]


@lru_cache(maxsize=4096)  # the same instances are audited many times
def hessian(instance: Instance) -> Tensor:
    """Return the Hessian of the loss with respect to the input.

    Args:
        instance: The instance.

    Returns:
        Shape ``[n, n]``.
    """
    result: Tensor = torch.autograd.functional.hessian(_at(instance), instance.x)
    return result


@lru_cache(maxsize=4096)
def jacobian(instance: Instance) -> Tensor:
    """Return the Jacobian of the logits, one row per class.

    Args:
        instance: The instance.

    Returns:
        Shape ``[K, n]``.
    """
    x = instance.x
    result: Tensor = torch.autograd.functional.jacobian(lambda u: instance.logits(u - x), x)
    return result


def taylor_loss(instance: Instance, r: Tensor) -> Tensor:
    """Return the second-order Taylor polynomial of the loss.

    Args:
        instance: The instance.
        r: Perturbations, shape ``[..., n]``.

    Returns:
        ``L + gradient . r + r^T H r / 2``, shape ``[...]``.
    """
    square = ((r @ hessian(instance)) * r).sum(-1)
    return instance.loss() + r @ gradient(instance) + square / 2


def _at(instance: Instance) -> Callable[[Tensor], Tensor]:
    def loss(point: Tensor) -> Tensor:
        return instance.loss(point - instance.x)

    return loss
