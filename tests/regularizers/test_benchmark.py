"""The benchmark of the regularisers runs on a small network and prints what it measured."""

from __future__ import annotations

import pytest

from benchmarks import regularizers as bench


def test_the_rows_and_the_lines(monkeypatch):
    small = {"NETWORK": "digits_cnn", "BATCH": 2, "SMALL_BATCH": 2, "CHANNELS": 1, "SIDE": 8}
    for name, value in small.items():
        monkeypatch.setattr(bench, name, value)
    rows = bench.regularizer_rows(1, 1.0)
    assert set(rows["norm_decay"]["ratios"]) == {"norm_decay_l1", "norm_decay_linf"}
    assert rows["norm_decay"]["layers"] == 4
    assert rows["small"]["ratios"]["plain"] == pytest.approx(1)
    assert len(rows["small"]["ratios"]) == 21
    rows["norm_decay"]["ratios"] = {"norm_decay_l1": 1.01, "norm_decay_linf": 1.2}
    lines = bench.regularizer_lines(rows)
    assert "1.0100 of the step without it (target 1.05: met)" in lines[1]
    assert "(target 1.05: missed)" in lines[2]
    assert "trades" in "".join(lines)
