"""Penalties on input derivatives against a network written out by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from nbsrc.perturbation import network_penalties
from nbsrc.regularizers import (
    CrossLipschitz,
    Curvature,
    InputGradient,
    JacobianPenalty,
    compose,
    cross_lipschitz,
    training_step,
)
from tests.regularizers import oracle
from tests.regularizers.traces import check_no_trace, image_batch, noisy_net


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_value_and_gradient_of_each_penalty(classes):
    net = oracle.small_net(classes=classes)
    x, y = oracle.batch(classes=classes)

    def mean(function):
        return lambda model: (
            sum(
                float(function(model, point, int(label))) for point, label in zip(x, y, strict=True)
            )
            / len(x)
        )

    def spread(model, point, _):
        J = oracle.jacobian(model, point)
        pairs = [(i, j) for i in range(classes) for j in range(i)]
        return sum((J[i] - J[j]).square().sum() for i, j in pairs) / classes

    def squared(model, point, label):
        return oracle.loss_gradient(model, point, label).square().sum()

    def curvature(model, point, _):
        return torch.linalg.eigvalsh(oracle.loss_hessian(model, point))[-1]

    cases = [
        (InputGradient(0.7), lambda *a: 0.7 * squared(*a)),
        (JacobianPenalty(0.7), lambda m, p, _: 0.7 * oracle.jacobian(m, p).square().sum()),
        (CrossLipschitz(0.7), lambda *a: 0.7 * spread(*a)),
        (Curvature(0.7), lambda *a: 0.7 * curvature(*a)),
        (Curvature(0.7, 300, seeded(0)), lambda *a: 0.7 * curvature(*a)),
    ]
    for regularizer, value in cases:
        oracle.check_penalty(net, x, y, regularizer, mean(value))


def test_the_mean_of_the_closed_forms():
    """The same scale as nbsrc.perturbation.network_penalties, which the papers' audits use."""
    net, (x, y) = oracle.small_net(3), oracle.batch(4, count=5)
    found = network_penalties(net, x, y)
    for name, regularizer in {
        "jacobian": JacobianPenalty(1.0),
        "cross_lipschitz": CrossLipschitz(1.0),
        "input_gradient": InputGradient(1.0),
        "curvature": Curvature(1.0),
    }.items():
        value = regularizer.penalty(net, x, y, net(x))
        torch.testing.assert_close(value, getattr(found, name).mean())


@pytest.mark.parametrize("projections", [1, 3])
def test_random_projections_with_the_same_vectors(projections):
    net, (x, y) = oracle.small_net(), oracle.batch()
    draw = seeded(7)
    us = []
    for _ in range(projections):
        u = torch.randn(3, 3, generator=draw, dtype=torch.float64)
        us.append(u / u.square().sum(1, keepdim=True).sqrt())

    def value(model):
        rows = [
            (oracle.jacobian(model, x[b]).T @ u[b]).square().sum() for u in us for b in range(3)
        ]
        return 2.0 * 3 / projections * float(sum(rows)) / 3

    regularizer = JacobianPenalty(2.0, projections, seeded(7))
    state = regularizer.state_dict()
    oracle.check_penalty(net, x, y, regularizer, value)
    again = JacobianPenalty(2.0, projections, seeded(99))
    again.load_state_dict(state)
    assert again.penalty(net, x, y, net(x)).item() == pytest.approx(value(net))


def test_random_projections_are_unbiased():
    net, (x, y) = oracle.small_net(), oracle.batch()
    exact = JacobianPenalty(1.0).penalty(net, x, y, net(x))
    regularizer = JacobianPenalty(1.0, 1, seeded(0))
    many_x, many_y = x.repeat(4000, 1), y.repeat(4000)
    estimate = regularizer.penalty(net, many_x, many_y, net(many_x))
    assert estimate.item() == pytest.approx(exact.item(), rel=0.02)


def test_power_iteration_sees_the_curvature_of_a_smooth_network():
    """With a smooth activation the loss Hessian has a second part, and can be indefinite."""
    net = oracle.small_net()
    net[1] = nn.Softplus()
    x, y = oracle.batch(count=2)

    def value(model):
        total = 0.0
        for point, label in zip(x, y, strict=True):

            def loss(z, label=label):
                return nn.functional.cross_entropy(model(z[None]), label[None])

            hessian = torch.autograd.functional.hessian(loss, point)
            total += float(torch.linalg.eigvalsh(hessian).abs().max())
        return total / 2

    oracle.check_penalty(net, x, y, Curvature(1.0, 1000, seeded(0)), value, slope=1e-5)


