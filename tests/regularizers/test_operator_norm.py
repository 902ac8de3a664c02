"""Operator norms of the Jacobian at the data: brute force, and the forms of the paper."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from nbsrc.operator_norm import power_method
from nbsrc.regularizers import OperatorNormPenalty, operator_norm
from tests.regularizers import oracle
from tests.regularizers.traces import check_no_trace

ORDERS = (1, 2, math.inf)
PAIRS = list(itertools.product(ORDERS, ORDERS))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def signs(count):
    rows = list(itertools.product((-1.0, 1.0), repeat=count))
    return torch.tensor(rows, dtype=torch.float64)


def brute_force(J, p, q):
    """The largest gain over the extreme points of the ball, or of the dual ball."""
    rows, columns = J.shape
    if p == 1:
        return max(float(torch.linalg.vector_norm(column, q)) for column in J.T)
    if p == math.inf:
        return max(float(torch.linalg.vector_norm(J @ s, q)) for s in signs(columns))
    if q == 2:
        return float(torch.linalg.eigvalsh(J.T @ J)[-1]) ** 0.5
    if q == 1:
        return max(float(torch.linalg.vector_norm(J.T @ s, 2)) for s in signs(rows))
    return max(float(torch.linalg.vector_norm(row, 2)) for row in J)


def mean_norm(x, p, q, power, strength):
    def value(net):
        norms = [brute_force(oracle.jacobian(net, point), p, q) for point in x]
        return strength / power * sum(norm**power for norm in norms) / len(norms)

    return value


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_the_exact_norm_and_its_gradient(p, q):
    net, (x, y) = oracle.small_net(), oracle.batch()
    regularizer = OperatorNormPenalty(0.7, p, q, exponent=2, steps=None)
    oracle.check_penalty(net, x, y, regularizer, mean_norm(x, p, q, 2, 0.7))


@pytest.mark.parametrize("form", ["jacobian", "difference"])
@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_the_power_method_and_its_gradient(p, q, form):
    """From below; from some start it reaches the norm, and then the gradient is the norm's."""
    net, (x, y) = oracle.small_net(5), oracle.batch(count=1)
    value = mean_norm(x, p, q, 1, 1.0)
    exact, reached = value(net), False
    for seed in range(12):
        regularizer = OperatorNormPenalty(
            1.0, p, q, steps=120, form=form, eps=1e-3, generator=seeded(seed)
        )
        found = regularizer.penalty(net, x, y, net(x)).item()
        assert found <= exact * (1 + 1e-9)
        if found >= exact * (1 - 1e-9):
            reached = True
            break
    assert reached
    again = OperatorNormPenalty(1.0, p, q, steps=120, form=form, eps=1e-3, generator=seeded(seed))
    oracle.check_penalty(net, x, y, again, value, slope=1e-6)


def test_equation_7_is_half_the_squared_singular_value():
    net, (x, y) = oracle.small_net(), oracle.batch()
    regularizer = OperatorNormPenalty(0.3, exponent=2, steps=200, generator=seeded(0))

    def value(model):
        tops = [torch.linalg.svdvals(oracle.jacobian(model, point))[0] for point in x]
        return 0.3 / 2 * sum(float(top) ** 2 for top in tops) / 3

    oracle.check_penalty(net, x, y, regularizer, value)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_after_one_iteration_the_value_is_the_gain_of_v(p, q):
    """Far from a maximum: v from the dense iteration, held fixed while the parameters move."""
    net, (x, y) = oracle.small_net(), oracle.batch()
    start = torch.randn(3, 4, generator=seeded(3), dtype=torch.float64)
    vs = []
    for point, v0 in zip(x, start / start.norm(dim=1, keepdim=True), strict=True):
        vs.append(power_method(oracle.jacobian(net, point), p, q, v0, 1).v)

    def value(model):
        gains = [
            torch.linalg.vector_norm(oracle.jacobian(model, point) @ v, q)
            for point, v in zip(x, vs, strict=True)
        ]
        return float(sum(gains)) / 3

    regularizer = OperatorNormPenalty(1.0, p, q, steps=1, generator=seeded(3))
    oracle.check_penalty(net, x, y, regularizer, value)


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_the_sum_of_squares_leaves_the_linear_region(p, q):
    """With a large eps: the difference of outputs written out, v from the dense iteration."""
    net, (x, y) = oracle.small_net(), oracle.batch()
    start = torch.randn(3, 4, generator=seeded(3), dtype=torch.float64)
    vs = []
    for point, v0 in zip(x, start / start.norm(dim=1, keepdim=True), strict=True):
        vs.append(power_method(oracle.jacobian(net, point), p, q, v0, 7).v)

    def value(model):
        ends = [
            torch.linalg.vector_norm(
                oracle.outputs(model, point + 2.0 * v) - oracle.outputs(model, point), q
            )
            for point, v in zip(x, vs, strict=True)
        ]
        return 0.5 * sum(float(end / 2.0) ** 2 for end in ends) / 3

    regularizer = OperatorNormPenalty(
        1.0, p, q, exponent=2, steps=7, form="difference", eps=2.0, generator=seeded(3)
    )
    oracle.check_penalty(net, x, y, regularizer, value)


