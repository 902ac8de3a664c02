r"""Cost of a training step with each regulariser, relative to a plain step.

Norm decay on torchvision's ResNet-18 for 32x32 images at batch 128, where the target is, and every
regulariser on the small CNN for the digits. Steps are timed in turns, so that a busy spell of the
machine meets all of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import nn

from nbsrc.models import build_model
from nbsrc.regularizers import (
    AdversarialTraining,
    BatchNormProjection,
    CrossLipschitz,
    Curvature,
    GlobalSpectral,
    InputGradient,
    JacobianPenalty,
    LogitAdversary,
    LogitPairing,
    NormDecay,
    OperatorNormPenalty,
    Regularizer,
    SingularValueClipping,
    SpectralBound,
    Threat,
    Trades,
    WeightDecay,
    WeightLayer,
    batch_norm_names,
    training_step,
    weight_layers,
)
from nbsrc.timing import time_call, time_calls

NETWORK, BATCH, CHANNELS, SIDE = "resnet18", 128, 3, 32
SMALL_BATCH = 64
TARGET_NORM_DECAY = 1.05  # of a plain step


def regularizer_rows(evaluations: int, budget: float) -> dict[str, Any]:
    """Time everything; a step of the large network takes seconds, so it gets few repeats."""
    return {
        "norm_decay": norm_decay_row(min(evaluations, 5), budget),
        "small": small_row(evaluations, budget),
    }


def norm_decay_row(repeats: int, budget: float) -> dict[str, Any]:
    """The target: steps of the large network with norm decay, and its hook timed within them.

    Two steps of seconds differ by more than the hook costs, so the cost is taken from one step:
    its time, over its time without the hook.
    """
    generator = torch.Generator().manual_seed(0)
    net = build_model(NETWORK, generator=generator, small_images=True)
    x = torch.randn(BATCH, CHANNELS, SIDE, SIDE, generator=generator)
    y = torch.randint(10, (BATCH,), generator=generator)
    layers = weight_layers(net, (1, CHANNELS, SIDE, SIDE))
    orders = {"norm_decay_l1": 1.0, "norm_decay_linf": math.inf}
    decays = {name: Stopwatch(NormDecay(layers, order=p, beta=1e-3)) for name, p in orders.items()}
    steps = {"plain": step(net, x, y, Regularizer())}
    steps |= {name: decay.timed(step(net, x, y, decay)) for name, decay in decays.items()}
    timings = time_calls(steps, repeats, budget=budget)
    return {
        "batch": BATCH,
        "layers": len(layers),
        "timings": {name: timing.as_dict() for name, timing in timings.items()},
        "hook_seconds": {name: median(decay.hooks) for name, decay in decays.items()},
        "ratios": {name: decay.ratio() for name, decay in decays.items()},
    }


class Stopwatch(Regularizer):
    """A regulariser with its hook after backward timed, inside steps that are timed too."""

    def __init__(self, inner: Regularizer) -> None:
        self.inner = inner
        self.hooks: list[float] = []
        self.steps: list[float] = []

    def after_backward(self, model: nn.Module) -> None:
        start = time.perf_counter()
        self.inner.after_backward(model)
        self.hooks.append(time.perf_counter() - start)

    def timed(self, function: Callable[[], object]) -> Callable[[], object]:
        def call() -> object:
            start = time.perf_counter()
            result = function()
            self.steps.append(time.perf_counter() - start)
            return result

        return call

    def ratio(self) -> float:
        """The median of a step's time over its time without the hook; the first step warms up."""
        pairs = list(zip(self.steps, self.hooks, strict=True))[1:]
        return median(whole / (whole - hook) for whole, hook in pairs)


