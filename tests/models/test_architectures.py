"""Layers, order and initial weights of the single architectures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nbsrc.models import build_model, fixup
from nbsrc.models.blocks import PreActivation
from nbsrc.models.chain import Chain, scaled
from nbsrc.torchvision_compat import torchvision_models


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def kinds(net: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in net.children()]


def layers(net: nn.Module, *types: type[nn.Module]) -> list[Any]:
    return [module for module in net.modules() if isinstance(module, types)]


def test_the_lenets_are_the_chains_of_the_papers() -> None:
    assert kinds(build_model("lenet_300_100", generator=seeded(), width=0.1)) == [
        *("Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"),
    ]
    lenet = build_model("lenet5", generator=seeded())
    assert [name for name, _ in lenet.named_children()] == [
        *("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flatten"),
        *("linear1", "relu3", "linear2"),
    ]
    assert lenet.get_submodule("linear1").in_features == 50 * 4 * 4


def test_depths_are_those_of_the_names() -> None:
    """Convolutions on the main path and linear layers, as the papers count."""
    for name, depth in {"resnet56": 56, "resnet110_fixup": 110, "resnet32_fixup": 32}.items():
        net = build_model(name, generator=seeded(), width=0.1)
        assert len(layers(net, nn.Conv2d, nn.Linear)) == depth
    wide = build_model("wrn_28_10", generator=seeded(), width=0.05)
    assert len(layers(wide, nn.Conv2d, nn.Linear)) == 28 - 2 + 3  # 4 + 6n layers with 3 shortcuts
    vgg = build_model("vgg_like", generator=seeded(), width=0.05)
    assert (len(layers(vgg, nn.Conv2d)), len(layers(vgg, nn.Linear))) == (12, 2)
    cnn = build_model("cnn7", generator=seeded(), width=0.05)
    assert (len(layers(cnn, nn.Conv2d)), len(layers(cnn, nn.BatchNorm2d))) == (7, 7)
    assert len(layers(cnn, nn.MaxPool2d)) == 4


def test_small_resnet18_is_torchvisions_with_another_stem() -> None:
    ours = build_model("resnet18", generator=seeded(), small_images=True).eval()
    theirs = torchvision_models().resnet18(num_classes=10)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 3, 16, 16, generator=seeded())
    with torch.no_grad():
        assert torch.equal(ours(x), theirs.eval()(x))


def test_small_wrn_50_2_is_torchvisions_with_another_stem_and_xaviers_weights() -> None:
    ours = build_model("wrn_50_2", generator=seeded(), small_images=True, classes=200)
    with torch.device("meta"):
        theirs = torchvision_models().wide_resnet50_2(num_classes=200)
        theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    theirs.load_state_dict(ours.state_dict(), assign=True)  # names and shapes
    x = torch.rand(1, 3, 9, 9, generator=seeded())
    with torch.no_grad():
        assert torch.equal(ours.eval()(x), theirs.eval()(x))
        weight = ours.get_parameter("layer3.1.conv2.weight")  # fan-in and fan-out are equal
        bound = (3 / (9 * weight.shape[0])) ** 0.5
        assert 0.999 * bound < float(weight.abs().max()) <= bound
        assert float(weight.var()) == pytest.approx(bound**2 / 3, rel=1e-2)
    sizes = []
    narrow = build_model("wrn_50_2", generator=seeded(), small_images=True, width=0.05)
    narrow.get_submodule("layer4").register_forward_hook(lambda *args: sizes.append(args[2].shape))
    narrow(torch.zeros(2, 3, 56, 56))
    assert sizes == [(2, 4 * 26, 7, 7)]


def test_shortcuts_of_the_cifar_resnets_subsample_and_add_zero_channels() -> None:
    net = build_model("resnet56", generator=seeded(), width=0.5)
    short = net.get_submodule("layer2.0.downsample")
    x = torch.rand(2, 8, 6, 6, generator=seeded())
    y = short(x)
    assert torch.equal(y[:, :8], x[:, :, ::2, ::2])
    assert y.shape == (2, 16, 3, 3)
    assert not y[:, 8:].any()


def test_fixup_starts_with_identities_and_scaled_layers() -> None:
    fixed = build_model("resnet56_fixup", generator=seeded()).eval()
    plain = build_model("resnet56", generator=seeded())
    x = torch.rand(3, 3, 8, 8, generator=seeded())
    with torch.no_grad():
        stem = fixed.get_submodule("relu")(fixed.get_submodule("conv1")(x))
        assert torch.equal(fixed.get_submodule("layer1")(stem), stem)  # ReLU of a ReLU
        assert not fixed(x).any()
    assert not layers(fixed, nn.BatchNorm2d)
    first, second = "layer3.4.conv1.weight", "layer3.4.conv2.weight"
    assert not fixed.get_parameter(second).any()
    expected = plain.get_parameter(first) * 27**-0.5  # L = 27 branches, m = 2 layers
    assert torch.allclose(fixed.get_parameter(first), expected, rtol=1e-6, atol=0)
    assert torch.equal(fixed.get_parameter("conv1.weight"), plain.get_parameter("conv1.weight"))
    fixed.train()(x).sum().backward()
    assert fixed.get_parameter("fc.weight").grad.abs().max() > 0  # it can leave zero


def test_fixup_refuses_branches_of_one_layer() -> None:
    with pytest.raises(ValueError, match="every branch must have at least two layers, got 1"):
        fixup([[nn.Conv2d(1, 1, 1)]], nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("before", "stride", "projects"), [(4, 1, False), (4, 2, True), (2, 1, True)]
)
def test_pre_activation_blocks_follow_their_formula(
    before: int, stride: int, projects: bool
) -> None:
    block = PreActivation(before, 4, stride).double().eval()
    assert (block.shortcut is not None) == projects
    x = torch.randn(2, before, 5, 5, generator=seeded(), dtype=torch.float64)
    scale = (1 + 1e-5) ** -0.5  # fresh running statistics
    a = (scale * x).relu()
    branch = torch.conv2d(
        (scale * torch.conv2d(a, block.conv1.weight, None, stride, 1)).relu(),
        block.conv2.weight, None, 1, 1,
    )  # fmt: skip
    short = x
    if block.shortcut is not None:
        short = torch.conv2d(a, block.get_parameter("shortcut.weight"), None, stride)
    assert torch.allclose(block(x), branch + short, rtol=1e-12, atol=1e-12)


def test_squeeze_and_excitation_scales_the_branch() -> None:
    block = PreActivation(32, 32, 1, squeeze=True).double().eval()
    x = torch.randn(2, 32, 3, 3, generator=seeded(), dtype=torch.float64)
    squeeze = block.squeeze
    branch = block.conv2(block.relu2(block.bn2(block.conv1(block.relu1(block.bn1(x))))))
    hidden = torch.einsum("oc,nc->no", squeeze.fc1.weight[:, :, 0, 0], branch.mean((2, 3)))
    hidden = (hidden + squeeze.fc1.bias).relu()
    gate = (hidden @ squeeze.fc2.weight[:, :, 0, 0].T + squeeze.fc2.bias).sigmoid()
    assert hidden.shape == (2, 2)
    assert torch.allclose(block(x), x + gate[:, :, None, None] * branch, rtol=1e-12, atol=1e-12)


def test_chains_keep_track_of_the_size() -> None:
    chain = Chain((2, 9, 7))
    chain.convolution(3, 5, padding=0)
    chain.pool()
    chain.convolution(4, 3, stride=2, padding=0)  # 2x1 features: the kernel does not fit
    chain.pool()  # would leave nothing
    chain.flatten()
    net = chain.output(6)
    assert list(chain.layers) == ["conv1", "relu1", "pool1", "conv2", "relu2", "flatten", "linear"]
    assert net(torch.zeros(1, 2, 9, 7)).shape == (1, 6)
    assert net.get_submodule("conv2").padding == (1, 1)


def test_scaled_rounds_and_keeps_one() -> None:
    assert [scaled(16, w) for w in (1, 0.5, 0.1, 0.01, 2)] == [16, 8, 2, 1, 32]
