"""What is read and what is refused: never a silently wrong region."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from nbsrc.linear_region import jacobian
from nbsrc.linear_region.reading import read_network


class Forward(nn.Module):
    """A network with a given forward."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function
        self.linear = nn.Linear(3, 3)
        self.relu_ = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


class OtherSequential(nn.Sequential):
    """A Sequential that is none."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * super().forward(x)


class OtherLinear(nn.Linear):
    """A linear layer that is none: read through its forward."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return torch.sin(super().forward(x))


@pytest.mark.parametrize(
    ("net", "match"),
    [
        (nn.Sequential(nn.Linear(3, 3), nn.GELU()), r"layer '1' \(GELU\) is not supported"),
        (nn.Sequential(nn.Sequential(nn.Tanh())), r"layer '0.0' \(Tanh\) is not supported"),
        (nn.Sequential(nn.Softmax(1)), "Softmax"),
        (OtherSequential(nn.Linear(3, 3)), "mul"),
        (nn.Sequential(OtherLinear(3, 3)), "get_attr 0.weight"),
        (nn.Sequential(nn.Flatten(0)), r"layer '0' \(Flatten\) flattening must start at dim"),
        (nn.BatchNorm1d(3, track_running_stats=False).eval(), "has no running statistics"),
        (nn.MaxPool2d(2, return_indices=True), "returns indices"),
        (Forward(lambda m, x: x * x), "mul"),
        (Forward(lambda m, x: x + 1), "add"),
        (Forward(lambda m, x: m.linear(x) if x.sum() > 0 else x), "cannot be traced"),
        (Forward(lambda m, x: (x, m.linear(x))), "must return one tensor"),
        (Forward(lambda m, x: x + m.linear.bias), "linear"),
        (Forward(lambda m, x: torch.flatten(x)), "flattening must start"),
        (Forward(lambda m, x: torch.relu(x.view(-1, 3))), "view"),
    ],
)
def test_refused(net: nn.Module, match: str) -> None:
    with pytest.raises(NotImplementedError, match=match):
        read_network(net)


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: x + m.relu_(x),
        lambda m, x: m.relu_(m.linear(x).view(x.size(0), -1)),
        lambda m, x: torch.relu_(x) + m.linear(x),
    ],
)
def test_in_place_on_shared_values(function: Callable[..., object]) -> None:
    """x + relu_(x) is 2 relu(x), not x + relu(x): refused, unless nobody else reads the value."""
    net = Forward(function).double()
    x = torch.tensor([[-1.0, 2.0, 3.0]], dtype=torch.float64)
    try:
        J = jacobian(net, x)[0]
    except NotImplementedError as error:
        assert "works in place on a value that is read elsewhere too" in str(error)  # noqa: PT017
        return
    free = x.clone().requires_grad_()
    oracle = torch.autograd.functional.jacobian(lambda z: net(z.clone())[0], free)[:, 0]
    assert torch.equal(J, oracle)


def test_in_place_through_a_view_is_refused() -> None:
    def function(m: Forward, x: Tensor) -> Tensor:
        y = m.linear(x)
        return torch.relu_(y.flatten(1)) + y

    with pytest.raises(NotImplementedError, match="works in place"):
        read_network(Forward(function))


@pytest.mark.parametrize(
    "layer",
    [nn.BatchNorm1d(3), nn.Dropout(0.5), parametrizations.spectral_norm(nn.Linear(3, 3))],
)
def test_training_mode(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"layer '0' .* training mode"):
        read_network(nn.Sequential(layer.train()))
    read_network(nn.Sequential(layer.eval()))


def test_hooks_are_refused() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    net[0].register_forward_hook(lambda *_: None)
    with pytest.raises(NotImplementedError, match=r"layer '0' \(Linear\) has hooks"):
        read_network(net)


def test_no_module() -> None:
    with pytest.raises(TypeError, match=r"net must be a torch.nn.Module, got int"):
        read_network(3)  # type: ignore[arg-type]


def test_images_need_a_batch_dimension() -> None:
    for layer in (nn.Conv2d(2, 1, 1), nn.MaxPool2d(1), nn.AvgPool2d(1)):
        with pytest.raises(ValueError, match=r"needs \[batch, channels, height, width\]"):
            jacobian(layer, torch.ones(2, 3, 3))


def test_zero_padding_of_pixels_and_channels() -> None:
    net = nn.Sequential(
        nn.ZeroPad2d((1, 0, 0, 2)), nn.Conv2d(2, 3, 2), nn.ReLU(), nn.ZeroPad3d((0, 0, 1, 0, 0, 2))
    ).double()
    x = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert net(x).shape == (1, 5, 5, 3)
    oracle = torch.autograd.functional.jacobian(net, x).reshape(75, 18)
    assert torch.equal(jacobian(net, x)[0].reshape(75, 18), oracle)
    with pytest.raises(ValueError, match=r"ZeroPad3d needs \[batch, channels, height, width\]"):
        jacobian(nn.ZeroPad3d(1), torch.ones(2, 3, 3))  # would pad the batch
    changed = nn.ZeroPad2d(1)
    changed.value = 1.0
    with pytest.raises(NotImplementedError, match="ZeroPad2d"):
        read_network(changed)


def test_shared_layers_and_unused_values() -> None:
    """One ReLU called twice is two switches; a value that nobody reads does no harm."""

    def function(m: Forward, x: Tensor) -> Tensor:
        y = torch.relu(m.linear(torch.relu(m.linear(x))))
        m.linear(y)
        return y

    net = Forward(function).double()
    program = read_network(net)
    assert len(program.switches) == 2
    x = torch.randn(2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    oracle = torch.stack([torch.autograd.functional.jacobian(net, row) for row in x])
    assert (jacobian(net, x) - oracle).abs().max() < 1e-14


def test_an_empty_sequential_is_the_identity() -> None:
    assert jacobian(nn.Sequential(), torch.ones(1, 2)).tolist() == [[[1.0, 0.0], [0.0, 1.0]]]
