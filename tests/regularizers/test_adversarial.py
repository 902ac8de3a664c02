"""Adversarial objectives: attacks written out by hand, finite values, and batch statistics."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nbsrc.operator_norm import CrossEntropy, LogitNorm, pga, uniform_in_ball
from nbsrc.regularizers import (
    AdversarialTraining,
    LogitAdversary,
    LogitPairing,
    OperatorNormPenalty,
    SoftmaxDivergence,
    Threat,
    Trades,
    adversarial_points,
    training_step,
)
from nbsrc.regularizers import _adversary as module
from tests.regularizers import oracle
from tests.regularizers.traces import check_no_trace, image_batch, noisy_net


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def fgsm(net, x, y, eps):
    """x + eps sign(gradient), point by point."""
    return torch.stack([
        point + eps * oracle.loss_gradient(net, point, int(label)).sign()
        for point, label in zip(x, y, strict=True)
    ])


def linf_steps(x, slope, start, eps, alpha, steps):
    """Sign steps, clipped to the cube, point by point."""
    points = []
    for number, (point, now) in enumerate(zip(x, start, strict=True)):
        for _ in range(steps):
            now = now + alpha * slope(number, now).sign()
            now = torch.minimum(torch.maximum(now, point - eps), point + eps)
        points.append(now)
    return torch.stack(points)


def mean_loss(net, points, y):
    pairs = zip(points, y, strict=True)
    return sum(oracle.cross_entropy(net, point, int(label)) for point, label in pairs) / len(y)


@pytest.mark.parametrize(("clean", "adversarial"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.3)])
def test_fgsm_training(clean, adversarial):
    net, (x, y) = oracle.small_net(), oracle.batch()
    worst = fgsm(net, x, y, 0.3)

    def value(model):
        return adversarial * mean_loss(model, worst, y) - (1 - clean) * mean_loss(model, x, y)

    regularizer = AdversarialTraining(Threat(0.3), clean=clean, adversarial=adversarial)
    oracle.check_penalty(net, x, y, regularizer, value)


def test_the_loss_with_the_penalty_is_the_loss_of_the_adversarial_points():
    net, (x, y) = oracle.small_net(), oracle.batch()
    other = copy.deepcopy(net)
    worst = fgsm(net, x, y, 0.3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    found = training_step(net, x, y, optimizer, AdversarialTraining(Threat(0.3)))
    loss = F.cross_entropy(other(worst), y)
    loss.backward()
    torch.optim.SGD(other.parameters(), lr=0.1).step()
    torch.testing.assert_close(found, loss.detach())
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_pgd_training_with_a_random_start():
    net, (x, y) = oracle.small_net(), oracle.batch()
    start = uniform_in_ball(x, 0.4, math.inf, seeded(5))
    worst = linf_steps(
        x, lambda i, now: oracle.loss_gradient(net, now, int(y[i])), start, 0.4, 0.15, 5
    )
    threat = Threat(0.4, alpha=0.15, steps=5, start="ball")

    def value(model):
        return mean_loss(model, worst, y) - mean_loss(model, x, y)

    oracle.check_penalty(net, x, y, AdversarialTraining(threat, seeded(5)), value)


@pytest.mark.parametrize("alpha", [0.2, math.inf])
@pytest.mark.parametrize("p", [1, 2, math.inf])
@pytest.mark.parametrize("name", ["cross-entropy", "logits"])
def test_the_adversary_is_that_of_nbsrc_operator_norm(p, alpha, name):
    net, (x, y) = oracle.small_net().eval(), oracle.batch()
    loss = CrossEntropy(y) if name == "cross-entropy" else LogitNorm(1)
    start = uniform_in_ball(x, 0.5, p, seeded(2))
    expected = pga(net, x, 0.5, p, loss, alpha, 4, start, on_zero="keep").x
    threat = Threat(0.5, p, alpha, 4, "ball")
    torch.testing.assert_close(adversarial_points(net, x, loss, threat, seeded(2)), expected)


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_the_box_and_the_ball(p):
    net, draw = oracle.small_net(), seeded(0)
    x = torch.rand(20, 4, generator=draw, dtype=torch.float64)
    x[0], x[1] = 0, 1
    y = torch.randint(3, (20,), generator=draw)
    for start in ("point", "ball", "near"):
        threat = Threat(0.8, p, 0.3, 4, start, (0.0, 1.0))
        found = adversarial_points(net, x, CrossEntropy(y), threat, draw)
        assert found.min() >= 0
        assert found.max() <= 1
        assert torch.linalg.vector_norm(found - x, p, dim=1).max() <= 0.8 + 1e-12
    with pytest.raises(ValueError, match=r"x must lie between the bounds \(0.0, 0.5\), got entr"):
        adversarial_points(net, x, CrossEntropy(y), Threat(0.1, bounds=(0.0, 0.5)))


@pytest.mark.parametrize("q", [1, 2, math.inf])
@pytest.mark.parametrize("exponent", [1, 2])
def test_the_norm_of_the_logits_change(q, exponent):
    net, (x, y) = oracle.small_net(), oracle.batch()
    threat = Threat(0.7, 2, 0.3, 3, "ball")
    start = uniform_in_ball(x, 0.7, 2, seeded(1))
    worst = pga(net.eval(), x, 0.7, 2, LogitNorm(q), 0.3, 3, start).x
    net.train()

    def value(model):
        ends = [
            torch.linalg.vector_norm(oracle.outputs(model, a) - oracle.outputs(model, b), q)
            for a, b in zip(worst, x, strict=True)
        ]
        return 0.6 / exponent * sum(float(end) ** exponent for end in ends) / 3

    regularizer = LogitAdversary(threat, seeded(1), strength=0.6, q=q, exponent=exponent)
    oracle.check_penalty(net, x, y, regularizer, value)


def test_theorem_1_in_a_linear_region():
    """eps times the operator norm, in value and gradient, where the ball is in one region."""
    net, (x, y) = oracle.small_net(), oracle.batch()
    eps = 1e-3
    exact = OperatorNormPenalty(eps, steps=None)
    threat = Threat(eps, 2, steps=100, start="ball")
    ours = LogitAdversary(threat, seeded(0)).penalty(net, x, y, net(x))
    theirs = exact.penalty(net, x, y, net(x))
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(
        torch.autograd.grad(ours, list(net.parameters()), materialize_grads=True),
        torch.autograd.grad(theirs, list(net.parameters()), materialize_grads=True),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-6)


def test_logit_pairing():
    net, (x, y) = oracle.small_net(), oracle.batch()
    worst = fgsm(net, x, y, 0.3)

    def value(model):
        pairs = [
            (oracle.outputs(model, a) - oracle.outputs(model, b)).square().sum()
            for a, b in zip(x, worst, strict=True)
        ]
        mixed = 0.5 * (mean_loss(model, worst, y) - mean_loss(model, x, y))
        return mixed + 0.4 * float(sum(pairs)) / 3

    oracle.check_penalty(net, x, y, LogitPairing(Threat(0.3), strength=0.4), value)


def divergence(p, other):
    return sum(float(a * (a.log() - b.log())) for a, b in zip(p, other, strict=True))


def test_trades():
    net, (x, y) = oracle.small_net(), oracle.batch()
    noise = 1e-3 * torch.randn(x.shape, generator=seeded(4), dtype=torch.float64)

    def slope(number, now):
        p = oracle.probabilities(net, x[number])
        return oracle.jacobian(net, now).T @ (oracle.probabilities(net, now) - p)

    worst = linf_steps(x, slope, x + noise, 0.4, 0.1, 6)

    def value(model):
        return (
            6.0
            * sum(
                divergence(oracle.probabilities(model, a), oracle.probabilities(model, b))
                for a, b in zip(x, worst, strict=True)
            )
            / 3
        )

    regularizer = Trades(Threat(0.4, alpha=0.1, steps=6, start="near"), seeded(4))
    oracle.check_penalty(net, x, y, regularizer, value)


@pytest.mark.parametrize("scale", [1.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_objectives_are_finite_at_zero_distance_and_for_sure_networks(scale, dtype):
    net, (x, y) = oracle.small_net().to(dtype), oracle.batch()
    net[2].weight.data.mul_(scale)
    x = x.to(dtype)
    for eps in (0.0, 0.3):
        threat = Threat(eps, alpha=0.1, steps=2, start="near")
        for regularizer in (
            Trades(threat, seeded(0)),
            LogitAdversary(threat, seeded(0), q=2),
            LogitAdversary(threat, seeded(0), q=math.inf),
            LogitPairing(threat, seeded(0)),
        ):
            value = regularizer.penalty(net, x, y, net(x))
            slopes = torch.autograd.grad(value, list(net.parameters()), materialize_grads=True)
            assert value.isfinite()
            assert all(bool(torch.isfinite(slope).all()) for slope in slopes)
            if eps == 0:
                assert value.item() == 0
                assert max(slope.abs().max().item() for slope in slopes) < 1e-4 * scale


def test_the_divergence_has_its_gradient():
    draw = seeded(0)
    clean, z = torch.randn(2, 4, 5, generator=draw, dtype=torch.float64)
    leaf = z.clone().requires_grad_()
    loss = SoftmaxDivergence()
    (slope,) = torch.autograd.grad(loss.value(clean, leaf).sum(), leaf)
    torch.testing.assert_close(loss.gradient(clean, z), slope)
    expected = F.kl_div(z.log_softmax(1), clean.softmax(1), reduction="none").sum(1)
    torch.testing.assert_close(loss.value(clean, z), expected)


NEAR = Threat(0.1, alpha=0.1, steps=2, start="near")
ALL = [
    AdversarialTraining(Threat(0.1)),
    AdversarialTraining(NEAR, seeded(0), False),
    LogitAdversary(NEAR, seeded(0)),
    LogitPairing(Threat(0.1)),
    Trades(NEAR, seeded(0)),
]


@pytest.mark.parametrize("regularizer", ALL, ids=lambda r: type(r).__name__)
def test_a_penalty_leaves_no_trace(regularizer):
    check_no_trace(regularizer)


def test_batch_norm_uses_the_batch_where_it_trains():
    net, (x, y) = noisy_net(), image_batch()
    net.drop.eval()
    worst = adversarial_points(net, x, CrossEntropy(y), Threat(0.1))
    for flag in (True, False):
        found = AdversarialTraining(Threat(0.1), batch_statistics=flag).penalty(
            net, x, y, torch.zeros(4, 3, dtype=torch.float64)
        )
        still = copy.deepcopy(net).train(flag)
        still.drop.eval()
        expected = F.cross_entropy(still(worst), y) - math.log(3)
        torch.testing.assert_close(found, expected)
    frozen = copy.deepcopy(net)
    frozen.norm.eval()
    value = AdversarialTraining(Threat(0.1)).penalty(frozen, x, y, frozen(x))
    still = copy.deepcopy(net).eval()
    expected = F.cross_entropy(still(worst), y) - F.cross_entropy(still(x), y)
    torch.testing.assert_close(value, expected)


def test_a_resumed_adversary_draws_the_same_starts():
    net, (x, y) = oracle.small_net(), oracle.batch()
    first = Trades(NEAR, seeded(0))
    first.penalty(net, x, y, net(x))
    second = Trades(NEAR, seeded(1))
    second.load_state_dict(first.state_dict())
    values = [r.penalty(net, x, y, net(x)).item() for r in (first, second)]
    assert values[0] == values[1]


def test_a_diverged_network_gives_nan_and_no_error():
    net, (x, y) = oracle.small_net(), oracle.batch()
    net[0].weight.data.fill_(torch.nan)
    for regularizer in ALL:
        assert regularizer.penalty(net, x, y, net(x)).isnan()


def test_a_planted_error_is_seen(monkeypatch):
    """The divergence the wrong way round."""
    net, (x, y) = oracle.small_net(), oracle.batch()
    monkeypatch.setattr(module, "adversarial_points", lambda m, x, *rest: x + 0.5)

    def value(model):
        return (
            sum(
                divergence(oracle.probabilities(model, a), oracle.probabilities(model, a + 0.5))
                for a in x
            )
            / 3
        )

    oracle.check_penalty(net, x, y, Trades(NEAR, seeded(0), beta=1.0), value)
    true = SoftmaxDivergence.value
    monkeypatch.setattr(SoftmaxDivergence, "value", lambda self, a, b: true(self, b, a))
    with pytest.raises(AssertionError):
        oracle.check_penalty(net, x, y, Trades(NEAR, seeded(0), beta=1.0), value)


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"eps must be in \[0, inf\), got -1"):
        Threat(-1)
    with pytest.raises(ValueError, match="steps must be a positive integer, got 0"):
        Threat(1.0, steps=0)
    with pytest.raises(ValueError, match="start must be one of"):
        Threat(1.0, start="centre")
    with pytest.raises(ValueError, match=r"alpha must be in \(0, inf\), got 0"):
        Threat(1.0, alpha=0)
    with pytest.raises(ValueError, match="bounds must be two increasing numbers"):
        Threat(1.0, bounds=(1.0, 0.0))
    with pytest.raises(TypeError, match="threat must be a Threat, got float"):
        AdversarialTraining(1.0)
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator, got NoneType"):
        AdversarialTraining(NEAR)
    with pytest.raises(ValueError, match=r"clean must be in \[0, inf\), got -1"):
        LogitPairing(Threat(1.0), clean=-1)
    with pytest.raises(ValueError, match="at the point itself the divergence has gradient 0"):
        Trades(Threat(1.0))
    with pytest.raises(ValueError, match="at the point itself the norm of the logits' change"):
        LogitAdversary(Threat(1.0))
    with pytest.raises(ValueError, match=r"q must be at least 1, got 0\.5"):
        LogitAdversary(NEAR, seeded(0), q=0.5)
    with pytest.raises(ValueError, match="at least 2 classes, got 1"):
        adversarial_points(nn.Linear(2, 1), torch.zeros(1, 2), LogitNorm(2), Threat(1.0))