def test_finite_steps_reach_the_singular_value():
    net, (x, y) = oracle.small_net(), oracle.batch()
    regularizer = OperatorNormPenalty(1.0, steps=200, alpha=0.5, generator=seeded(0))
    found = regularizer.penalty(net, x, y, net(x)).item()
    assert found == pytest.approx(mean_norm(x, 2, 2, 1, 1.0)(net))


def test_a_network_without_slope_has_norm_and_gradient_zero():
    net, (x, y) = oracle.small_net(), oracle.batch()
    net[2].weight.data.zero_()
    for q, form in itertools.product(ORDERS, ("jacobian", "difference")):
        regularizer = OperatorNormPenalty(
            1.0, 2, q, steps=3, form=form, eps=1.0, generator=seeded(0)
        )
        value = regularizer.penalty(net, x, y, net(x))
        assert value.item() == 0
        slopes = torch.autograd.grad(value, list(net.parameters()), materialize_grads=True)
        assert all(bool(torch.isfinite(slope).all()) for slope in slopes)


@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("form", ["jacobian", "difference"])
def test_no_trace_and_nan(steps, form):
    if steps is None and form == "difference":
        return
    regularizer = OperatorNormPenalty(
        1.0, math.inf, 2 if steps else math.inf, steps=steps, form=form, eps=0.1,
        generator=seeded(0),
    )  # fmt: skip
    check_no_trace(regularizer)
    net, (x, y) = oracle.small_net(), oracle.batch()
    net[0].weight.data.fill_(torch.nan)
    assert regularizer.penalty(net, x, y, net(x)).isnan()


@pytest.mark.parametrize("form", ["jacobian", "difference"])
def test_without_an_iteration_v_is_the_random_start(form):
    net, (x, y) = oracle.small_net(), oracle.batch()
    start = torch.randn(3, 4, generator=seeded(3), dtype=torch.float64)
    start = start / start.norm(dim=1, keepdim=True)

    def value(model):
        pairs = zip(x, start, strict=True)
        gains = [(oracle.jacobian(model, point) @ v).norm().item() for point, v in pairs]
        return sum(gain**2 for gain in gains) / 6

    regularizer = OperatorNormPenalty(
        1.0, exponent=2, steps=0, form=form, eps=1e-6, generator=seeded(3)
    )
    oracle.check_penalty(net, x, y, regularizer, value, slope=1e-6)


