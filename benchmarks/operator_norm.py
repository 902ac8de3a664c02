r"""Speed of operator norms: enumeration, and the power method on a ResNet-18.

Enumeration of the sign vectors of 10 logits for (inf, 1) and (2, 1). Matrix-free power iterations
for (2, 2) on torchvision's ResNet-18 against the singular values of its whole Jacobian, with the
cost in forward passes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from nbsrc.linear_region import jacobian
from nbsrc.models import build_model
from nbsrc.operator_norm import network_map, operator_norm, power_method
from nbsrc.timing import time_call

LOGITS, INPUTS = 10, 3072
HARD = ((math.inf, 1), (2, 1), (math.inf, 2))
SIDE = 32  # pixels
ACCURACY = 1e-5  # relative error at which the power method may stop
MOST_STEPS = 1000
TARGET_ENUMERATION = 0.02  # seconds


def operator_norm_rows(evaluations: int, budget: float) -> dict[str, Any]:
    """Time everything."""
    return {
        "enumeration": [enumeration_row(p, q, evaluations, budget) for p, q in HARD],
        "power_method": power_row(evaluations, budget),
    }


def enumeration_row(p: float, q: float, evaluations: int, budget: float) -> dict[str, Any]:
    """Time one NP-hard norm of a random matrix in float64."""
    generator = torch.Generator().manual_seed(0)
    J = torch.randn(LOGITS, INPUTS, generator=generator, dtype=torch.float64)
    norm = operator_norm(J, p, q)
    return {
        "orders": [f"{order:g}" for order in (p, q)],
        "shape": list(J.shape),
        "value": norm.value,
        "relative_width": norm.relative_width,
        "exact": norm.converged,
        "timing": time_call(lambda: operator_norm(J, p, q), evaluations, budget=budget).as_dict(),
    }


def power_row(evaluations: int, budget: float) -> dict[str, Any]:
    """The spectral norm of the Jacobian of a ResNet-18 for small images, in float32."""
    generator = torch.Generator().manual_seed(0)
    net = build_model("resnet18", generator=generator, small_images=True).eval()
    x = torch.randn(1, 3, SIDE, SIDE, generator=generator)
    v0 = torch.randn(1, 3 * SIDE**2, generator=generator)
    exact = spectral_norm(jacobian(net, x)[0].flatten(1))
    products = network_map(net, x)
    v, u = v0 / v0.norm(), torch.ones(1, LOGITS)
    gain, steps = 0.0, 0
    while abs(gain / exact - 1) > ACCURACY and steps < MOST_STEPS:
        found = power_method(products, 2, 2, v, 1)
        v, gain, steps = found.v, float(found.value), steps + 1
    with torch.no_grad():
        timings = {
            "forward_pass": time_call(lambda: net(x), evaluations, budget=budget),
            "forward_product": time_call(lambda: products.forward(v), evaluations, budget=budget),
            "backward_product": time_call(lambda: products.backward(u), evaluations, budget=budget),
        }
    timings["power_method"] = time_call(
        lambda: power_method(network_map(net, x), 2, 2, v0, steps), evaluations, budget=budget
    )
    timings["jacobian_and_svd"] = time_call(
        lambda: spectral_norm(jacobian(net, x)[0].flatten(1)), evaluations, budget=budget
    )
    passes = timings["forward_pass"].median
    return {
        "inputs": 3 * SIDE**2,
        "value": gain,
        "relative_error": abs(gain / exact - 1),
        "steps": steps,
        "timings": {name: timing.as_dict() for name, timing in timings.items()},
        "forward_passes": {name: timing.median / passes for name, timing in timings.items()},
    }


def spectral_norm(J: Tensor) -> float:
    """The largest singular value, in float64."""
    return float(torch.linalg.matrix_norm(J.double(), 2))


def operator_norm_lines(rows: dict[str, Any]) -> list[str]:
    """The rows as text, and the targets, met or missed."""
    lines = ["operator norms (milliseconds)"]
    for row in rows["enumeration"]:
        seconds = row["timing"]["median"]
        what = "exact" if row["exact"] else f"bracket of relative width {row['relative_width']:.2g}"
        line = f"  ({', '.join(row['orders'])}) of {row['shape']}: {1e3 * seconds:.1f}, {what}"
        if row["exact"]:
            word = "met" if seconds <= TARGET_ENUMERATION else "missed"
            line += f" (target {1e3 * TARGET_ENUMERATION:g} ms: {word})"
        lines.append(line)
    power = rows["power_method"]
    cost = power["forward_passes"]
    word = "met" if power["relative_error"] <= ACCURACY else "missed"
    lines += [
        f"  (2, 2) of a ResNet-18 with {power['inputs']} inputs: {power['steps']} power iterations "
        f"to a relative error of {power['relative_error']:.1e} (target {ACCURACY:g}: {word}), "
        f"{1e3 * power['timings']['power_method']['median']:.0f}",
        f"  in forward passes: forward product {cost['forward_product']:.1f}, backward product "
        f"{cost['backward_product']:.1f}, all iterations {cost['power_method']:.0f}, Jacobian and "
        f"singular values {cost['jacobian_and_svd']:.0f}",
    ]
    return lines
