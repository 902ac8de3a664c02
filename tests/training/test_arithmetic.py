"""Clipping, bfloat16, channels last and deterministic algorithms; all of them leave no trace."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nbsrc.experiments.kinds import build_regularizer, check_regularizers
from nbsrc.models import build_model, digits_cnn
from nbsrc.regularizers import Regularizer
from nbsrc.training import TrainingDiverged, TrainingSettings, train, train_ensemble
from nbsrc.training.arithmetic import Precision, clip_gradients
from tests.training import runs

PLAIN = TrainingSettings(2, batch_size=28, momentum=0.9)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(seed: int = 0) -> nn.Module:
    return digits_cnn(generator=seeded(seed), channels=(3, 4, 4))


def trained(changes: dict[str, Any], **options: Any) -> tuple[nn.Module, list[Any]]:
    model = options.pop("model", None) or net()
    chosen = replace(PLAIN, **changes)
    return model, train(model, runs.small_data(), chosen, generator=seeded(), **options)


def equal(one: nn.Module, two: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=4), min_size=1
    ),
    st.floats(1e-3, 1e3),
)
def test_clipping_scales_to_the_bound_or_changes_no_bit(rows: list[list[float]], c: float) -> None:
    gradients = [torch.tensor(row) for row in rows]
    before = [g.clone() for g in gradients]
    flat = torch.cat(before).double()
    total = clip_gradients(gradients, c)
    assert float(total) == pytest.approx(float(flat.norm()), rel=1e-12)
    after = torch.cat(gradients).double()
    if total <= c:
        assert all(torch.equal(a, b) for a, b in zip(gradients, before, strict=True))
    else:
        assert float(after.norm()) == pytest.approx(c, rel=1e-5, abs=1e-37)
        assert torch.allclose(after, flat * (c / total), rtol=1e-5, atol=1e-37)


def test_members_are_clipped_one_by_one() -> None:
    weights, biases = torch.randn(3, 2, 4, generator=seeded()), torch.randn(3, generator=seeded())
    weights[1] *= 100
    weights[2] *= 1e-3
    biases[2] = 0
    whole = [weights.clone(), biases.clone()]
    totals = clip_gradients(whole, 1.0, members=True)
    for member in range(3):
        alone = [weights[member].clone(), biases[member].clone()]
        assert clip_gradients(alone, 1.0) == pytest.approx(float(totals[member]))
        assert torch.allclose(alone[0], whole[0][member], rtol=1e-6)
        assert torch.allclose(alone[1], whole[1][member], rtol=1e-6)
    assert torch.equal(whole[0][2], weights[2])


def test_zero_stays_and_what_is_not_finite_is_seen() -> None:
    zero = [torch.zeros(3)]
    assert clip_gradients(zero, 1.0) == 0
    assert torch.equal(zero[0], torch.zeros(3))
    for bad in (math.inf, math.nan):
        broken = [torch.ones(2), torch.tensor([bad])]
        clip_gradients(broken, 1.0)
        assert all(g.isnan().all() for g in broken)
    large = [torch.full((2,), 1e30)]  # the squares overflow in float32
    clip_gradients(large, 1.0)
    assert torch.allclose(large[0], torch.full((2,), 0.5**0.5))


def test_a_clipped_step_is_sgd_with_the_clipped_gradient() -> None:
    """The regulariser's edit comes before, weight decay after."""

    class Twice(Regularizer):
        def after_backward(self, model: nn.Module) -> None:
            for p in model.parameters():
                assert p.grad is not None
                p.grad.mul_(2)

    class Keep(Twice):
        def after_backward(self, model: nn.Module) -> None:
            super().after_backward(model)
            self.kept = [p.grad.clone() for p in model.parameters() if p.grad is not None]

    data = runs.small_data().first(28)
    start, regularizer = net(), Keep()
    model = net()
    bounded = TrainingSettings(1, 28, 0.1, 0.0, weight_decay=0.5, clip_gradient=0.25)
    train(model, data, bounded, generator=seeded(), regularizer=regularizer)
    norm = torch.cat([g.flatten() for g in regularizer.kept]).norm()
    assert norm > 0.25
    for p, q, g in zip(model.parameters(), start.parameters(), regularizer.kept, strict=True):
        expected = q - 0.1 * (g * 0.25 / norm + 0.5 * q)
        assert torch.allclose(p, expected, rtol=1e-5, atol=1e-7)


def test_a_bound_that_is_never_reached_changes_no_bit() -> None:
    plain, history = trained({})
    for options in ({"clip_gradient": 1e6}, {"deterministic": True}):
        other, same = trained(options)
        assert equal(plain, other)
        assert same == history
    assert not equal(plain, trained({"clip_gradient": 0.1})[0])


