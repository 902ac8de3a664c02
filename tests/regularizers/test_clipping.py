"""Singular value clipping against dense matrices, and the projection of batch norm."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from nbsrc.batch_norm import batch_norm_norm
from nbsrc.regularizers import (
    BatchNormProjection,
    SingularValueClipping,
    batch_norm_names,
    training_step,
    weight_layers,
)
from tests.regularizers.test_spectral import SHAPE, dense, mixed_net, seeded
from tests.regularizers.traces import image_batch, noisy_net


def filled(module, seed=0):
    net = nn.Sequential(module).double()
    for parameter in net.parameters():
        draw = torch.randn(parameter.shape, generator=seeded(seed), dtype=torch.float64)
        parameter.data.copy_(draw)
    return net


def clipped_matrix(matrix, bound):
    U, singular, Vh = torch.linalg.svd(matrix, full_matrices=False)
    return U @ torch.diag(singular.clamp(max=bound)) @ Vh


def clip(net, shape, bound, **options):
    layers = weight_layers(net, shape)
    SingularValueClipping(layers, bound, **options).after_epoch(net)
    return layers


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("method", ["fourier", "matrix"])
def test_a_kernel_as_large_as_the_image_is_clipped_exactly(groups, method):
    """Nothing is cropped: the new matrix is the old one with clipped singular values."""
    module = nn.Conv2d(4, 2, 3, padding=1, padding_mode="circular", groups=groups, bias=False)
    net = filled(module)
    (layer,) = weight_layers(net, (1, 4, 3, 3))
    expected = clipped_matrix(dense(net, layer), 2.0)
    before = dense(net, layer)
    clip(net, (1, 4, 3, 3), 2.0, method=method, tolerance=1e-10)
    assert torch.linalg.matrix_norm(before, 2) > 3
    torch.testing.assert_close(dense(net, layer), expected, atol=1e-8, rtol=0)


def test_a_cropped_kernel_may_exceed_the_bound_and_repeats_help():
    net = filled(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular", bias=False))
    shape = (1, 2, 6, 6)
    (layer,) = weight_layers(net, shape)
    ends = []
    for repeats in (1, 5, 40):
        moved = copy.deepcopy(net)
        clip(moved, shape, 1.0, repeats=repeats)
        ends.append(float(torch.linalg.matrix_norm(dense(moved, layer), 2)))
    assert ends[0] > 1.05
    assert ends[0] > ends[1] > ends[2] > 1 - 1e-9
    assert ends[2] < 1.01


def test_one_clip_is_that_of_the_circulant_matrix():
    """Clip the dense circulant, read the kernel off its entries, crop."""
    net = filled(nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular", bias=False))
    (layer,) = weight_layers(net, (1, 2, 7))
    matrix = clipped_matrix(dense(net, layer), 1.0)
    kernel = torch.empty(3, 2, 3, dtype=torch.float64)
    for i in range(3):
        for j in range(2):
            for tap in range(3):  # output 3 meets pixel 2 + tap
                kernel[i, j, tap] = matrix[7 * i + 3, 7 * j + 2 + tap]
    clip(net, (1, 2, 7), 1.0)
    torch.testing.assert_close(net[0].weight.detach(), kernel)


def test_linear_layers_are_clipped_exactly_by_both():
    for method in ("fourier", "matrix"):
        net = filled(nn.Linear(4, 3))
        expected = clipped_matrix(net[0].weight.detach(), 1.0)
        bias = net[0].bias.detach().clone()
        clip(net, (1, 4), 1.0, method=method)
        torch.testing.assert_close(net[0].weight.detach(), expected)
        assert torch.equal(net[0].bias, bias)


def test_nothing_changes_within_the_bound():
    net = mixed_net()
    before = copy.deepcopy(net.state_dict())
    clip(net, SHAPE, 1e3, as_circular=True)
    clip(net, SHAPE, 1e3, method="matrix")
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


def test_the_papers_way_bounds_the_circular_map_and_not_the_layer():
    net = filled(nn.Conv2d(2, 2, 3, stride=2, padding=1, bias=False))
    with pytest.raises(NotImplementedError, match=r"layer '0': it has stride \(2, 2\) and a padd"):
        clip(net, (1, 2, 3, 3), 1.0)
    ring = filled(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular", bias=False))
    clip(net, (1, 2, 3, 3), 1.0, as_circular=True)
    clip(ring, (1, 2, 3, 3), 1.0)
    torch.testing.assert_close(net[0].weight, ring[0].weight)
    (layer,) = weight_layers(net, (1, 2, 3, 3))
    assert torch.linalg.matrix_norm(dense(net, layer), 2) < 0.99


def check_nearest(name, rounds=2000):
    """Feasible, and the angle to every other feasible kernel is obtuse (which characterises it)."""
    net = mixed_net()
    layers = weight_layers(net, SHAPE, [name])
    before = dense(net, layers[0])
    clipping = SingularValueClipping(layers, 2.0, method="matrix", tolerance=1e-10, rounds=rounds)
    clipping.after_epoch(net)
    found = dense(net, layers[0])
    assert torch.linalg.matrix_norm(before, 2) > 3
    assert float(torch.linalg.matrix_norm(found, 2)) <= 2 + 1e-9
    other, draw = copy.deepcopy(net), seeded(5)
    weight = layers[0].weight(other)
    for size in (1e-2, 0.3, 1.0, 10.0):
        for _ in range(10):
            noise = torch.randn(weight.shape, generator=draw, dtype=torch.float64)
            weight.data.copy_(layers[0].weight(net).detach() + size * noise)
            moved = dense(other, layers[0])
            moved = moved * min(1.0, 2.0 / float(torch.linalg.matrix_norm(moved, 2)))
            assert float(((before - found) * (moved - found)).sum()) <= 1e-7 * moved.norm()
    scaled = before * 2.0 / float(torch.linalg.matrix_norm(before, 2))
    assert (found - before).norm() < 0.9 * (scaled - before).norm()


def test_a_transposed_layer_is_clipped_as_the_convolution_that_it_transposes():
    up = filled(nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, output_padding=1, bias=False))
    ring = filled(nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular", bias=False))
    clip(up, (1, 2, 3, 3), 1.0, as_circular=True)  # from 3x3 to 6x6
    clip(ring, (1, 2, 6, 6), 1.0)
    torch.testing.assert_close(up[0].weight, ring[0].weight)


@pytest.mark.parametrize("name", ["0", "2"])
def test_the_projection_of_a_strided_padded_layer_is_the_nearest(name):
    check_nearest(name)


@pytest.mark.parametrize("rounds", [1, 3, 30])
def test_the_bound_holds_after_any_number_of_rounds(rounds):
    net = mixed_net()
    (layer,) = weight_layers(net, SHAPE, ["0"])
    SingularValueClipping([layer], 2.0, "matrix", rounds=rounds).after_epoch(net)
    assert float(torch.linalg.matrix_norm(dense(net, layer), 2)) <= 2 * (1 + 1e-12)


def test_taps_that_meet_no_pixel_stay():
    net = filled(nn.Conv1d(1, 1, 3, stride=2, padding=1, bias=False))
    net[0].weight.data.copy_(torch.tensor([[[7.0, 3.0, 5.0]]]))
    clip(net, (1, 1, 1), 1.0, method="matrix")  # one pixel: only the middle tap meets it
    assert net[0].weight.flatten().tolist() == [7, 1, 5]


def test_one_round_alone_is_seen_not_to_be_the_nearest():
    """Clipping and averaging once, then scaling, is feasible but not the nearest."""
    with pytest.raises(AssertionError):
        check_nearest("0", rounds=1)


def test_when_it_clips():
    net = filled(nn.Linear(2, 2))
    layers = weight_layers(net, (1, 2))
    net[0].weight.data.copy_(3 * torch.eye(2))
    each = SingularValueClipping(layers, 1.0, period=2)
    each.after_step(net)
    each.after_epoch(net)
    assert net[0].weight[0, 0] == 3
    later = SingularValueClipping(layers, 1.0, period=2)
    later.load_state_dict(each.state_dict())
    later.after_step(net)
    assert net[0].weight[0, 0].item() == pytest.approx(1)


def test_wrong_settings_of_clipping():
    net = mixed_net()
    layers = weight_layers(net, SHAPE)
    with pytest.raises(ValueError, match=r"bound must be in \(0, inf\), got -1"):
        SingularValueClipping(layers, -1)
    with pytest.raises(ValueError, match="method must be one of"):
        SingularValueClipping(layers, 1.0, "svd")
    with pytest.raises(ValueError, match="repeats must be a positive integer"):
        SingularValueClipping(layers, 1.0, as_circular=True, repeats=0)
    with pytest.raises(ValueError, match="period must be a positive integer"):
        SingularValueClipping(layers, 1.0, as_circular=True, period=0)
    with pytest.raises(NotImplementedError, match=r"layer '0': its matrix has .* entries, max"):
        SingularValueClipping(layers, 1.0, method="matrix", max_entries=10)
    wide = nn.Sequential(nn.Conv1d(1, 1, 5, padding=2))
    with pytest.raises(NotImplementedError, match=r"layer '0': the kernel \(5,\) is larger than"):
        SingularValueClipping(weight_layers(wide, (1, 1, 3)), 1.0, as_circular=True)
    grid = nn.Sequential(nn.Conv1d(1, 1, 3, dilation=2, padding=2, padding_mode="circular"))
    with pytest.raises(NotImplementedError, match=r"layer '0': it has dilation \(2,\), so its"):
        SingularValueClipping(weight_layers(grid, (1, 1, 7)), 1.0)
    wrapped = nn.Sequential(nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular"))
    with pytest.raises(NotImplementedError, match="layer '0': no matrix with one tap per entry: c"):
        SingularValueClipping(weight_layers(wrapped, (1, 1, 2)), 1.0, method="matrix")
    net[0].weight.data.fill_(torch.inf)
    with pytest.raises(ValueError, match="layer '0' has weights that are not finite"):
        SingularValueClipping(layers, 1.0, as_circular=True).after_epoch(net)


def test_batch_norm_is_projected_channel_by_channel():
    net, (x, y) = noisy_net(), image_batch()
    net.norm.weight.data.copy_(torch.tensor([30.0, -20.0, 0.1]))
    names = batch_norm_names(net)
    assert names == ["norm"]
    variance = net.norm.running_var.clone()
    expected = [
        math.copysign(min(abs(g), 5 * math.sqrt(v + net.norm.eps)), g)
        for g, v in zip([30.0, -20.0, 0.1], variance.tolist(), strict=True)
    ]
    projection = BatchNormProjection(names, 5.0)
    projection.after_step(net)
    assert net.norm.weight.tolist() == pytest.approx(expected)
    assert torch.equal(net.norm.running_var, variance)
    norm = batch_norm_norm(net.norm.weight, net.norm.running_var, ord=1, eps=net.norm.eps)
    assert norm.item() == pytest.approx(5, rel=1e-12)
    net.drop.eval()
    training_step(net, x, y, torch.optim.SGD(net.parameters(), lr=10.0), projection)
    norm = batch_norm_norm(net.norm.weight, net.norm.running_var, ord=1, eps=net.norm.eps)
    assert norm.item() <= 5 * (1 + 1e-12)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(1, 1), "layer '0' must be a batch norm, got Linear"),
        (nn.BatchNorm1d(1, affine=False), r"layer '0' has no scale to project \(affine=False"),
        (nn.BatchNorm1d(1, track_running_stats=False), "layer '0' has no running variance"),
    ],
)
def test_what_cannot_be_projected_is_named(module, message):
    with pytest.raises(ValueError, match=message):
        BatchNormProjection(["0"], 1.0).after_step(nn.Sequential(module))


def test_wrong_settings_of_the_projection():
    with pytest.raises(TypeError, match="names must be several names, got the string 'norm'"):
        BatchNormProjection("norm", 1.0)
    with pytest.raises(ValueError, match=r"bound must be in \[0, inf\), got nan"):
        BatchNormProjection([], math.nan)
    with pytest.raises(ValueError, match="the model has no layer 'bn'"):
        BatchNormProjection(["bn"], 1.0).after_step(nn.Linear(1, 1))
