"""How a step is computed: clipped gradients, bfloat16, channels last, deterministic algorithms.

Everything here is off by default, and everything global is as before afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from nbsrc.training.settings import TrainingSettings

__all__ = ["Precision", "arithmetic", "clip_gradients", "clip_hook"]

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
_REPEATABLE = (":4096:8", ":16:8")  # with these values cuBLAS repeats its results


@contextmanager
def arithmetic(model: nn.Module, settings: TrainingSettings) -> Iterator[None]:
    """Bring the network into the settings' memory format and torch into its deterministic mode.

    Args:
        model: The network.
        settings: ``channels_last`` and ``deterministic`` count.

    Yields:
        Nothing.
    """
    with ExitStack() as stack:
        if settings.deterministic:
            stack.enter_context(_deterministic())
        if settings.channels_last:
            stack.enter_context(_channels_last(model))
        yield


class Precision:
    """The type in which a network computes its logits; penalties and losses get them in float32."""

    def __init__(self, model: nn.Module, precision: str) -> None:
        """Check that the network can compute in this type.

        Raises:
            ValueError: If it is bfloat16 and the weights are not float32.
        """
        self._model, self._active = model, precision == "bfloat16"
        types = {p.dtype for p in model.parameters()}
        if self._active and types != {torch.float32}:
            raise ValueError(f"precision bfloat16 needs a network of float32 weights, got {types}")

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Let the network's forward run under autocast for a while.

        Gradients run in the types of their forward. Nothing else is under autocast: weights,
        optimiser, what a regulariser computes of the weights, and its derivatives in forward mode
        (``torch.func.jvp``) stay float32.

        Yields:
            Nothing.
        """
        if not self._active:
            yield
            return
        plain, kind = self._model.forward, next(self._model.parameters()).device.type

        def forward(*inputs: Tensor, **options: Any) -> Tensor:
            # Under autocast, torch leaves tangents of forward mode in float32 and then stumbles.
            dual = any(forward_ad.unpack_dual(x).tangent is not None for x in inputs)
            # No cache: cast weights must not outlive the transform that they were cast in.
            with torch.autocast(kind, torch.bfloat16, enabled=not dual, cache_enabled=False):
                logits: Tensor = plain(*inputs, **options)
            return logits.float()

        self._model.__dict__["forward"] = forward
        try:
            yield
        finally:
            del self._model.__dict__["forward"]


@torch.no_grad()
def clip_gradients(gradients: list[Tensor], bound: float, *, members: bool = False) -> Tensor:
    """Scale gradients down, in place, so that their total 2-norm is at most a bound.

    Norms are computed in float64, where the squares of finite float32 numbers stay finite. A
    gradient within the bound keeps its bits; one that is not finite becomes NaN, so that the
    training is seen to diverge.

    Args:
        gradients: The gradients of all parameters.
        bound: The bound.
        members: Whether the first dimension counts networks that are clipped one by one.

    Returns:
        The norm before, or one norm per network.
    """
    rows = [g.reshape(len(g), -1) if members else g.reshape(-1) for g in gradients]
    each = [torch.linalg.vector_norm(row, dim=-1, dtype=torch.float64) for row in rows]
    total: Tensor = torch.linalg.vector_norm(torch.stack(each), dim=0)
    factor = torch.where(total.isfinite(), (bound / total).clamp(max=1), torch.nan)
    for gradient in gradients:
        shaped = factor.view(-1, *[1] * (gradient.ndim - 1)) if members else factor
        gradient.mul_(shaped.to(gradient.dtype))
    return total


def clip_hook(
    optimizer: torch.optim.Optimizer, bound: float | None, *, members: bool = False
) -> None:
    """Let an optimiser clip the gradients before every step, after all edits of a regulariser.

    Args:
        optimizer: The optimiser.
        bound: Bound of the total 2-norm; nothing happens for None.
        members: As for :func:`clip_gradients`.
    """
    if bound is None:
        return
    limit = bound

    def clip(stepping: torch.optim.Optimizer, *_: object) -> None:
        parameters = [p for group in stepping.param_groups for p in group["params"]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if gradients:
            clip_gradients(gradients, limit, members=members)

    optimizer.register_step_pre_hook(clip)


@contextmanager
def _channels_last(model: nn.Module) -> Iterator[None]:
    """Keep the weights of convolutions channels last for a while, then contiguous again."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        yield
    finally:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


@contextmanager
def _deterministic() -> Iterator[None]:
    """Let torch use deterministic algorithms only, on a CPU and on a GPU."""
    mode = torch.get_deterministic_debug_mode()
    benchmark, workspace = torch.backends.cudnn.benchmark, os.environ.get(_CUBLAS)
    if workspace not in _REPEATABLE:
        os.environ[_CUBLAS] = _REPEATABLE[0]
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.benchmark = benchmark
        if workspace is None:
            os.environ.pop(_CUBLAS, None)
        else:
            os.environ[_CUBLAS] = workspace