def test_an_ensemble_is_clipped_as_separate_trainings_are() -> None:
    small = runs.small_data()
    data = replace(
        small, train_images=small.train_images.double(), test_images=small.test_images.double()
    )
    chosen = replace(PLAIN, clip_gradient=0.3)
    models = [net(seed).double() for seed in range(3)]
    histories = train_ensemble(models, data, chosen, generators=[seeded(s) for s in range(3)])
    for seed, (model, history) in enumerate(zip(models, histories, strict=True)):
        alone = net(seed).double()
        expected = train(alone, data, chosen, generator=seeded(seed))
        assert not isinstance(history, TrainingDiverged)
        assert history[-1].train_loss == pytest.approx(expected[-1].train_loss, rel=1e-9)
        for p, q in zip(model.parameters(), alone.parameters(), strict=True):
            assert torch.allclose(p, q, rtol=1e-8, atol=1e-10)


class Types(Regularizer):
    """Notes the types that a regulariser sees."""

    def __init__(self) -> None:
        self.seen: set[torch.dtype] = set()

    def penalty(self, model: nn.Module, x: Tensor, y: Tensor, logits: Tensor) -> None:
        self.seen |= {logits.dtype, x.dtype, model(x).dtype}
        self.seen |= {p.dtype for p in model.parameters()}


def test_bfloat16_concerns_the_training_forward_alone() -> None:
    inner: list[tuple[bool, torch.dtype]] = []
    model, types = net(), Types()
    model.get_submodule("conv2").register_forward_hook(
        lambda module, _, out: inner.append((module.training, out.dtype))
    )
    _, history = trained({"precision": "bfloat16"}, model=model, regularizer=types)
    assert set(inner) == {(True, torch.bfloat16), (False, torch.float32)}
    assert types.seen == {torch.float32}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert "forward" not in model.__dict__
    _, plain = trained({})
    assert history[0] == plain[0]
    assert history != plain
    assert history[-1].train_loss == pytest.approx(plain[-1].train_loss, rel=0.05)
    again = trained({"precision": "bfloat16"}, regularizer=Types())[1]
    assert again == history  # it repeats


def test_the_forward_comes_back_after_a_divergence() -> None:
    model = net()
    with torch.no_grad():
        model.get_parameter("linear.weight").fill_(math.nan)
    with pytest.raises(TrainingDiverged):
        trained({"precision": "bfloat16", "channels_last": True}, model=model)
    assert "forward" not in model.__dict__
    assert model.get_parameter("conv2.weight").is_contiguous()


THREAT = {"p": "inf", "eps": "8/255", "alpha": 0.01, "steps": 2, "start": "ball"}
REGULARIZERS: dict[str, dict[str, Any]] = {
    "AdversarialTraining": {"threat": THREAT},
    "CrossLipschitz": {"strength": 0.1},
    "Curvature": {"strength": 0.1},
    "GlobalSpectral": {"strength": 0.1},
    "InputGradient": {"strength": 0.1},
    "JacobianPenalty": {"strength": 0.1, "projections": 1},
    "NormDecay": {"order": "inf", "beta": 0.1},
    "OperatorNormPenalty": {"strength": 0.1, "steps": 2},
    "SingularValueClipping": {"bound": 0.5, "as_circular": True},
    "SpectralBound": {"bound": 0.5},
}


@pytest.mark.parametrize("kind", REGULARIZERS)
def test_regularisers_go_along_with_bfloat16_and_channels_last(kind: str) -> None:
    """Second derivatives, forward mode, projections of weights."""
    specs = check_regularizers("test", {"kind": kind, **REGULARIZERS[kind]})
    losses = []
    for changes in ({}, {"channels_last": True}, {"precision": "bfloat16"}):
        model = net()
        regularizer = build_regularizer(specs, model, (1, 1, 8, 8), 0)
        _, history = trained({"epochs": 1, **changes}, model=model, regularizer=regularizer)
        losses.append(history[-1].train_loss)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[2] == pytest.approx(losses[0], rel=0.05)
    assert losses[2] != losses[0]


@pytest.mark.parametrize("kind", ["CrossLipschitz", "Curvature", "InputGradient"])
def test_an_ensembles_penalties_go_along_with_bfloat16(kind: str) -> None:
    specs = check_regularizers("test", {"kind": kind, **REGULARIZERS[kind]})
    losses = []
    for changes in ({}, {"precision": "bfloat16"}):
        models = [net(seed) for seed in range(2)]
        histories = train_ensemble(
            models, runs.small_data(), replace(PLAIN, epochs=1, **changes),
            generators=[seeded(s) for s in range(2)],
            regularizer=build_regularizer(specs, models[0], (1, 1, 8, 8), 0),
        )  # fmt: skip
        losses += [h[-1].train_loss for h in histories if not isinstance(h, TrainingDiverged)]
    assert losses[2:] == pytest.approx(losses[:2], rel=0.05)
    assert losses[2:] != losses[:2]


