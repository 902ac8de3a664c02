"""Every regulariser of the package can be named in an experiment file, and acts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nbsrc import regularizers
from nbsrc.experiments.kinds import (
    AUGMENTATIONS,
    SCHEDULES,
    build_described,
    build_regularizer,
    check_described,
    check_regularizers,
)
from nbsrc.regularizers import Regularizer
from nbsrc.training import CropAndFlip, InverseDecay, StepDecay

FAR = {"eps": "8/255", "alpha": 0.01, "steps": 2, "start": "ball"}
SPECS = {
    "AdversarialTraining": {"threat": FAR | {"p": "inf", "bounds": [0, 1]}},
    "BatchNormProjection": {"bound": 0.5},
    "CrossLipschitz": {"strength": 0.1},
    "Curvature": {"strength": 0.1, "iterations": 2},
    "GlobalSpectral": {"strength": 0.1},
    "InputGradient": {"strength": 0.1},
    "JacobianPenalty": {"strength": 0.1, "projections": 1},
    "LogitAdversary": {"threat": FAR, "strength": 2.0},
    "LogitPairing": {"threat": FAR},
    "NormDecay": {"order": "inf", "beta": 0.1},
    "OperatorNormPenalty": {"strength": 0.1, "steps": 2},
    "SingularValueClipping": {"bound": 0.1, "as_circular": True},
    "SpectralBound": {"bound": 0.1},
    "Trades": {"threat": FAR | {"start": "near"}},
    "WeightDecay": {"strength": 0.1, "names": ["*.weight"]},
}


def network() -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)
    )
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return net


def test_every_kind_is_covered() -> None:
    kinds = {
        name
        for name, kind in vars(regularizers).items()
        if isinstance(kind, type) and issubclass(kind, Regularizer)
    }
    assert set(SPECS) == kinds - {"Regularizer", "Composition"}


def changes(specs: list[dict], seed: int = 0) -> list[torch.Tensor]:
    """What a step and an end of an epoch do to the weights."""
    net = network()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    regularizer = build_regularizer(check_regularizers("r", specs), net, (1, 1, 4, 4), seed)
    x = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([0, 1] * 3)
    logits = net(x)
    term = regularizer.penalty(net, x, y, logits)
    (0 * logits.sum() + (0 if term is None else term)).backward()
    regularizer.after_backward(net)
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    regularizer.after_step(net)
    regularizer.after_epoch(net)
    return [now.detach() - then for now, then in zip(net.parameters(), before, strict=True)]


@pytest.mark.parametrize("kind", SPECS)
def test_a_described_regulariser_acts_and_repeats(kind: str) -> None:
    spec = [{"kind": kind, **SPECS[kind]}]
    first, second = changes(spec), changes(spec)
    assert any(bool(change.abs().max() > 0) for change in first)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_arguments_are_read_as_numbers() -> None:
    spec = {"kind": "Trades", "threat": FAR | {"p": "inf", "start": "near"}, "beta": 3}
    (checked,) = check_regularizers("r", spec)
    built = build_regularizer([checked], network(), (1, 1, 4, 4), 0)
    assert built.threat.eps == 8 / 255
    assert built.threat.p == math.inf
    assert built.beta == 3


def test_layers_and_names_are_chosen_by_patterns() -> None:
    spec = {"kind": "NormDecay", "order": 1, "beta": 0.1, "layers": ["4"]}
    built = build_regularizer(check_regularizers("r", [spec]), network(), (1, 1, 4, 4), 0)
    assert [layer.name for layer in built.layers] == ["4"]
    with pytest.raises(ValueError, match=r"the pattern 'fc\*' fits none of"):
        build_regularizer([spec | {"layers": ["fc*"]}], network(), (1, 1, 4, 4), 0)


def test_several_regularisers_act_together_with_random_numbers_of_their_own() -> None:
    spec = {"kind": "JacobianPenalty", "strength": 0.1, "projections": 1}
    built = build_regularizer(check_regularizers("r", [spec, spec]), network(), (1, 1, 4, 4), 3)
    first, second = (part.generator.initial_seed() for part in built.parts)
    assert first != second
    assert build_regularizer([], network(), (1, 1, 4, 4), 3) is None


def test_schedules_and_augmentations_are_built() -> None:
    step = {"kind": "StepDecay", "milestones": [1, 2], "divide_by": 2}
    for spec, kinds, expected in (
        (step, SCHEDULES, StepDecay((1, 2), 2)),
        ({"kind": "InverseDecay"}, SCHEDULES, InverseDecay()),
        (
            {"kind": "CropAndFlip", "padding": 1, "flip": False},
            AUGMENTATIONS,
            CropAndFlip(1, flip=False),
        ),
        (None, SCHEDULES, None),
    ):
        assert build_described(check_described("s", spec, kinds), kinds) == expected
    with pytest.raises(ValueError, match=r"a has the unknown key 'size'; allowed: .*'padding'"):
        check_described("a", {"kind": "CropAndFlip", "size": 3}, AUGMENTATIONS)