def test_power_iteration_sees_negative_curvature():
    """One input, logits (0, -x^2 / 2): at x = 0 the Hessian of class 0's loss is -1/2."""

    class Cap(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

        def forward(self, x):
            return torch.cat([torch.zeros_like(x), -self.scale * x**2 / 2], 1)

    net, x, y = Cap(), torch.zeros(1, 1, dtype=torch.float64), torch.tensor([0])
    value = Curvature(1.0, 2, seeded(0)).penalty(net, x, y, net(x))
    assert value.item() == pytest.approx(0.5)
    (slope,) = torch.autograd.grad(value, [net.scale])
    assert slope.item() == pytest.approx(0.5)


def test_a_flat_loss_has_no_curvature():
    net, (x, y) = oracle.small_net(), oracle.batch()
    net[2].weight.data.zero_()
    for regularizer in (Curvature(1.0), Curvature(1.0, 3, seeded(0)), InputGradient(1.0)):
        value = regularizer.penalty(net, x, y, net(x))
        assert value.item() == 0
        slopes = torch.autograd.grad(value, list(net.parameters()), materialize_grads=True)
        assert all(bool(torch.isfinite(slope).all()) for slope in slopes)


ALL = [
    InputGradient(1.0),
    JacobianPenalty(1.0),
    JacobianPenalty(1.0, 2, seeded(0)),
    CrossLipschitz(1.0),
    Curvature(1.0),
    Curvature(1.0, 2, seeded(0)),
]


@pytest.mark.parametrize("regularizer", ALL, ids=lambda r: type(r).__name__)
def test_a_penalty_leaves_no_trace(regularizer):
    check_no_trace(regularizer)


def test_penalties_are_those_of_the_network_in_eval_mode():
    net, (x, y) = noisy_net(), image_batch()
    logits = net(x)  # in training mode: this moves the running statistics
    still = copy.deepcopy(net).eval()
    for regularizer in (InputGradient(1.0), Curvature(1.0)):
        ours = regularizer.penalty(net, x, y, logits)
        assert ours.item() == regularizer.penalty(still, x, y, logits).item()


def test_modes_come_back_after_an_error():
    net, (x, y) = noisy_net(), image_batch()
    with pytest.raises(RuntimeError):
        InputGradient(1.0).penalty(net, x[:, :, :2], y, x)
    assert net.training
    assert net.norm.training
    assert net.norm.running_mean is net.norm._buffers["running_mean"]


def test_a_diverged_network_gives_nan_and_no_error():
    net, (x, y) = oracle.small_net(), oracle.batch()
    net[0].weight.data.fill_(torch.nan)
    for regularizer in (InputGradient(1.0), Curvature(1.0), Curvature(1.0, 2, seeded(0))):
        assert regularizer.penalty(net, x, y, net(x)).isnan()


def test_a_planted_error_is_seen(monkeypatch):
    """Half of the pairs too many: the mean of the columns is forgotten."""
    net, (x, y) = oracle.small_net(), oracle.batch()

    def value(model):
        J = [oracle.jacobian(model, point) for point in x]
        return sum(float((j - j.mean(0)).square().sum()) for j in J) / 3

    oracle.check_penalty(net, x, y, CrossLipschitz(1.0), value)
    true = cross_lipschitz.logits_and_jacobian

    def wrong(model, points, **options):
        z, J = true(model, points, **options)
        return z, torch.cat([J, -J.sum(1, keepdim=True)], 1)

    monkeypatch.setattr(cross_lipschitz, "logits_and_jacobian", wrong)
    with pytest.raises(AssertionError):
        oracle.check_penalty(net, x, y, CrossLipschitz(1.0), value)


def test_a_step_with_all_of_them():
    net, (x, y) = noisy_net(), image_batch()
    value = training_step(net, x, y, torch.optim.SGD(net.parameters(), lr=1e-3), compose(*ALL))
    assert value.isfinite()


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"strength must be in \[0, inf\), got -1"):
        InputGradient(-1)
    with pytest.raises(ValueError, match="projections must be a positive integer, got 0"):
        JacobianPenalty(1.0, 0)
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator, got NoneType"):
        JacobianPenalty(1.0, 1)
    with pytest.raises(ValueError, match=r"state of JacobianPenalty must hold \[\], got \['g"):
        JacobianPenalty(1.0).load_state_dict({"generator": seeded(0).get_state()})
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator, got int"):
        Curvature(1.0, 1, 3)
    one, (x, y) = oracle.small_net(classes=1), oracle.batch()
    with pytest.raises(ValueError, match="the model must have at least 2 classes, got 1"):
        CrossLipschitz(1.0).penalty(one, x, y, one(x))
    with pytest.raises(ValueError, match=r"the model's output must be \[3, classes\], got \(3, 4"):
        InputGradient(1.0).penalty(nn.Unflatten(1, (4, 1)), x, y, x)
