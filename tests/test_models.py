"""Networks are built from a generator alone, with torchvision's architecture."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbsrc.models import build_model, digits_cnn, initialise
from nbsrc.torchvision_compat import torchvision_models


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ["digits_cnn", "resnet18", "regnet_x_200mf", "regnet_x_400mf"])
def test_weights_depend_on_the_generator_alone(name: str) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = build_model(name, generator=seeded())
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    again, other = build_model(name, generator=seeded()), build_model(name, generator=seeded(1))
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)
    assert all(torch.isfinite(t).all() for t in first.state_dict().values())


@pytest.mark.parametrize("name", ["resnet18", "regnet_x_400mf"])
def test_architectures_are_torchvisions(name: str) -> None:
    theirs = getattr(torchvision_models(), name)(num_classes=10)
    ours = build_model(name, generator=seeded())
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()
    }
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, 32, 32, generator=seeded())
    with torch.no_grad():
        assert torch.equal(ours.eval()(images), theirs.eval()(images))


def test_regnet_x_200mf_has_the_published_widths_and_depths() -> None:
    model = build_model("regnet_x_200mf", generator=seeded())
    stages = model.get_submodule("trunk_output")
    widths, depths = [], []
    for stage in stages.children():
        blocks = list(stage.children())
        depths.append(len(blocks))
        widths.append(blocks[0].get_submodule("f.a.0").weight.shape[0])
    assert (widths, depths) == ([24, 56, 152, 368], [1, 1, 4, 7])
    assert sum(p.numel() for p in model.parameters()) == 2_319_482  # ten classes


@pytest.mark.parametrize("name", ["vgg11", "resnet18", "regnet_x_200mf"])
def test_small_image_versions_keep_the_resolution_of_the_stem(name: str) -> None:
    model = build_model(name, generator=seeded(), small_images=True).eval()
    sizes: list[torch.Size] = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, x, y: sizes.append(y.shape[2:]))
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert sizes[0] == (32, 32)


def test_digits_cnn_names_its_layers_and_gives_logits() -> None:
    model = digits_cnn(generator=seeded(), channels=(2, 3, 4), classes=5)
    assert [name for name, _ in model.named_children()] == [
        *("conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "conv3", "bn3", "relu3"),
        *("flatten", "linear"),
    ]
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 5)


def test_initial_weights_have_hes_variance() -> None:
    layer = initialise(nn.Conv2d(64, 64, 3), seeded())
    assert float(layer.weight.std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert layer.bias is not None
    assert float(layer.bias.abs().max()) == 0.0


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"name must be one of .* got 'lenet'"):
        build_model("lenet", generator=seeded())
    with pytest.raises(ValueError, match="channels must be three positive integers"):
        digits_cnn(generator=seeded(), channels=(1, 2))
    with pytest.raises(TypeError, match="'0' of type PReLU has no initialisation"):
        initialise(nn.Sequential(nn.PReLU()), seeded())