def test_channels_last_holds_during_training_and_not_after() -> None:
    seen: list[tuple[bool, bool]] = []
    model = build_model("conv4", generator=seeded(), width=0.1, image=(1, 8, 8))
    kept = {name: t.stride() for name, t in model.state_dict().items()}
    model.get_submodule("conv2").register_forward_hook(
        lambda module, inputs, _: seen.append((
            module.weight.is_contiguous(memory_format=torch.channels_last),
            inputs[0].is_contiguous(memory_format=torch.channels_last) or not module.training,
        ))
    )
    trained({"channels_last": True}, model=model)
    assert set(seen) == {(True, True)}
    assert {name: t.stride() for name, t in model.state_dict().items()} == kept


def test_deterministic_mode_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    seen = []

    def recorder(model: nn.Module, epoch: int) -> None:
        seen.append((
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark,
            os.environ["CUBLAS_WORKSPACE_CONFIG"],
        ))
        if epoch == 2:
            raise KeyError("stop")

    with pytest.raises(KeyError):
        trained({"deterministic": True}, recorder=recorder)
    assert set(seen) == {(True, False, ":4096:8")}
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        trained({"deterministic": True})
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


class Stopped(Exception):
    """Stands for anything that stops a run between two epochs."""


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bfloat16"},
        {"channels_last": True},
        {"clip_gradient": 0.2, "deterministic": True},
        {"precision": "bfloat16", "channels_last": True, "clip_gradient": 0.2},
    ],
)
def test_an_interrupted_run_goes_on_exactly_and_as_no_other(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    file = str(tmp_path / "one.pt")
    chosen = TrainingSettings(4, 28, weight_decay=1e-3, **changes)
    model, expected, _ = runs.whole_run(settings=chosen)

    def stop(model: nn.Module, epoch: int) -> dict[str, Any]:
        if epoch > 2:
            raise Stopped
        return runs.weight(model, epoch)

    with pytest.raises(Stopped):
        runs.whole_run(file, settings=chosen, recorder=stop)
    name = next(iter(changes))
    other = replace(chosen, **{name: getattr(PLAIN, name)})
    with pytest.raises(ValueError, match=rf"belongs to another run: settings\.{name} is "):
        runs.whole_run(file, settings=other)
    resumed, history, _ = runs.whole_run(file, settings=chosen)
    assert history == expected
    assert equal(resumed, model)


def test_an_interrupted_ensemble_goes_on_exactly(tmp_path: Path) -> None:
    chosen = replace(PLAIN, epochs=3, precision="bfloat16", clip_gradient=0.3)
    file = tmp_path / "many.pt"

    def run(stop_after: int | None, checkpoint: Path | None) -> tuple[list[nn.Module], list[Any]]:
        def recorder(model: nn.Module, epoch: int) -> float:
            if stop_after is not None and epoch > stop_after:
                raise Stopped
            return float(model.get_parameter("linear.weight").detach().sum())

        models = [net(seed) for seed in range(2)]
        histories = train_ensemble(
            models, runs.small_data(), chosen, recorder=recorder,
            generators=[seeded(s) for s in range(2)], checkpoint=checkpoint,
        )  # fmt: skip
        return models, histories

    models, expected = run(None, None)
    with pytest.raises(Stopped):
        run(1, file)
    resumed, histories = run(None, file)
    assert histories == expected
    assert all(equal(a, b) for a, b in zip(models, resumed, strict=True))


def test_settings_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"precision bfloat16 needs .* float32 weights, got .*64"):
        Precision(net().double(), "bfloat16")
    flat = runs.small_data()
    flat = replace(flat, train_images=flat.train_images.flatten(1))
    with pytest.raises(ValueError, match=r"channels_last needs images .* got \(112, 64\)"):
        train(net(), flat, replace(PLAIN, channels_last=True), generator=seeded())
    with pytest.raises(ValueError, match="channels_last must be false"):
        train_ensemble([net()], flat, replace(PLAIN, channels_last=True), generators=[seeded()])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"clip_gradient": 0.0}, ValueError, "clip_gradient must be positive or None, got 0.0"),
        ({"clip_gradient": math.inf}, ValueError, "clip_gradient must be positive or None"),
        ({"clip_gradient": math.nan}, ValueError, "clip_gradient must be positive or None"),
        ({"precision": "float16"}, ValueError, r"precision must be one of \('float32', 'bfloat16'"),
        ({"channels_last": 1}, TypeError, "channels_last must be true or false, got 1"),
        ({"deterministic": "no"}, TypeError, "deterministic must be true or false, got 'no'"),
        ({"epochs": "1"}, TypeError, "epochs must be an integer, got '1'"),
        ({"batch_size": 1.5}, TypeError, "batch_size must be an integer, got 1.5"),
        ({"learning_rate": "5e-4"}, TypeError, "learning_rate must be a number, got '5e-4'"),
    ],
)
def test_values_out_of_range_are_named(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        replace(PLAIN, **changes)
