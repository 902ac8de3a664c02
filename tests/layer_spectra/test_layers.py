"""The walk over a network, against the dense matrices of the layers' own forward."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nbsrc.layer_spectra import layer_spectra, spectral_complexity, to_rows
from nbsrc.models import digits_cnn


def dense(layer: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """The layer's matrix from its own forward on unit inputs, its bias taken off."""
    eye = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    layer = layer.double()
    with torch.no_grad():
        return (layer(eye) - layer(torch.zeros_like(eye))).flatten(1).T


LAYERS = [
    (nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 5, 6)),
    (nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2), (4, 5, 5)),
    (nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"), (2, 4, 4)),
    (nn.Conv2d(1, 2, 3, padding="same", padding_mode="reflect"), (1, 4, 4)),
    (nn.Conv2d(1, 1, (1, 3), stride=4, padding=5), (1, 3, 3)),
    (nn.Conv1d(2, 3, 3, stride=2, padding=1, dilation=2), (2, 9)),
    (nn.Conv1d(2, 2, 2, padding="same"), (2, 5)),
    (nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2), (4, 3, 3)),
    (nn.ConvTranspose1d(2, 3, 3, stride=2), (2, 4)),
    (nn.Linear(4, 3), (4,)),
    (nn.Linear(3, 4), (5, 3)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda v: str(v)[:40])
def test_each_kind_against_its_own_forward(layer: nn.Module, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    truth = dense(layer, shape)
    found = layer_spectra(nn.Sequential(layer), (1, *shape))[0].spectrum
    assert found is not None
    assert (found.rows, found.columns) == tuple(truth.shape)
    values = torch.linalg.svdvals(truth)
    torch.testing.assert_close(found.values, values, rtol=1e-9, atol=1e-9)


def test_walk_over_a_network() -> None:
    net = digits_cnn(generator=torch.Generator().manual_seed(0), channels=(2, 3, 3))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    records = layer_spectra(net, (1, 1, 8, 8))
    known = [r for r in records if r.spectrum is not None]
    assert [r.name for r in known] == ["conv1", "conv2", "conv3", "linear"]
    assert [r.kind for r in records if r.spectrum is None] == ["batch-norm"] * 3
    assert all("batch norm" in r.remark for r in records if r.spectrum is None)
    product = math.prod(r.spectrum.maximum for r in known if r.spectrum is not None)
    assert spectral_complexity(records) == pytest.approx(product)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert net.training
    rows = to_rows(records)
    assert rows[0]["std"] == known[0].spectrum.std  # type: ignore[union-attr]
    assert rows[1]["std"] is None


def test_the_model_itself_shared_layers_and_layers_not_called() -> None:
    assert layer_spectra(nn.Linear(3, 2), (1, 3))[0].name == "(model)"

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = self.b = nn.Linear(3, 3)
            self.unused = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.b(self.a(x))
            return out

    shared, unused = layer_spectra(Net(), (1, 3))
    assert "shared" in shared.remark
    assert shared.calls == 2
    assert unused.spectrum is None
    assert "not called" in unused.remark
    assert shared.spectrum is not None
    assert spectral_complexity([shared, unused]) == pytest.approx(shared.spectrum.maximum**2)


def test_too_large_three_dimensional_and_unknown_layers_say_so() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.factor * x

    net = nn.Sequential(nn.Conv2d(1, 1, 3), Scale())
    large, unknown = layer_spectra(net, (1, 1, 8, 8), max_entries=100)
    assert large.spectrum is None
    assert "64 x 64 has more than max_entries = 100" in large.remark
    assert unknown.spectrum is None
    assert "factor" in unknown.remark
    wide = nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Unflatten(1, (2, 1, 1)),
                         nn.ConvTranspose2d(2, 1, 8), nn.Conv2d(1, 9, 1))  # fmt: skip
    found = layer_spectra(wide, (1, 1, 8, 8), max_entries=127)
    assert [r.name for r in found if "entries" in r.remark] == ["1", "3", "4"]
    found = layer_spectra(wide, (1, 1, 8, 8), max_entries=128)
    assert [r.name for r in found if "entries" in r.remark] == ["4"]
    few = layer_spectra(wide, (1, 1, 8, 8), max_entries=64 * 64)[-1]
    assert few.spectrum is None  # the inputs would fit, nine output channels do not
    assert "576 x 64" in few.remark
    deep = layer_spectra(nn.Sequential(nn.Conv3d(1, 1, 2)), (1, 1, 3, 3, 3))[0]
    assert deep.spectrum is None
    assert "three-dimensional" in deep.remark
    with pytest.raises(ValueError, match="layer '0' has no spectrum"):
        spectral_complexity([large])


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="max_entries"):
        layer_spectra(nn.Linear(1, 1), (1, 1), max_entries=0)
    with pytest.raises(TypeError, match="must be a torch"):
        layer_spectra("net", (1, 1))  # type: ignore[arg-type]
    broken = nn.Linear(1, 1)
    with torch.no_grad():
        broken.weight.fill_(math.nan)
    with pytest.raises(ValueError, match="layer"):
        layer_spectra(nn.Sequential(broken), (1, 1))
    with pytest.raises(ValueError, match="at least one layer"):
        spectral_complexity([])
