"""Time the norms of the kernels of Table 1 of Liang & Huang (2021), all methods side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nbsrc.conv import conv_norm
from nbsrc.conv_baselines import circulant_spectral_norm, power_iteration_autograd
from nbsrc.timing import time_call, time_calls

__all__ = ["IMAGE_SIZE", "METHODS", "TABLE1_KERNELS", "table1_row", "table1_weight"]

#: The paper's kernels as printed: (kernel height, kernel width, input channels, output channels).
TABLE1_KERNELS: tuple[tuple[int, int, int, int], ...] = (
    (3, 3, 32, 32),
    (3, 3, 32, 128),
    (3, 3, 128, 256),
    (3, 3, 256, 512),
    (5, 5, 256, 128),
    (5, 5, 512, 256),
)
#: Input height and width: that of CIFAR-10.
IMAGE_SIZE = 32
#: ``limit`` is one pass over the kernel, the least that an exact l1 or linf norm can cost.
METHODS = ("limit", "l1", "linf", "fro", "power_iteration", "fft_svd")
_BASELINES = ("power_iteration", "fft_svd")


def table1_weight(kernel: tuple[int, int, int, int], *, seed: int = 0) -> Tensor:
    """Return normal weights of a kernel, variance 2 / fan-in, in float32.

    Args:
        kernel: (kernel height, kernel width, input channels, output channels).
        seed: Seed of the weights.

    Returns:
        The weight, ``[d_out, d_in, k1, k2]``.
    """
    k1, k2, d_in, d_out = kernel
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(d_out, d_in, k1, k2, generator=generator)
    return weight * math.sqrt(2 / (d_in * k1 * k2))


def table1_row(
    kernel: tuple[int, int, int, int],
    *,
    methods: Sequence[str] = METHODS,
    repeats: int = 100,
    budget: float = 2.0,
    iterations: int = 100,
    seed: int = 0,
) -> dict[str, Any]:
    """Time one kernel of the table at 32x32 with padding k//2 and stride 1.

    The limit and our norms are timed in turns after a first call that is not counted. A baseline
    is called once, and again only as often as fits into its budget.

    Args:
        kernel: (kernel height, kernel width, input channels, output channels).
        methods: Which of ``METHODS`` to time.
        repeats: Largest number of timed calls per method.
        budget: Seconds for our norms together with the limit, and for each of the baselines.
        iterations: Iterations of power iteration per call.
        seed: Seed of the weights.

    Returns:
        Plain JSON values: ``kernel``, ``megabytes``, ``iterations``, ``timings`` (seconds per
        method, see :class:`nbsrc.timing.Timing`), ``values`` (the norm or estimate of each method
        but the limit) and ``ratios`` of medians: ``l1_to_limit``, ``linf_to_limit``,
        ``fro_to_limit``, ``power_iteration_to_l1``, ``fft_svd_to_l1`` and the same with linf.

    Raises:
        ValueError: If a method is unknown.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise ValueError(f"methods must be among {METHODS}, got {unknown}")
    weight = table1_weight(kernel, seed=seed)
    calls = {name: call for name, call in _calls(weight, iterations).items() if name in methods}
    values: dict[str, float] = {}
    baselines = {name: calls.pop(name) for name in _BASELINES if name in calls}
    timings = time_calls(calls, repeats, budget=budget, warm_up=2) if calls else {}
    values.update({name: float(call()) for name, call in calls.items() if name != "limit"})

    for name, call in baselines.items():

        def keep(name: str = name, call: Callable[[], Tensor] = call) -> None:
            values[name] = float(call())

        timings[name] = time_call(keep, repeats, budget=budget, warm_up=0)
    return {
        "kernel": list(kernel),
        "megabytes": round(weight.numel() * weight.element_size() / 1e6, 3),
        "iterations": iterations,
        "timings": {name: timing.as_dict() for name, timing in timings.items()},
        "values": values,
        "ratios": _ratios({name: timing.median for name, timing in timings.items()}),
    }


def _calls(weight: Tensor, iterations: int) -> dict[str, Callable[[], Tensor]]:
    """Return what each method computes."""
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    return {
        "limit": lambda: weight.abs().sum(dim=0),
        "l1": lambda: conv_norm(weight, IMAGE_SIZE, ord=1, padding=padding),
        "linf": lambda: conv_norm(weight, IMAGE_SIZE, ord=math.inf, padding=padding),
        "fro": lambda: conv_norm(weight, IMAGE_SIZE, ord="fro", padding=padding),
        "power_iteration": lambda: power_iteration_autograd(
            weight, IMAGE_SIZE, padding=padding, iterations=iterations
        ),
        "fft_svd": lambda: circulant_spectral_norm(weight, IMAGE_SIZE),
    }


def _ratios(medians: dict[str, float]) -> dict[str, float]:
    """Return the ratios that the timings allow."""
    pairs = [(own, "limit") for own in ("l1", "linf", "fro")]
    pairs += [(other, own) for other in ("power_iteration", "fft_svd") for own in ("l1", "linf")]
    return {
        f"{above}_to_{below}": float(f"{medians[above] / medians[below]:.4g}")
        for above, below in pairs
        if above in medians and below in medians
    }
