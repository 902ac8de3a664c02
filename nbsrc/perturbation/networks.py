"""From a network to its affine pieces: exact distances with certificates, and penalties."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nbsrc.linear_region import jacobian, region_radius
from nbsrc.perturbation._arguments import Labels, check_classes, check_labels
from nbsrc.perturbation.exact import ExactPerturbation, exact_perturbation_norm
from nbsrc.perturbation.penalties import Penalties, penalty_values
from nbsrc.perturbation.spectrum import HessianSpectrum, loss_hessian_spectrum

__all__ = [
    "differentiable_piece",
    "local_piece",
    "network_hessian_spectrum",
    "network_penalties",
    "network_penalties_autograd",
    "network_perturbation",
]


def local_piece(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits and the local linear map of a piecewise affine network at each input.

    Args:
        net: The network, evaluated in eval mode.
        x: ``[batch, *input]``.

    Returns:
        Logits ``[batch, K]`` and V ``[batch, n, K]`` with n the number of entries of an input.

    Raises:
        NotImplementedError: If the network has a layer that :mod:`nbsrc.linear_region` lacks.
        TypeError: If an argument has the wrong type.
        ValueError: If the network has fewer than two outputs, or x is not finite.

    Example:
        >>> net = nn.Linear(2, 2, bias=False)
        >>> _ = nn.init.eye_(net.weight)
        >>> logits, V = local_piece(net, torch.tensor([[3.0, 1.0]]))
        >>> logits.tolist(), V.tolist()
        ([[3.0, 1.0]], [[[1.0, 0.0], [0.0, 1.0]]])
    """
    with evaluating(net), torch.no_grad():
        V = jacobian(net, x).flatten(2).mT
        return check_classes("the network's output", net(x)), V


def network_perturbation(net: nn.Module, x: Tensor, y: Labels, ord: float = 2) -> ExactPerturbation:
    """The exact distance of each affine piece, with the radius inside which the piece is valid.

    Where ``is_network`` is true, ``norm`` is the network's own distance to its decision boundary;
    everywhere, the network keeps the label within ``certified``.

    Args:
        net: The network.
        x: ``[batch, *input]``, correctly classified.
        y: Labels ``[batch]``, or one integer for all.
        ord: 1, 2 or ``math.inf``.

    Returns:
        The distances; perturbations are ``[batch, n]``.

    Raises:
        NotImplementedError: If the network has a layer that :mod:`nbsrc.linear_region` lacks.
        TypeError: If an argument has the wrong type.
        ValueError: If a point is misclassified, or a shape or label is wrong.
    """
    logits, V = local_piece(net, x)
    with evaluating(net):
        radius = region_radius(net, x, ord)
    return exact_perturbation_norm(logits, V, y, ord, region_radius=radius)


def network_hessian_spectrum(
    net: nn.Module, x: Tensor, *, create_graph: bool = False
) -> HessianSpectrum:
    """The exact spectrum of the input Hessian of a network's cross-entropy loss.

    The Hessian of a piecewise affine network does not depend on the label.

    Args:
        net: The network, evaluated in eval mode; piecewise affine in its input.
        x: ``[batch, *input]``.
        create_graph: Whether gradients with respect to the parameters are wanted.

    Returns:
        The spectrum, ``[batch, ...]``.

    Raises:
        TypeError: If the output is no floating-point tensor.
        ValueError: If the network has fewer than two outputs.
    """
    logits, V = differentiable_piece(net, x, create_graph=create_graph)
    return loss_hessian_spectrum(torch.softmax(logits, dim=-1), V)


def network_penalties(net: nn.Module, x: Tensor, y: Labels) -> Penalties:
    """The four penalties from K gradients and closed forms, ready to be trained on.

    The curvature penalty is exact: no finite differences, no power iteration, no n x n matrix.
    Gradients with respect to the network's parameters flow through all four.

    Args:
        net: The network, evaluated in eval mode; piecewise affine in its input.
        x: ``[batch, *input]``.
        y: Labels ``[batch]``, or one integer for all.

    Returns:
        Each penalty ``[batch]``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the network has fewer than two outputs, or a label is wrong.
    """
    logits, V = differentiable_piece(net, x)
    return penalty_values(torch.softmax(logits, dim=-1), V, y)


def differentiable_piece(
    net: nn.Module, x: Tensor, *, create_graph: bool = True
) -> tuple[Tensor, Tensor]:
    """Logits and local linear map with a graph, by one batched backward pass for all classes.

    Args:
        net: The network, evaluated in eval mode.
        x: ``[batch, *input]``.
        create_graph: Whether gradients with respect to the parameters are wanted.

    Returns:
        Logits ``[batch, K]`` and V ``[batch, n, K]``.

    Raises:
        TypeError: If the output is no floating-point tensor.
        ValueError: If the network has fewer than two outputs.
    """
    with evaluating(net), torch.enable_grad():
        inputs = x.detach().clone().requires_grad_()
        logits = check_classes("the network's output", net(inputs))
        K = logits.shape[-1]
        seeds = torch.eye(K, dtype=logits.dtype, device=logits.device).unsqueeze(1)
        (slopes,) = torch.autograd.grad(
            logits,
            inputs,
            seeds.expand(K, *logits.shape),
            create_graph=create_graph,
            materialize_grads=True,
            is_grads_batched=True,
        )
    V = slopes.flatten(2).permute(1, 2, 0)
    return (logits, V) if create_graph else (logits.detach(), V)


def network_penalties_autograd(net: nn.Module, x: Tensor, y: Labels) -> Penalties:
    r"""The same values from automatic differentiation of the loss alone, as a slow reference.

    The gradient and the n x n Hessian of the cross-entropy are differentiated twice through the
    network; the cross-Lipschitz term is summed over pairs.

    Args:
        net: The network, evaluated in eval mode.
        x: ``[batch, *input]`` with few entries: the cost is n backward passes.
        y: Labels ``[batch]``, or one integer for all.

    Returns:
        Each penalty ``[batch]``, without a graph.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the network has fewer than two outputs, or a label is wrong.
    """
    logits, V = differentiable_piece(net, x)
    V = V.detach()
    K = V.shape[-1]
    pairs = [((V[..., i] - V[..., j]) ** 2).sum(-1) for i in range(K) for j in range(i)]
    gradient, hessian = _gradient_and_hessian(net, x, check_labels(y, logits))
    return Penalties(
        jacobian=torch.linalg.matrix_norm(V, "fro") ** 2,
        cross_lipschitz=torch.stack(pairs).sum(0) / K,
        input_gradient=(gradient**2).sum(-1),
        curvature=torch.linalg.eigvalsh(hessian).abs().amax(-1),
    )


def _gradient_and_hessian(net: nn.Module, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return gradient ``[batch, n]`` and Hessian ``[batch, n, n]`` of the loss of each example."""
    with evaluating(net), torch.enable_grad():
        inputs = x.detach().clone().requires_grad_()
        loss = F.cross_entropy(net(inputs), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, inputs, create_graph=True)
        flat = gradient.flatten(1)
        rows = [
            torch.autograd.grad(entry.sum(), inputs, retain_graph=True, materialize_grads=True)[0]
            for entry in flat.unbind(1)
        ]
    hessian = torch.stack([row.flatten(1) for row in rows], dim=1)
    return flat.detach(), (hessian + hessian.mT) / 2


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put every module into eval mode, and back into the mode it had.

    Args:
        net: The network.
    """
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
