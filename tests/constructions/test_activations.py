"""Other activations: values on the closed balls, a-priori bounds, certificates."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nbsrc.constructions import activations, activations_square, robust_classifier
from nbsrc.constructions.activations import distance_to_relu, replace_relu
from nbsrc.constructions.activations_square import Square, square_classifier
from nbsrc.constructions.activations_threshold import threshold_classifier
from nbsrc.constructions.certify import certify_robust
from tests.constructions.datasets import QUICK, Case, ball, cases

SCALED = (nn.Softplus(), nn.GELU(), nn.SiLU(), nn.ELU(0.7))
POINTS = torch.tensor([[0.0, 0.0], [3.0, 0.5], [1.0, 4.0], [5.0, 5.0]]).double()
LABELS = torch.tensor([1, 2, 3, 1])


def worst(network: nn.Module, case: Case) -> float:
    """The largest |F - y| over samples of the closed balls."""
    samples = ball(case.points, case.eps, case.ord, seed=1, directions=6)
    with torch.no_grad():
        values = torch.stack([network(part)[:, 0] for part in samples])
    return float((values - case.labels).abs().max())


def rounding(network: nn.Sequential, case: Case) -> float:
    """What rounding can do: the unit roundoff times the sizes of the layers, 64 operations each."""
    size = float(case.points.abs().max()) + case.eps + 1
    for layer in network[::2]:
        size *= max(1.0, layer.weight.abs().sum(1).max().item())
    return 64 * 2.0**-53 * size


@pytest.mark.parametrize("activation", SCALED, ids=str)
def test_distance_to_relu_on_a_grid(activation):
    """The supremum is not exceeded, and reached to the grid's accuracy."""
    grid = torch.linspace(-40, 40, 800_001, dtype=torch.float64)
    found = (activation(grid) - grid.relu()).abs().max().item()
    assert found <= distance_to_relu(activation) + 1e-15
    assert found == pytest.approx(distance_to_relu(activation), rel=1e-8)


@pytest.mark.parametrize("slope", [0.01, 0.25, -0.5, 3.0, 0.0])
def test_leaky_relu_is_exact_everywhere(slope):
    network = robust_classifier(POINTS, LABELS, 1.0, 2)
    found = replace_relu(network, nn.LeakyReLU(slope))
    x = 6 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(found.network(x), network(x), rtol=0, atol=1e-12)
    assert found.error == 0
    assert not any(isinstance(module, nn.ReLU) for module in found.network.modules())


@pytest.mark.parametrize("activation", SCALED, ids=str)
def test_scaled_activations_stay_within_their_bound_everywhere(activation):
    network = robust_classifier(POINTS, LABELS, 1.0, math.inf)
    x = 6 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for tolerance in (0.3, 1e-3):
        found = replace_relu(network, activation, tolerance=tolerance)
        assert found.error <= tolerance
        change = (found.network(x) - network(x)).abs().max().item()
        assert change <= found.error + 1e-9
    blunt = nn.Sequential(*found.network)
    blunt[0].weight.data /= found.sharpness[0]
    blunt[0].bias.data /= found.sharpness[0]
    assert (blunt(x) - network(x)).abs().max() > 0.5  # the scaling is what does it


@pytest.mark.parametrize("activation", SCALED, ids=str)
def test_one_unit_attains_the_bound(activation):
    """The bound is no larger than it must be, and the sharpness is the power of two it needs."""
    network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double()
    for value in network.parameters():
        value.data.fill_(0.0 if value.ndim == 1 else 1.0)
    found = replace_relu(network, activation, tolerance=0.1)
    x = torch.linspace(-10, 10, 200_001, dtype=torch.float64)[:, None]
    change = (found.network(x) - network(x)).abs().max().item()
    assert change == pytest.approx(found.error, rel=1e-6)
    assert 0.05 < found.error <= 0.1


@given(cases(), st.sampled_from([*SCALED, nn.LeakyReLU(0.1)]))
@QUICK
def test_replaced_classifiers_are_right_on_the_balls(case, activation):
    network = robust_classifier(*case.arguments)
    try:
        found = replace_relu(network, activation, tolerance=0.25)
    except ValueError as error:  # a gap of 1e-6 asks for factors that the check refuses
        assert "exact" in str(error)  # noqa: PT017
        return
    assert worst(found.network, case) <= found.error + rounding(found.network, case)


@given(cases(), st.sampled_from([nn.Sigmoid(), nn.Tanh()]))
@QUICK
def test_threshold_circuits_are_right_on_the_balls(case, activation):
    found = threshold_classifier(*case.arguments, activation, tolerance=0.2)
    assert found.error <= 0.2
    assert worst(found.network, case) <= found.error + 1e-9


@given(cases())
@QUICK
def test_squares_are_right_on_the_balls(case):
    found = square_classifier(*case.arguments, tolerance=0.2)
    assert found.error <= 0.2
    assert worst(found.network, case) <= found.error + 1e-6
    kinds = {type(module) for module in found.network}
    assert kinds == {nn.Linear, Square}


