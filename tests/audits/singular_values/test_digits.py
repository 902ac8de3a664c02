"""The small digits network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nbsrc.audits.singular_values import digits, rescaling
from nbsrc.data import load_digits


@pytest.fixture(scope="module")
def net() -> nn.Sequential:
    data = load_digits(seed=0).first(train=200, test=100)
    return digits.trained_cnn(data, epochs=2, seed=0, channels=(2, 2))


def test_losses_at_scales(net: nn.Sequential) -> None:
    data = load_digits(seed=0).first(train=200, test=100)
    rows = digits.loss_curve(net, data, [0.5, 1.0, 2.0])
    assert len({row["test accuracy"] for row in rows}) == 1
    z = net(data.train_images)
    assert rows[1]["train"] == pytest.approx(
        float(nn.functional.cross_entropy(z, data.train_labels).detach()), rel=1e-5
    )


def test_statistics_and_spectra(net: nn.Sequential) -> None:
    twin = rescaling.rescale_layers(net, [4.0, 0.5, 1.0])
    rows = digits.statistic_rows({"net": net, "twin": twin})
    assert len(rows) == 8
    assert rows[4]["std"] == pytest.approx(4 * rows[0]["std"])
    assert rows[4]["std / mean"] == pytest.approx(rows[0]["std / mean"])
    spectra = digits.spectra_rows(net)
    assert len(spectra) == 3 * 64
    true, own, larger = ([r["value"] for r in spectra[k : k + 64]] for k in (0, 64, 128))
    assert all(a <= b + 1e-9 for a, b in zip(true, larger, strict=True))
    assert any(a > b for a, b in zip(true, own, strict=True))
    assert spectra[0]["value"] != spectra[64]["value"]
    with pytest.raises(ValueError, match="must have a spectrum"):
        digits.spectra_rows(nn.Sequential(nn.BatchNorm2d(1)))


def test_same_seed_same_network(net: nn.Sequential) -> None:
    data = load_digits(seed=0).first(train=200, test=100)
    again = digits.trained_cnn(data, epochs=2, seed=0, channels=(2, 2))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))
