"""The rules find what is planted, and not what is not there."""

from __future__ import annotations

from typing import Any

import pytest

from nbsrc.audits.spectral_training import around, judged, records, settings


def run(sigma: float, robust: float, away: float, shared: float, align: float) -> dict[str, Any]:
    falls = [0.5, 0.4, 0.3, *[0.15] * 7, *[0.05] * 30]
    flat = [0.1] * 40
    uniform = {"mean": [0.9], "se": [0.01]}
    return {
        "accuracy": {"test_accuracy": 0.9},
        "curve": {"mean": [robust], "se": [0.03]},
        "spectrum": {
            "features": {"mean": [sigma, 1.0]},
            "alignment": {"mean": falls},
            "random": {"mean": flat},
        },
        "alignment": {"adversarial": {"mean": [align, align - 0.1]}},
        "linearity": {
            "adversarial": {
                "deviation": {"mean": [away]},
                "relative": {"mean": [away / 10]},
                "sigma": {"mean": [sigma * (1.3 if sigma > 5 else 1)]},
            }
        },
        "patterns": {"data": {"mean": [shared], "se": [0.001]}, "uniform": uniform},
    }


@pytest.fixture
def group() -> dict[str, Any]:
    plain, strong = run(10, 0.1, 9, 0.9, 0.4), run(4, 0.5, 1, 0.95, 0.6)
    return {
        "standard": [plain, plain], "AT": [strong, strong], "d.d. SNR": [strong, strong],
        "global SNR": [plain, plain],
    }  # fmt: skip


RULES = {
    "damped": judged.damped,
    "robust": lambda g: judged.robust(g, ("AT", "d.d. SNR"), 0),
    "linear": lambda g: around.linear(g, 0),
    "more_shared": lambda g: around.more_shared(g, 0, "data"),
    "falling": lambda g: judged.falling(g, ("AT", "d.d. SNR"), ["global SNR"], "alignment"),
}


@pytest.mark.parametrize("name", RULES)
def test_what_is_planted_is_found_and_seeds_alone_do_not_pass(name: str, group: Any) -> None:
    parts = RULES[name](group)
    assert judged.all_hold(parts), parts
    assert judged.word(parts) == "reproduced"
    sham = RULES[name](records.same_training(group))
    assert not judged.all_hold(sham)
    if name != "falling":
        assert not judged.all_hold(RULES[name](records.relabelled(group, d_d_SNR="standard") | {
            "d.d. SNR": group["standard"]}))  # fmt: skip


def test_growth_on_rays(group: Any) -> None:
    path = group["standard"][0]["linearity"]["adversarial"]["sigma"]
    path["mean"] = [10.0, 13.0]
    for measures in group["AT"]:
        measures["linearity"]["adversarial"]["sigma"]["mean"] = [4.0, 4.0]
    assert judged.all_hold(around.sigma_on_rays(group, 1))
    path["mean"] = [10.0, 10.0]
    assert not around.sigma_on_rays(group, 1)["standard develops"].holds


def test_away_from_the_data(group: Any) -> None:
    assert judged.all_hold(around.unshared(group, 0))
    assert not judged.all_hold(around.unshared(group, 0, "data"))


def test_ranks(group: Any) -> None:
    assert judged.all_hold(judged.aligned(group, ["standard", "AT"]))
    assert not judged.all_hold(judged.aligned(records.random_alignment(group), ["AT"]))
    spectrum = group["AT"][0]["spectrum"]
    spectrum["alignment"]["mean"] = spectrum["alignment"]["mean"][::-1]
    parts = judged.aligned(group, ["AT"])
    assert not parts["AT falls"].holds
    assert not parts["AT strong"].holds


def test_equal_curves(group: Any) -> None:
    paths = [("curve", "mean"), ("alignment", "adversarial", "mean")]
    assert judged.all_hold(judged.equal_curves(group, "standard", "global SNR", paths, 0.05))
    assert not judged.all_hold(judged.equal_curves(group, "AT", "global SNR", paths, 0.05))


def test_words() -> None:
    yes, no = judged.over("a", [1.0], [1.0]), judged.over("a", [-1.0], [1.0])
    assert judged.word({"a": yes}, {"b": no}) == "partly-reproduced"
    assert judged.word({"a": no}) == "not-reproduced"


def test_groups_and_the_papers_choice_of_strength() -> None:
    def made(label: str, seed: int, clean: float) -> dict[str, Any]:
        measures = {"accuracy": {"test_accuracy": clean}, "curve": {"mean": [seed]}}
        return {"label": label, "seed": seed, "status": "finished", "measures": measures}

    runs = [made("CNN7 AT l2, 5 iterations", 0, 0.8), made("CNN7 standard", 1, 0.9),
            made("CNN7 standard", 0, 0.9), made("CNN7 d.d. SNR, 5 iterations", 0, 0.9),
            made("CNN7 d.d. SNR at lambda 0.003, 5 iterations", 0, 0.81), made("other", 0, 0.1),
            made("CNN7 standard", 2, 0.9) | {"status": "diverged"}]  # fmt: skip
    group = records.group_of(runs, records.CIFAR10)
    assert records.curve(group, "standard", "curve", "mean") == [[0.0], [1.0]]
    chosen = records.matched(group)
    assert chosen["d.d. SNR"] is group["d.d. SNR, 0.003"]
    assert "d.d. SNR, 0.003" not in chosen
    assert records.same_training(group)["AT"][0]["curve"]["mean"] == [1]


def test_step_sizes_and_mixtures() -> None:
    rising = ([0.1, 1.0, 9.0], [0.9, 0.9, 0.8], [0.2, 0.6, 0.62])
    assert judged.all_hold(settings.levels_off(rising, 1.0))
    assert not judged.all_hold(settings.levels_off(rising, 0.1))
    mixed = ([0.0, 0.5, 1.0], [0.9, 0.9, 0.85], [0.55, 0.6, 0.58])
    assert judged.all_hold(settings.interpolates(mixed))
    assert settings.interpolates(mixed)["continuous"].trials == 4
    assert not judged.all_hold(settings.interpolates((mixed[0], mixed[1], [0.2, 0.6, 0.58])))
    runs = [
        {"label": f"step {s}", "seed": 0, "measures": {"accuracy": {"test_accuracy": 1.0},
         "curve": {"mean": [s, s / 2]}}} for s in (2.0, 1.0)
    ]  # fmt: skip
    assert settings.series_of(runs, "step", 1) == ([1.0, 2.0], [1.0, 1.0], [0.5, 1.0])