def batch_norm_net():
    """A convolution, batch norm with running statistics of its own, and a linear layer."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 2, bias=False),
        torch.nn.BatchNorm2d(2, eps=1e-15), torch.nn.Flatten(),
        torch.nn.Linear(8, 3),
    ).double()  # fmt: skip
    draw = seeded(1)
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
    net[1].running_mean += 0.5
    net[1].running_var *= 4.0
    return net, torch.randn(5, 1, 3, 3, generator=draw, dtype=torch.float64)


def batch_norm_penalty(net, x, **kind):
    y = torch.zeros(len(x), dtype=torch.int64)
    regularizer = OperatorNormPenalty(
        1.0, exponent=2, steps=4, form="difference", eps=2.0, generator=seeded(0), **kind
    )
    return regularizer.penalty(net, x, y, torch.zeros(len(x), 3))


def written_out(net, x):
    """The difference of two batches by hand; v by the dense power method in eval mode."""
    net.eval()
    start = torch.randn(5, 9, generator=seeded(0), dtype=torch.float64)
    start = start / start.norm(dim=1, keepdim=True)
    unit = torch.eye(9, dtype=torch.float64).view(9, 1, 3, 3)
    J = (net(unit) - net(torch.zeros_like(unit))).detach().T  # affine: the same everywhere
    rows = [power_method(J, 2, 2, v, 4).v for v in start]
    net.train()

    def outputs(batch):
        maps = torch.nn.functional.conv2d(batch, net[0].weight)
        middle, spread = maps.mean((0, 2, 3)), maps.var((0, 2, 3), unbiased=False)
        unit = (maps - middle[:, None, None]) / spread.sqrt()[:, None, None]
        unit = unit * net[1].weight[:, None, None] + net[1].bias[:, None, None]
        return net[3](unit.flatten(1))

    change = outputs(x + 2.0 * torch.stack(rows).view_as(x)) - outputs(x)
    return (change.norm(dim=1) / 2.0).square().mean() / 2


def test_batch_statistics_are_those_of_the_two_batches():
    net, x = batch_norm_net()
    net.train()
    value = batch_norm_penalty(net, x, batch_statistics=True)
    expected = written_out(net, x)
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    slopes = (torch.autograd.grad(v, list(net.parameters())) for v in (value, expected))
    for found, true in zip(*slopes, strict=True):
        torch.testing.assert_close(found, true, rtol=1e-10, atol=1e-12)


def test_running_statistics_without_it_and_in_eval_mode():
    net, x = batch_norm_net()
    net.eval()
    evaluated = batch_norm_penalty(net, x, batch_statistics=True).item()
    assert batch_norm_penalty(net, x).item() == evaluated
    net.train()
    assert batch_norm_penalty(net, x).item() == evaluated
    assert batch_norm_penalty(net, x, batch_statistics=True).item() != pytest.approx(evaluated)


def test_batch_statistics_leave_buffers_and_modes():
    net, x = batch_norm_net()
    net.train()
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    batch_norm_penalty(net, x, batch_statistics=True).backward()
    assert all(torch.equal(before[name], buffer) for name, buffer in net.named_buffers())
    assert net[1].training


def test_scale_of_a_kernel_before_batch_norm():
    """The batch's statistics undo it; running ones do not: the penalty falls with its square."""
    net, x = batch_norm_net()
    net.train()
    values = {mode: batch_norm_penalty(net, x, batch_statistics=mode).item() for mode in (0, 1)}
    net[0].weight.data /= 2
    assert batch_norm_penalty(net, x).item() == pytest.approx(values[0] / 4, rel=1e-12)
    with_batch = batch_norm_penalty(net, x, batch_statistics=True).item()
    assert with_batch == pytest.approx(values[1], rel=1e-12)


def test_a_planted_error_is_seen(monkeypatch):
    """Domain and co-domain interchanged."""
    net, (x, y) = oracle.small_net(), oracle.batch()
    regularizer = OperatorNormPenalty(1.0, 1, 2, steps=None)
    oracle.check_penalty(net, x, y, regularizer, mean_norm(x, 1, 2, 1, 1.0))
    true = operator_norm.exact_operator_norm
    monkeypatch.setattr(operator_norm, "exact_operator_norm", lambda J, p, q: true(J, q, p))
    with pytest.raises(AssertionError):
        oracle.check_penalty(net, x, y, regularizer, mean_norm(x, 1, 2, 1, 1.0))


def test_wrong_settings():
    with pytest.raises(ValueError, match=r"p must be one of \(1, 2, inf\), got 3"):
        OperatorNormPenalty(1.0, 3, steps=None)
    with pytest.raises(ValueError, match=r"q must be one of \(1, 2, inf\), got 1.5"):
        OperatorNormPenalty(1.0, 2, 1.5, steps=None)
    with pytest.raises(ValueError, match=r"exponent must be in \[1, inf\), got 0.5"):
        OperatorNormPenalty(1.0, exponent=0.5, steps=None)
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator, got NoneType"):
        OperatorNormPenalty(1.0)
    with pytest.raises(ValueError, match="steps must be 0 or a positive integer, got -1"):
        OperatorNormPenalty(1.0, steps=-1, generator=seeded(0))
    with pytest.raises(ValueError, match="form must be one of"):
        OperatorNormPenalty(1.0, steps=None, form="sum")
    with pytest.raises(ValueError, match="form 'difference' needs steps"):
        OperatorNormPenalty(1.0, steps=None, form="difference", eps=1.0)
    with pytest.raises(TypeError, match="eps must be a number, got NoneType"):
        OperatorNormPenalty(1.0, form="difference", generator=seeded(0))
    with pytest.raises(ValueError, match=r"eps must be in \(0, inf\), got 0"):
        OperatorNormPenalty(1.0, form="difference", eps=0, generator=seeded(0))
    with pytest.raises(ValueError, match=r"alpha must be in \(0, inf\), got -1"):
        OperatorNormPenalty(1.0, alpha=-1, generator=seeded(0))
    with pytest.raises(
        ValueError, match="batch_statistics needs form 'difference', got 'jacobian'"
    ):
        OperatorNormPenalty(1.0, generator=seeded(0), batch_statistics=True)
