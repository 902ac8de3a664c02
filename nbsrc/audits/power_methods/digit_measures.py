"""What is measured on networks trained on the digits: beyond the cell, alignment, linearity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from nbsrc.audits.power_methods.bound import linearised, remainder
from nbsrc.audits.power_methods.digit_nets import digits, loss_gradient
from nbsrc.audits.power_methods.iteration import literal_pga, logit_norm
from nbsrc.linear_region import activation_pattern, jacobian, region_radius
from nbsrc.operator_norm import power_method, uniform_in_ball

__all__ = [
    "alignment",
    "along_rays",
    "beyond_the_cell",
    "bound_and_attack",
    "radii",
    "robust_table",
]

Row = dict[str, float]


def beyond_the_cell(
    net: nn.Module, seed: int, sizes: Sequence[float], *, count: int = 100
) -> list[Row]:
    """Compare the attack (infinite step, l2 logit loss) with the power method in growing balls.

    Args:
        net: The network.
        seed: Seed of split and starts.
        sizes: Radii in units of the l2 radius of each point's cell.
        count: Test images.

    Returns:
        A row per size: mean cosine of the two directions after 10 iterations, median ratio of the
        attack's value to ``eps ||J||``, share of flipped units, median radius.
    """
    x = digits(seed).test_x[:count]
    r = region_radius(net, x, 2.0)
    J = jacobian(net, x)
    v0 = uniform_in_ball(torch.zeros_like(x), 1.0, 2.0, torch.Generator().manual_seed(seed))
    power = power_method(J, 2, 2, v0, 10)
    norm = torch.linalg.matrix_norm(J, 2)
    with torch.no_grad():
        clean = net(x)
    pattern = activation_pattern(net, x).codes
    rows = []
    for size in sizes:
        eps = size * r
        v = literal_pga(net, x, eps, 2.0, logit_norm(2.0), 1e6 * eps, 10, eps[:, None] * v0)[-1]
        found = x + eps[:, None] * v
        with torch.no_grad():
            value = (net(found) - clean).norm(dim=-1)
        flipped = (activation_pattern(net, found).codes != pattern).double().mean()
        cosine = (v * power.v).sum(-1) / v.norm(dim=-1)
        rows.append({
            "eps / radius": float(size), "cosine": float(cosine.abs().mean()),
            "value ratio": float((value / (eps * norm)).median()),
            "flipped units": float(flipped), "median eps": float(eps.median()),
        })  # fmt: skip
    return rows


def alignment(net: nn.Module, seed: int, *, count: int = 100) -> Row:
    """Return mean ``|cos|`` with the dominant right singular vector after one and ten passes.

    Args:
        net: The network.
        seed: Seed of split and starts.
        count: Test images.

    Returns:
        For the input gradient of the loss, and for 1 and 10 iterations of the power method.
    """
    data = digits(seed)
    x, y = data.test_x[:count], data.test_y[:count]
    J = jacobian(net, x)
    top = torch.linalg.svd(J, full_matrices=False).Vh[:, 0]
    v0 = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)

    def cosine(v: Tensor) -> float:
        return float(((v * top).sum(-1) / v.norm(dim=-1)).abs().mean())

    return {
        "input gradient": cosine(loss_gradient(net, x, y)),
        "1 iteration": cosine(power_method(J, 2, 2, v0, 1).v),
        "10 iterations": cosine(power_method(J, 2, 2, v0, 10).v),
    }


def along_rays(
    net: nn.Module, seed: int, distances: Sequence[float], *, count: int = 60
) -> list[Row]:
    """Measure the deviation from linearity along random and adversarial rays.

    Args:
        net: The network.
        seed: Seed of split and directions.
        distances: l2 distances.
        count: Test images.

    Returns:
        A row per distance: mean deviation, deviation over ``||J z||``, and ``||J(x+z) - J(x)||``
        over ``||J(x)||`` (spectral norms), for both rays.
    """
    data = digits(seed)
    x = data.test_x[:count]
    g = torch.Generator().manual_seed(seed)
    J = jacobian(net, x)
    random = torch.randn(x.shape, generator=g, dtype=x.dtype)
    start = uniform_in_ball(torch.zeros_like(x), 1.0, 2.0, g)
    rows = []
    with torch.no_grad():
        clean = net(x)
    for distance in distances:
        row: Row = {"distance": float(distance)}
        eps = torch.full((count,), float(distance), dtype=x.dtype)
        found = literal_pga(net, x, eps, 2.0, logit_norm(2.0), 0.2 * eps, 10, eps[:, None] * start)[
            -1
        ]
        for name, way in (("random", random), ("adversarial", found)):
            z = distance * way / way.norm(dim=-1, keepdim=True)
            linear = (J @ z[:, :, None]).squeeze(-1)
            with torch.no_grad():
                apart = (net(x + z) - clean - linear).norm(dim=-1)
            slope = torch.linalg.matrix_norm(jacobian(net, x + z) - J, 2)
            row[f"{name}, absolute"] = float(apart.mean())
            row[f"{name}, relative"] = float((apart / linear.norm(dim=-1)).median())
            row[f"{name}, Jacobian"] = float((slope / torch.linalg.matrix_norm(J, 2)).median())
        rows.append(row)
    return rows


def radii(nets: Mapping[str, nn.Module], seed: int, *, count: int = 450) -> list[dict[str, object]]:
    """Return the exact radii of the cells of test images.

    Args:
        nets: Networks by name.
        seed: Seed of the split.
        count: Test images.

    Returns:
        A row per network, order and image.
    """
    x = digits(seed).test_x[:count]
    rows: list[dict[str, object]] = []
    for name, net in nets.items():
        for p in (2.0, math.inf):
            rows += [
                {"training": name, "p": "2" if p == 2 else "inf", "radius": r}
                for r in region_radius(net, x, p).tolist()
            ]
    return rows


def bound_and_attack(
    net: nn.Module, seed: int, sizes: Sequence[float], *, count: int = 20
) -> list[Row]:
    """Return the bound of B.x5 next to what attacks find, in units of ``eps ||J||``.

    Args:
        net: A fully connected network.
        seed: Seed of split and starts.
        sizes: Radii in units of each point's l2 cell radius.
        count: Test images.

    Returns:
        A row per size, medians: ``1 +- bound``, the sharper one, and the attack's value.
    """
    x = digits(seed).test_x[:count]
    r = region_radius(net, x, 2.0)
    J = jacobian(net, x)
    norm = torch.linalg.matrix_norm(J, 2)
    v0 = torch.linalg.svd(J, full_matrices=False).Vh[:, 0]
    with torch.no_grad():
        clean = net(x)
    around = [linearised(net, point[None]) for point in x]
    rows = []
    for size in sizes:
        eps = size * r
        path = literal_pga(net, x, eps, 2.0, logit_norm(2.0), 0.3 * eps, 15, eps[:, None] * v0)
        with torch.no_grad():
            values = torch.stack([(net(x + eps[:, None] * v) - clean).norm(dim=-1) for v in path])
        scale = eps * norm
        limits = [
            torch.stack([remainder(a, float(e), 2.0, sharp=sharp).norm()
                         for a, e in zip(around, eps, strict=True)]) / scale
            for sharp in (False, True)
        ]  # fmt: skip
        rows.append({
            "eps / radius": float(size), "attack": float((values.amax(0) / scale).median()),
            "upper": 1 + float(limits[0].median()), "upper, sharper": 1 + float(limits[1].median()),
            "lower": max(0.0, 1 - float(limits[0].median())),
        })  # fmt: skip
    return rows


def robust_table(accuracies: Sequence[Row]) -> Row:
    """Return means over seeds.

    Args:
        accuracies: Rows with the same keys.

    Returns:
        The means.
    """
    return {key: sum(row[key] for row in accuracies) / len(accuracies) for key in accuracies[0]}