def small_row(repeats: int, budget: float) -> dict[str, Any]:
    """Every regulariser on the small CNN of 8x8 images with ten classes."""
    generator = torch.Generator().manual_seed(0)
    net = build_model("digits_cnn", generator=generator)
    x = torch.rand(SMALL_BATCH, 1, 8, 8, generator=generator)
    y = torch.randint(10, (SMALL_BATCH,), generator=generator)
    layers = weight_layers(net, (1, 1, 8, 8))
    parts = {"plain": Regularizer()} | step_regularizers(net, layers, generator)
    steps = {name: step(net, x, y, part) for name, part in parts.items()}
    timings = time_calls(steps, repeats, budget=budget)
    epochs = {
        "spectral_bound": SpectralBound(layers, 1.0),
        "clipping_fourier": SingularValueClipping(layers, 1.0, as_circular=True),
    }
    hooks = {
        name: time_call(lambda part=part: part.after_epoch(net), 5, budget=budget)
        for name, part in epochs.items()
    }
    plain = timings["plain"].median
    return {
        "batch": SMALL_BATCH,
        "timings": {name: timing.as_dict() for name, timing in timings.items()},
        "ratios": {name: timing.median / plain for name, timing in timings.items()},
        "epoch_hooks": {name: timing.as_dict() for name, timing in hooks.items()},
    }


def step_regularizers(
    net: nn.Module, layers: tuple[WeightLayer, ...], draw: torch.Generator
) -> dict[str, Regularizer]:
    """One of each kind that acts in a step, with little strength and ten steps of any iteration."""
    weak = 1e-6
    steps = Threat(0.1, alpha=0.02, steps=10, start="near", bounds=(0.0, 1.0))
    ball = Threat(0.1, 2, alpha=0.02, steps=10, start="ball", bounds=(0.0, 1.0))
    return {
        "weight_decay": WeightDecay([name for name, _ in net.named_parameters()], weak),
        "norm_decay_l1": NormDecay(layers, order=1, beta=weak),
        "norm_decay_linf": NormDecay(layers, order=math.inf, beta=weak),
        "norm_decay_copy": NormDecay(layers, order=1, beta=weak, momentum="copy"),
        "batch_norm_projection": BatchNormProjection(batch_norm_names(net), 5.0),
        "global_spectral": GlobalSpectral(layers, weak, draw),
        "input_gradient": InputGradient(weak),
        "jacobian": JacobianPenalty(weak),
        "jacobian_1_projection": JacobianPenalty(weak, 1, draw),
        "cross_lipschitz": CrossLipschitz(weak),
        "curvature": Curvature(weak),
        "curvature_10_iterations": Curvature(weak, 10, draw),
        "operator_norm_exact": OperatorNormPenalty(weak, steps=None),
        "operator_norm_10_steps": OperatorNormPenalty(weak, generator=draw),
        "operator_norm_difference": OperatorNormPenalty(
            weak, generator=draw, form="difference", eps=0.1
        ),
        "fgsm_training": AdversarialTraining(Threat(0.1, bounds=(0.0, 1.0))),
        "pgd_training": AdversarialTraining(steps, draw),
        "logit_adversary": LogitAdversary(ball, draw, strength=weak),
        "logit_pairing": LogitPairing(steps, draw, strength=weak),
        "trades": Trades(steps, draw),
    }


def step(
    net: nn.Module, x: torch.Tensor, y: torch.Tensor, regularizer: Regularizer
) -> Callable[[], object]:
    """A training step without a learning rate, so that every call does the same work."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0, momentum=0.9)
    return lambda: training_step(net, x, y, optimizer, regularizer)


def regularizer_lines(rows: dict[str, Any]) -> list[str]:
    """The rows as text, and the target, met or missed."""
    large, small = rows["norm_decay"], rows["small"]
    plain = large["timings"]["plain"]
    lines = [
        f"training steps (milliseconds): ResNet-18, batch {large['batch']}, plain "
        f"{1e3 * plain['median']:.0f}, {plain['repeats']} repeats"
    ]
    for name, ratio in large["ratios"].items():
        word = "met" if ratio <= TARGET_NORM_DECAY else "missed"
        lines.append(
            f"  {name}: {ratio:.4f} of the step without it (target {TARGET_NORM_DECAY:g}: {word}), "
            f"{1e3 * large['hook_seconds'][name]:.1f}; whole step "
            f"{1e3 * large['timings'][name]['median']:.0f}"
        )
    lines.append(
        f"  small CNN, batch {small['batch']}, plain "
        f"{1e3 * small['timings']['plain']['median']:.2f}; relative to it:"
    )
    lines += [
        f"    {name:26s} {ratio:6.2f}" for name, ratio in small["ratios"].items() if name != "plain"
    ]
    lines += [
        f"    {name:26s} {1e3 * timing['median']:6.1f} per epoch"
        for name, timing in small["epoch_hooks"].items()
    ]
    return lines