@pytest.mark.parametrize("order", [1, 2, math.inf])
@pytest.mark.parametrize("name", ["leaky", "softplus", "gelu", "silu", "elu", "sigmoid", "tanh"])
def test_finished_networks_are_certified(name, order):
    modules = {
        "leaky": nn.LeakyReLU(0.01), "softplus": nn.Softplus(), "gelu": nn.GELU(),
        "silu": nn.SiLU(), "elu": nn.ELU(), "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(),
    }  # fmt: skip
    if name in {"sigmoid", "tanh"}:
        found = threshold_classifier(POINTS, LABELS, 1.0, order, modules[name])
    else:
        found = replace_relu(robust_classifier(POINTS, LABELS, 1.0, order), modules[name])
    proof = certify_robust(found.network, POINTS, LABELS, 1.0, order)
    assert proof.certified.all()
    assert float(proof.deviation.max()) <= found.error + 1e-9
    assert not certify_robust(found.network, POINTS, LABELS + 1, 1.0, order).certified.any()


def test_a_blunt_circuit_is_wrong():
    """Control: without the sharpening the circuit breaks Definition 2."""
    found = threshold_classifier(POINTS, LABELS, 1.0, 2, nn.Sigmoid())
    for value in (found.network[0].weight, found.network[0].bias):
        value.data /= 20
    proof = certify_robust(found.network, POINTS, LABELS, 1.0, 2)
    assert proof.refuted.any()


def test_one_iteration_less_misses_the_bound_of_the_squares(monkeypatch):
    true = activations_square._threshold
    monkeypatch.setattr(activations_square, "_threshold", lambda a, n: true(a, max(1, n - 3)))
    found = square_classifier(POINTS, LABELS, 1.0, 2, tolerance=0.01)
    assert worst(found.network, Case(POINTS, LABELS, 1.0, 2)) > 0.1


@pytest.mark.parametrize("build", [threshold_classifier, square_classifier])
def test_one_class_and_no_labels_but_zero(build):
    points = torch.zeros(1, 2).double()
    extra = (nn.Tanh(),) if build is threshold_classifier else ()
    for label in (0, 3):
        found = build(points, torch.tensor([label]), 0.5, 2, *extra)
        assert found.network(points).item() == pytest.approx(label, abs=0.1)


def test_networks_come_in_the_dtype_of_the_points():
    single = POINTS.float()
    assert square_classifier(single, LABELS, 1.0, 2).network[0].weight.dtype == torch.float32
    found = threshold_classifier(single, LABELS, 1.0, 2, nn.Tanh())
    assert certify_robust(found.network, single, LABELS, 1.0, 2).certified.all()
    soft = replace_relu(robust_classifier(single, LABELS, 1.0, 2), nn.GELU())
    assert certify_robust(soft.network, single, LABELS, 1.0, 2).certified.all()


def test_no_random_number_is_drawn_and_the_old_network_stays():
    network = robust_classifier(POINTS, LABELS, 1.0, 2)
    before, state = {k: v.clone() for k, v in network.state_dict().items()}, torch.get_rng_state()
    for activation in (nn.GELU(), nn.LeakyReLU()):
        replace_relu(network, activation)
    threshold_classifier(POINTS, LABELS, 1.0, 2, nn.Tanh())
    square_classifier(POINTS, LABELS, 1.0, 2)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_errors():
    network = robust_classifier(POINTS, LABELS, 1.0, 2)
    with pytest.raises(TypeError, match=r"network must be an nn\.Sequential"):
        replace_relu(network[0], nn.GELU())
    with pytest.raises(ValueError, match="network must be Linear, ReLU, Linear"):
        replace_relu(nn.Sequential(nn.Linear(1, 1), nn.Tanh(), nn.Linear(1, 1)), nn.GELU())
    for slope in (1.0, -1.0):
        with pytest.raises(ValueError, match="slope other than 1 and -1"):
            replace_relu(network, nn.LeakyReLU(slope))
    for other in (nn.Tanh(), nn.GELU("tanh"), nn.Softplus(2.0)):
        with pytest.raises(NotImplementedError, match="no distance to ReLU is known"):
            replace_relu(network, other)
    with pytest.raises(ValueError, match="tolerance must be"):
        replace_relu(network, nn.GELU(), tolerance=0)
    with pytest.raises(ValueError, match="tolerance must leave the scaled weights exact"):
        replace_relu(network.float(), nn.GELU(), tolerance=1e-38)
    with pytest.raises(NotImplementedError, match="must be Sigmoid or Tanh"):
        threshold_classifier(POINTS, LABELS, 1.0, 2, nn.ReLU())
    with pytest.raises(ValueError, match="further apart than 2 eps"):
        threshold_classifier(POINTS, LABELS, 4.0, 2, nn.Tanh())
    with pytest.raises(ValueError, match=r"overflows in torch\.float32"):
        activations.linear_layers(
            [(torch.full((1, 1), 1e300, dtype=torch.float64), torch.zeros(1).double())],
            nn.ReLU(),
            torch.float32,
        )
