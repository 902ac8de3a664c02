"""Two trainings that are one, and what makes them two."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.connections import twins


def test_twins_and_planted_differences() -> None:
    assert twins.audit_twins(1, 15, opposite=True).holds
    assert not twins.audit_twins(1, 15, opposite=False, tolerance=1e-6).holds
    assert not twins.audit_twins(1, 15, opposite=True, factor=1.01, tolerance=1e-9).holds


def test_penalties_against_the_local_maps() -> None:
    x, y = twins.digits_pair(7)
    net = twins.start(64, 5, 0, opposite=False)
    maps = [net.hidden * ((row @ net.hidden) > 0) @ net.last for row in x]
    mu2 = torch.stack([V.square().sum() for V in maps]).mean()
    nu2 = torch.stack([(V[:, 0] - V[:, 1]).square().sum() for V in maps]).mean()
    plain = twins.objective(net, x, y, "mu2", 0.0)
    torch.testing.assert_close(twins.objective(net, x, y, "mu2", 0.3) - plain, 0.3 * mu2)
    torch.testing.assert_close(twins.objective(net, x, y, "nu2", 0.3) - plain, 0.15 * nu2)
    z = torch.stack([row @ V for row, V in zip(x, maps, strict=True)])
    labels = (1 - y) // 2
    torch.testing.assert_close(plain, torch.nn.functional.cross_entropy(z, labels))


def test_the_sum_of_the_columns_is_conserved_or_decays() -> None:
    x, y = twins.digits_pair(40)
    first = twins.start(64, 6, 0, opposite=False)
    total = first.last.sum(1)
    nu, mu = (twins.train(first, x, y, name, steps=30)[-1] for name in ("nu2", "mu2"))
    torch.testing.assert_close(nu.last.sum(1), total, atol=1e-14, rtol=0)
    assert mu.last.sum(1).norm() < 0.95 * total.norm()
    assert not torch.equal(nu.hidden, first.hidden)


def test_arguments() -> None:
    x, y = twins.digits_pair(3)
    net = twins.start(64, 2, 0, opposite=True)
    assert torch.equal(net.last[:, 0], -net.last[:, 1])
    with pytest.raises(ValueError, match="'l1'"):
        twins.objective(net, x, y, "l1", 1.0)
    with pytest.raises(ValueError, match="'sgd'"):
        twins.train(net, x, y, "mu2", optimiser="sgd")
