"""Definitions at their word, and risks of finite distributions."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.margin_bound import chance, definitions, networks, risks


def line(first: list[float], second: list[list[float]], *support: float) -> networks.Example:
    points = torch.tensor(support, dtype=torch.float64)[:, None]
    weights = (torch.tensor(first).double()[:, None], torch.tensor(second).double())
    return networks.Example(weights, points[0], support=points)


def test_robust_on_line() -> None:
    e = line([1.0, -1.0], [[1.0, 0.0], [0.0, 1.0]], 1.0, -1.0)
    assert definitions.robust_on_line(e, 1.0)
    assert not definitions.robust_on_line(e, 1.0, strict=True)
    assert definitions.robust_on_line(e, 0.5, strict=True)
    assert not definitions.robust_on_line(e, 1.5)


def test_labels() -> None:
    family = list(networks.lines())
    weak = definitions.audit_keeps_label(family, (0.5, 1.0), strict=False)
    assert not weak.holds
    assert definitions.audit_keeps_label(family, (0.5, 1.0), strict=True).holds
    assert not definitions.audit_positive_v(
        family, lambda e: definitions.robust_on_line(e, 0.5)
    ).holds
    assert definitions.audit_positive_v(
        family, lambda e: definitions.robust_on_line(e, 0.5, strict=True)
    ).holds


def test_labels_beyond_the_radius() -> None:
    family = list(networks.lines())
    assert not definitions.audit_keeps_label(family, (0.5,), strict=True, reach=2.0).holds

    def strict(e: networks.Example) -> bool:
        return definitions.robust_on_line(e, 0.5, strict=True)

    assert definitions.audit_positive_v(family, strict, 0.5).holds
    assert not definitions.audit_positive_v(family, strict, 1.0).holds


def test_planted_loose_robustness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "robust_on_line", lambda *_, **__: True)
    family = list(networks.lines())
    assert not definitions.audit_keeps_label(family, (2.0,), strict=True).holds


def test_guard_regions() -> None:
    family = list(networks.lines((1, -1, 2), units=1))
    assert definitions.audit_guard_regions(family, (1.0, 2.0)).holds
    assert not definitions.audit_guard_regions(family, (2.0,), needed=False).holds
    assert not definitions.audit_guard_regions(family, (1.0,), label=lambda _, x: int(x > 1)).holds


def test_boundary() -> None:
    assert not definitions.audit_boundary_readings(networks.lines()).holds
    family = [*list(networks.planes())[::9], *networks.random_planes(9, 1)]
    assert definitions.audit_exact_distance(family).holds
    for factor in (0.95, 1.05):
        assert not definitions.audit_exact_distance(family, factor).holds


def test_risks() -> None:
    family = list(chance.draws(3, (0, 1, 2), (1, 2, 5)))
    assert risks.audit_unbiased(family).holds
    assert not risks.audit_unbiased(family, chosen_after=True).holds
    assert risks.audit_fixed_classifier(family).holds
    assert not risks.audit_fixed_classifier(family, factor=0.5).holds
    assert not risks.audit_fixed_classifier(family, chosen_after=True).holds
    assert risks.audit_ramp_risk(risks.risky(40, 0)).holds
    assert not risks.audit_ramp_risk(risks.risky(40, 0), 1.0).holds


def test_multinomial() -> None:
    counts = chance.compositions(3, 2)
    assert counts.tolist() == [[0, 3], [1, 2], [2, 1], [3, 0]]
    half = torch.tensor([0.5, 0.5], dtype=torch.float64)
    assert chance.multinomial(counts, half).tolist() == pytest.approx([1 / 8, 3 / 8, 3 / 8, 1 / 8])
    sure = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert chance.multinomial(counts, sure).tolist() == pytest.approx([0, 0, 0, 1])
    d = next(chance.draws(4, (0, 0, 1, 1), (5,)))
    assert float(d.samples[1].sum()) == pytest.approx(1)
    assert d.K == 2
