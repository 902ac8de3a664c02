"""Networks by name: parameter counts, shapes, determinism, widths, types, bad arguments."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call

from nbsrc.layer_norms import layer_norms
from nbsrc.linear_region import jacobian
from nbsrc.linear_region.reading import read_network
from nbsrc.models import MODEL_NAMES, build_model

MNIST = ("lenet_300_100", "lenet5")
#: All but the deeper versions of others, which the same functions build.
DISTINCT = [
    name
    for name in MODEL_NAMES
    if name not in {"resnet110", "resnet110_fixup", "resnet56_fixup", "regnet_x_400mf"}
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def narrow(name: str, **options: Any) -> nn.Module:
    """A tenth of the network, for 8x8 images of one channel."""
    given = {"small_images": True, "width": 0.1, "image": (1, 8, 8)} | options
    return build_model(name, generator=seeded(), **given)


def convolutions(kernel: int, *channels: int) -> int:
    """Weights of a chain of convolutions without biases."""
    return sum(kernel**2 * a * b for a, b in pairwise(channels))


def resnet_cifar(blocks: int, *, norm: bool) -> int:
    """He et al. (2016), 6n + 2 layers: a stem, n blocks of 16, 32 and 64 channels, option A."""
    stages = [16] * 2 * blocks, [32] * 2 * blocks, [64] * 2 * blocks
    weights = convolutions(3, 3, 16, *stages[0], *stages[1], *stages[2])
    scales = 2 * (16 + 2 * blocks * (16 + 32 + 64)) if norm else 0
    return weights + scales + 64 * 10 + 10


def pre_activation(stem: int, widths: tuple[int, ...], blocks: int, reduction: int | None) -> int:
    """Blocks bn-conv-bn-conv with 1x1 shortcuts where channels change or stride is 2."""
    total, before = 0, stem
    for number, width in enumerate(widths):
        for block in range(blocks):
            total += convolutions(3, before, width, width) + 2 * before + 2 * width
            if before != width or (number > 0 and block == 0):
                total += before * width
            if reduction:
                small = width // reduction
                total += 2 * width * small + small + width
            before = width
    return total


#: Ten classes, width 1. Where a number is published it is the literal; the other ones are derived.
COUNTS = {
    # 784*300+300 + 300*100+100 + 100*10+10, the 266,610 of the pruning literature
    "lenet_300_100": 266_610,
    # Caffe's LeNet: 25*20+20 + 25*20*50+50 + 800*500+500 + 5010, 431 thousand
    "lenet5": 431_080,
    # the same on 3x32x32 (features 50x5x5), no biases before batch norm, 2 numbers per bn channel
    "conv4": 25 * 60 + 25 * 1000 + 1250 * 500 + 5010 + 2 * (20 + 50 + 500),
    "vgg_like": convolutions(3, 3, 64, 64, 128, 128, *[256] * 3, *[512] * 5)
    + 2 * (2 * 64 + 2 * 128 + 3 * 256 + 5 * 512 + 512) + 512 * 512 + 5130,
    "cnn7": convolutions(3, 3, 128, 128, 256, 256, 512, 512, 1024) + 10_250,
    "vgg11": convolutions(3, 3, 64, 128, 256, 256, *[512] * 4) + 2752 + 5130,
    "vgg11_bn": convolutions(3, 3, 64, 128, 256, 256, *[512] * 4) + 3 * 2752 + 5130,
    "resnet18": 11_173_962,  # pytorch-cifar's ResNet18
    "senet18": 27 * 64 + 2 * 64 + pre_activation(64, (64, 128, 256, 512), 2, 16) + 5130,
    # Zagoruyko & Komodakis (2016), Table 4: 36.5 million
    "wrn_28_10": 27 * 16 + pre_activation(16, (160, 320, 640), 4, None) + 2 * 640 + 6410,
    # torchvision's count with 3x3 instead of 7x7 filters and 10 instead of 1000 classes
    "wrn_50_2": 68_883_240 - 64 * 3 * (49 - 9) - 2049 * 990,
    "resnet56": resnet_cifar(9, norm=True),
    "resnet110": resnet_cifar(18, norm=True),
    "resnet32_fixup": resnet_cifar(5, norm=False),
    "resnet56_fixup": resnet_cifar(9, norm=False),
    "resnet110_fixup": resnet_cifar(18, norm=False),
    "regnet_x_200mf": 2_319_482,  # torchvision-style count, checked in tests/test_models.py
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_parameter_counts(name: str) -> None:
    net = build_model(name, generator=seeded(), small_images=True)
    assert sum(p.numel() for p in net.parameters()) == COUNTS[name]


def test_the_derived_counts_are_the_published_ones() -> None:
    assert (COUNTS["resnet56"], COUNTS["resnet110"]) == (853_018, 1_727_962)  # 0.85 M and 1.7 M
    assert COUNTS["wrn_28_10"] == 36_479_194
    assert COUNTS["senet18"] == 11_260_354  # pytorch-cifar's SENet18
    assert COUNTS["vgg11_bn"] == 9_231_114  # pytorch-cifar's VGG11
    assert set(COUNTS) == set(MODEL_NAMES) - {"digits_cnn", "regnet_x_400mf"}


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_network_takes_small_images_and_repeats(name: str) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    net = narrow(name, classes=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    state, again = net.state_dict(), narrow(name, classes=3).state_dict()
    assert all(torch.equal(state[key], again[key]) for key in state)
    assert all(torch.isfinite(tensor).all() for tensor in state.values())
    other = build_model(
        name, generator=seeded(1), classes=3, small_images=True, width=0.1, image=(1, 8, 8)
    )
    pairs = zip(net.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)
    logits = net(torch.rand(4, 1, 8, 8, generator=seeded()))
    assert logits.shape == (4, 3)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("name", DISTINCT)
def test_a_float64_network_is_the_float32_one(name: str) -> None:
    single, double = narrow(name).eval(), narrow(name, dtype=torch.float64).eval()
    assert all(p.dtype == torch.float64 for p in double.parameters())
    x = torch.rand(2, 1, 8, 8, generator=seeded())
    weights = {key: value.double() for key, value in single.named_parameters()}
    buffers = {key: v.double() for key, v in single.named_buffers() if v.is_floating_point()}
    with torch.no_grad():
        expected = functional_call(single, weights | buffers, x.double())
        assert torch.equal(double(x.double()), expected)


@pytest.mark.parametrize("name", [name for name in DISTINCT if name != "digits_cnn"])
def test_networks_for_their_own_images(name: str) -> None:
    shape = (1, 28, 28) if name in MNIST else (3, 32, 32)
    net = build_model(name, generator=seeded(), small_images=True, width=0.05).eval()
    with torch.no_grad():
        assert net(torch.zeros(2, *shape)).shape == (2, 10)
        for odd in ((2, 37, 21), (3, 5, 5)):
            built = narrow(name, image=odd).eval()
            assert built(torch.zeros(1, *odd)).shape == (1, 10)


@pytest.mark.parametrize("name", [name for name in DISTINCT if name != "senet18"])
def test_linear_regions_can_read_them(name: str) -> None:
    net = narrow(name, dtype=torch.float64).eval()
    if name.endswith("_fixup"):  # zero weights say nothing
        for p in net.parameters():
            p.data.add_(0.02 * torch.randn(p.shape, generator=seeded(), dtype=p.dtype))
    x = torch.rand(1, 1, 8, 8, generator=seeded(), dtype=torch.float64)
    v = torch.randn(64, generator=seeded(1), dtype=torch.float64)
    _, oracle = torch.func.jvp(net, (x,), (v.reshape(x.shape),))
    product = jacobian(net, x)[0].flatten(1) @ v
    assert (product - oracle[0]).abs().max() <= 1e-11 * oracle.abs().max() > 0


def test_the_sigmoid_of_squeeze_and_excitation_is_refused_by_name() -> None:
    with pytest.raises(
        NotImplementedError, match=r"layer 'layer1.0.squeeze.scale_activation' \(Sigmoid\)"
    ):
        read_network(narrow("senet18").eval())
    with pytest.raises(ValueError, match=r"layer 'bn1' .* training mode"):
        read_network(narrow("cnn7"))


@pytest.mark.parametrize("name", ["conv4", "senet18", "wrn_28_10", "resnet56_fixup"])
def test_layer_norms_find_every_layer(name: str) -> None:
    net = narrow(name)
    rows = layer_norms(net, (1, 1, 8, 8), ords=(1,))
    layers = [n for n, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert set(layers) <= {row.name for row in rows}


def test_width_multiplies_channels() -> None:
    full = build_model("resnet56", generator=seeded(), width=2.0)
    half = build_model("vgg11", generator=seeded(), width=0.5, small_images=True)
    assert full.get_parameter("layer3.0.conv1.weight").shape == (128, 64, 3, 3)
    assert half.get_parameter("features.0.weight").shape == (32, 3, 3, 3)
    groups = build_model("regnet_x_200mf", generator=seeded(), width=0.25, small_images=True)
    grouped = [m for m in groups.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert {m.in_channels // m.groups for m in grouped} == {8}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lenet", {}, r"name must be one of .* got 'lenet'"),
        ("lenet5", {"classes": 0}, "classes must be at least 1, got 0"),
        ("lenet5", {"width": 0.0}, "width must be positive, got 0.0"),
        ("lenet5", {"width": math.inf}, "width must be positive, got inf"),
        ("lenet5", {"image": (1, 8)}, r"image must be three positive integers, got \(1, 8\)"),
        ("lenet5", {"image": (1, 0, 8)}, "image must be three positive integers"),
        ("lenet5", {"dtype": torch.int64}, "dtype must be a floating-point type, got torch.int64"),
        ("vgg11", {"width": 0.5}, "width and image of 'vgg11' can be given with small_images only"),
        ("resnet18", {"image": (3, 32, 32)}, "width and image of 'resnet18'"),
    ],
)
def test_bad_arguments_are_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(name, generator=seeded(), **options)


def test_a_seed_is_no_generator() -> None:
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator, got 0"):
        build_model("lenet5", generator=0)  # type: ignore[arg-type]
