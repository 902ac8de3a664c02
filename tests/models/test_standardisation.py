"""Every image gets mean 0 and variance 1 inside the network."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from nbsrc.layer_norms import layer_norms
from nbsrc.linear_region.reading import read_network
from nbsrc.models import Standardisation, build_model, standardised


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=seeded(), dtype=torch.float64)


def tensorflows(image: Tensor) -> Tensor:
    """tf.image.per_image_standardization of one image, in its words."""
    stddev = image.std(correction=0)
    adjusted = max(float(stddev), 1 / image.numel() ** 0.5)
    return (image - image.mean()) / adjusted


@pytest.mark.parametrize("shape", [(5, 3, 4, 6), (2, 1, 1, 1), (3, 7), (0, 3, 2, 2)])
def test_it_is_tensorflows_formula_image_by_image(shape: tuple[int, ...]) -> None:
    x = images(*shape)
    y = Standardisation()(x)
    assert y.shape == x.shape
    for row, image in zip(y, x, strict=True):
        assert torch.allclose(row, tensorflows(image), rtol=1e-12, atol=1e-14)


def test_images_of_little_contrast_are_bounded_and_constant_ones_become_zero() -> None:
    flat = torch.full((1, 3, 4, 4), 0.7, dtype=torch.float64)
    assert float(Standardisation()(flat).abs().max()) < 1e-14
    faint = flat + 1e-3 * images(1, 3, 4, 4)
    assert torch.allclose(Standardisation()(faint)[0], tensorflows(faint[0]), rtol=1e-9)
    assert float(Standardisation()(faint).std()) < 0.01
    usual = Standardisation()(images(4, 3, 8, 8)).flatten(1)
    assert torch.allclose(usual.mean(dim=1), torch.zeros(4).double(), atol=1e-14)
    assert torch.allclose(usual.var(dim=1, correction=0), torch.ones(4).double(), rtol=1e-12)


def test_brightness_and_contrast_do_not_matter() -> None:
    x = images(3, 1, 16, 16)
    assert torch.allclose(Standardisation()(0.3 * x + 0.2), Standardisation()(x), rtol=1e-9)


def test_gradients_are_right_and_finite_for_constant_images() -> None:
    x = images(3, 2, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(Standardisation(), (x,))
    flat = torch.full((1, 1, 3, 3), 0.5, requires_grad=True)
    Standardisation()(flat)[0, 0, 1, 1].backward()
    assert flat.grad is not None
    expected = torch.full((3, 3), -1 / 3)  # (identity - 1/9) * sqrt(9)
    expected[1, 1] += 3
    assert torch.allclose(flat.grad[0, 0], expected)


def test_a_standardised_chain_keeps_names_weights_and_mode() -> None:
    net = build_model("cnn7", generator=seeded(), width=0.05, small_images=True)
    net.get_submodule("bn1").eval()
    whole = standardised(net)
    assert [name for name, _ in whole.named_children()][:2] == ["standardise", "conv1"]
    assert {n: id(p) for n, p in whole.named_parameters()} == {
        n: id(p) for n, p in net.named_parameters()
    }
    assert not whole.get_submodule("bn1").training
    assert whole.training
    x = torch.rand(2, 3, 32, 32, generator=seeded())
    net.eval()
    assert not whole.get_submodule("conv1").training  # the layers are the same
    assert torch.equal(whole.eval()(x), net(Standardisation()(x)))
    assert not standardised(net).training


def test_other_networks_become_a_layer() -> None:
    net = build_model("vgg11", generator=seeded(), width=0.05, small_images=True).eval()
    whole = standardised(net)
    assert [name for name, _ in whole.named_children()] == ["standardise", "network"]
    x = torch.rand(2, 3, 32, 32, generator=seeded())
    assert torch.equal(whole(x), net(Standardisation()(x)))
    rows = layer_norms(whole, (1, 3, 32, 32), ords=(1,))
    assert {row.name for row in rows} >= {"network.features.0", "network.classifier"}


def test_it_is_done_once_and_no_linear_region_is_claimed() -> None:
    net = standardised(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))
    with pytest.raises(ValueError, match="model standardises its images already"):
        standardised(net)
    with pytest.raises(NotImplementedError, match=r"'mean' .* is not supported"):
        read_network(net.eval())
