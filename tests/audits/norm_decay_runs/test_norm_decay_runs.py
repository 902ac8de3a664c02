"""Runs made by hand: norms known, statements true or planted false."""

from __future__ import annotations

from typing import Any

import pytest

from nbsrc.audits.norm_decay_runs import judged, printed, records, rescaling


def a_run(conv: list[float], bn: list[float], regularizer: list[Any] = (), **more: Any) -> Any:
    """A run of ResNet-18 with one convolution and one batch norm, norms by epoch."""

    def row(name: str, kind: str, norm: float) -> dict[str, Any]:
        return {"name": name, "kind": kind, "l1": norm, "linf": norm}

    history = [
        {"epoch": n, "norms": [row("conv1", "conv", c), row("bn1", "batch-norm", b)]}
        for n, (c, b) in enumerate(zip(conv, bn, strict=True))
    ]
    return {
        "label": "run", "seed": 0, "status": "finished", "model": {"name": "resnet18"},
        "settings": {"weight_decay": 0.0}, "axes": {}, "regularizer": list(regularizer),
        "history": history, "measures": {"PGD": {"value": 0.25}}, **more,
    }  # fmt: skip


DECAY = {"kind": "NormDecay", "order": "inf"}
PLAIN = a_run([2.0, 4.0, 4.0], [1.0, 2.0, 2.0])
SMALL = a_run([2.0, 1.0, 1.0], [1.0, 4.0, 6.0], [DECAY])


def test_methods_are_named_by_their_regularisers() -> None:
    project = {"kind": "BatchNormProjection", "bound": 5.0}
    assert records.method_of(PLAIN) == "plain"
    assert records.method_of(SMALL) == "linf norm decay"
    assert records.method_of(a_run([1.0], [1.0], [DECAY, project])) == "linf norm decay, BN to 5"
    assert records.method_of(a_run([1.0], [1.0], [{"kind": "Trades"}])) == "TRADES"


def test_ratio_and_partner() -> None:
    (pair,) = records.pairs([PLAIN, SMALL])
    assert judged.final_ratio(pair) == pytest.approx(0.25)
    assert judged.final_ratio(pair, kinds=records.BATCH_NORM) == pytest.approx(3.0)
    with pytest.raises(ValueError, match="share a layer"):
        records.geometric_ratio({"a": 1.0}, {"b": 1.0})


def test_statements_and_planted_violations() -> None:
    (pair,) = records.pairs([PLAIN, SMALL])
    assert judged.audit_reduced([pair]).holds
    assert not judged.audit_reduced([records.Pair(PLAIN, SMALL)]).holds
    assert not judged.audit_comparable([pair], 0.9).holds
    assert judged.audit_compensated([pair], below=0.5).holds
    shrunk = a_run([2.0, 1.0, 1.0], [1.0, 1.0, 1.0], [DECAY])
    assert not judged.audit_compensated([records.Pair(shrunk, PLAIN)], below=0.5).holds
    assert judged.audit_projected([PLAIN], 2.0).holds
    assert not judged.audit_projected([SMALL], 5.0).holds
    assert judged.audit_stays([PLAIN], 1.1).holds
    assert not judged.audit_stays([a_run([1.0, 1.0, 2.0], [1.0] * 3)], 1.1).holds


def a_network(norms: list[float]) -> Any:
    rows = [{"name": f"c{n}", "kind": "conv", "l1": v, "linf": v} for n, v in enumerate(norms)]
    return a_run([], []) | {"history": [{"epoch": 0, "norms": rows}]}


def test_distributions_and_single_layers_are_compared() -> None:
    plain = a_network([1.0, 2.0, 3.0, 4.0, 5.0])
    same = records.Pair(a_network([5.0, 4.0, 3.0, 2.0, 1.0]), plain)  # the layers exchanged
    assert judged.quartile_ratios([same]) == [1.0, 1.0, 1.0]
    assert judged.audit_layers([same], 1.0).holds  # three of five
    lower = records.Pair(a_network([1.0, 1.5, 3.0, 4.0, 5.0]), plain)
    assert judged.quartile_ratios([lower, same]) == [0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert judged.audit_layers([lower], 0.9).worst_slack == pytest.approx(0.3)
    most = records.Pair(a_network([0.5, 1.0, 1.5, 4.0, 5.0]), plain)
    assert not judged.audit_layers([most], 0.9).holds


def test_scaling_a_kernel_is_undone_by_batch_norm() -> None:
    assert rescaling.audit_rescaling(range(6), tolerance=1e-9).holds
    assert not rescaling.audit_rescaling(range(3), tolerance=1e-9, compensated=False).holds
    assert not rescaling.audit_rescaling(range(3), tolerance=1e-9, eps=1e-3).holds


def test_printed_numbers_stand_beside_ours() -> None:
    def done(regularizer: list[Any], pgd: float, axes: dict[str, Any]) -> Any:
        measures = {"PGD": {"value": pgd}, "accuracy": {"test_accuracy": 0.5}}
        return a_run([1.0], [1.0], regularizer, measures=measures, axes=axes)

    runs = [done([], 0.25, {}), *(done([DECAY], 0.25 * s, {"strength": s}) for s in (1.0, 3.0))]
    rows = printed.beside_table2(runs)
    assert rows[0] == ("resnet18", "plain", "50.0", "25.0", "", "93.2", "37.0")
    assert rows[1][:5] == ("resnet18", "linf norm decay 3", "50.0", "75.0", "+50")
    assert rows[1][5:] == ("93.0 (at 1e-2)", "20.0")
    gains = printed.gains(runs)
    assert gains["resnet18", "linf norm decay", 1.0] == pytest.approx(0.0)
    assert gains["resnet18", "linf norm decay", 3.0] == pytest.approx(50.0)
