"""The chain of reasoning: its numbers, the arrows they break, and planted errors."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from nbsrc.audits.robustness import chain
from nbsrc.audits.robustness.chain import Links
from nbsrc.audits.robustness.definition import robust_by_prediction
from nbsrc.audits.robustness.line import LineCase, PiecewiseLinear
from nbsrc.constructions import SteepPairs, robust_classifier
from tests.audits.robustness.robust_examples import always_no

F = Fraction


@pytest.fixture(scope="module")
def links() -> dict[str, Links]:
    return {x.name: x for x in chain.measured_chain()}


def link(name: str, **changes: float) -> Links:
    plain = Links(name, 3.2, 19.2, 6.4, 0.0, 1.0, 1.0, decided=True)
    return replace(plain, **changes)


def test_all_points_are_decided(links: dict[str, Links]) -> None:
    assert len(links) == 7
    assert all(x.decided for x in links.values())
    assert [x.robust_accuracy for x in links.values()] == [1, 1, 1, 1, 1, 1, 0]
    assert {x.clean_accuracy for x in links.values()} == {1}
    assert list(links)[-1] == "teeth too tall"


def test_a_refutation_needs_a_point_of_the_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs 5 at 6 and 1 at 2 are wrong for the other ball's label, and in no ball of it."""
    x, y = torch.tensor([[0.0], [8.0]], dtype=torch.float64), torch.tensor([1, 5])
    ramp = robust_classifier(x, y, 0.5, math.inf)
    ends = torch.tensor([[6.0], [2.0]], dtype=torch.float64)  # not in the balls
    pairs = SteepPairs("inside", x, ends, 1.0)
    monkeypatch.setattr(chain, "steep_pairs", lambda *_: pairs)

    monkeypatch.setattr(chain, "certify_robust", always_no)
    assert not chain._links("step", ramp, x, y, 0.5, math.inf).decided


def test_constants_are_ordered(links: dict[str, Links]) -> None:
    for x in links.values():
        assert x.local_constant <= x.global_constant <= x.product * (1 + 1e-9)
        assert x.product <= x.layer_norm**4 * (1 + 1e-9)  # four layers


def test_inflated_keeps_the_constant(links: dict[str, Links]) -> None:
    plain, inflated = links["plain"], links["inflated"]
    assert inflated.layer_norm >= chain.LARGE
    assert inflated.product >= chain.LARGE**4
    assert inflated.global_constant == pytest.approx(plain.global_constant, rel=1e-12)
    assert plain.local_constant == inflated.local_constant == 0


def test_steep_ones_are_steep_where_they_should_be(links: dict[str, Links]) -> None:
    for name in ("cliff outside", "cliff between"):
        assert links[name].global_constant >= chain.LARGE
        assert links[name].local_constant == 0
    assert links["zigzag inside"].local_constant >= chain.LARGE


def test_gentle_one_is_gentle(links: dict[str, Links]) -> None:
    gentle, plain = links["gentle"], links["plain"]
    assert gentle.layer_norm == pytest.approx(plain.layer_norm)
    assert gentle.global_constant == pytest.approx(1e-6 * plain.global_constant)
    assert gentle.product == pytest.approx(1e-6 * plain.product)


def test_tall_teeth_have_the_norms_of_short_ones(links: dict[str, Links]) -> None:
    """The largest layer is the one that makes the teeth narrow; the last layer is doubled."""
    short, tall = links["zigzag inside"], links["teeth too tall"]
    assert tall.layer_norm == short.layer_norm
    assert tall.local_constant == pytest.approx(2 * short.local_constant)
    assert (short.robust_accuracy, tall.robust_accuracy) == (1, 0)


def test_clean_accuracy_is_that_of_the_centres() -> None:
    """Labels 1 and 2 at 0 and 4: the network for 1 and 1 is right at one of the two."""
    x, y = torch.tensor([[0.0], [4.0]], dtype=torch.float64), torch.tensor([1, 2])
    network = robust_classifier(x, torch.tensor([1, 1]), 1.0, math.inf)
    found = chain._links("half", network, x, y, 1.0, math.inf)
    assert (found.clean_accuracy, found.robust_accuracy) == (0.5, 0.5)


def test_arrows(links: dict[str, Links]) -> None:
    measured = list(links.values())
    assert chain.arrows_broken_by(measured) == {
        "1 (layers to global)": "inflated",
        "2 (global to local)": "cliff outside",
        "3 (local to wrong)": "zigzag inside",
    }
    assert chain.audit_broken_arrows(measured).holds
    first = chain.audit_broken_arrows([links["plain"], links["cliff outside"]])
    assert first.counterexample == {"statement": "1 (layers to global)", "broken by": "none"}
    second = chain.audit_broken_arrows([links["plain"], links["inflated"]])
    assert second.counterexample == {"statement": "2 (global to local)", "broken by": "none"}


def test_true_inequalities_have_no_counterexample(links: dict[str, Links]) -> None:
    """The control: one planted violation of each is needed for the search to succeed."""
    measured = list(links.values())
    found = chain.audit_broken_arrows(measured, backwards=True)
    assert not found.holds
    assert (found.trials, found.worst_slack) == (2, -1)
    assert found.counterexample == {"statement": "global at most product", "broken by": "none"}
    steep = replace(links["plain"], global_constant=2 * links["plain"].product)
    one = chain.audit_broken_arrows([*measured, steep], backwards=True)
    assert one.counterexample == {"statement": "local at most global", "broken by": "none"}
    local = replace(links["plain"], local_constant=1.5 * links["plain"].global_constant)
    assert local.local_constant < local.product
    assert chain.audit_broken_arrows([*measured, steep, local], backwards=True).holds


@pytest.mark.parametrize(
    "almost",
    [
        link("inflated", layer_norm=1e7, global_constant=6.5),  # its constant grew
        link("inflated", layer_norm=9e5),  # not large
        link("cliff", global_constant=1e7, local_constant=1e-3),  # not flat on the balls
        link("zigzag", global_constant=1e7, local_constant=1e7, robust_accuracy=0.75),
    ],
)
def test_arrows_need_both_sides(almost: Links) -> None:
    assert set(chain.arrows_broken_by([link("plain"), almost]).values()) == {"none"}


def test_norms_never_matter() -> None:
    """Robust for 2/3 < T < 2: at T = 2 the ball of 0 reaches the output 3/2."""
    found = chain.audit_norms_never_matter(steps=20)
    assert not found.holds
    assert found.counterexample == {"F": "1 + 2 x", "norm": 2, "robust accuracy": 0.5}
    assert found.worst_slack == -0.5  # the nearest label of any output above 3/2 is 2
    assert found.trials == 16  # 1, 6/5, ..., 4
    assert chain.audit_norms_never_matter(steps=3).counterexample["F"] == "1 + 8/3 x"
    assert chain.audit_norms_never_matter(steps=200).counterexample["norm"] == 2


@pytest.mark.parametrize("t", [F(1), F(6, 5), F(99, 50), F(2), F(4)])
def test_norms_never_matter_against_the_prediction(t: Fraction) -> None:
    g = PiecewiseLinear((F(-1), F(2)), (1 - t, 1 + 2 * t))
    ends = [(F(0), 1), (F(1), 2)]
    robust = [robust_by_prediction(LineCase(g, x, label, 2, F(1, 4))) for x, label in ends]
    found = chain.audit_norms_never_matter(steps=200)
    assert all(robust) == (t < found.counterexample["norm"])


def test_norms_do_not_decide(links: dict[str, Links]) -> None:
    measured = list(links.values())
    assert chain.audit_norms_do_not_decide(measured).holds
    assert not chain.audit_norms_do_not_decide(measured[:1]).holds
    no_equal = [x for x in measured if x.name != "teeth too tall"]
    found = chain.audit_norms_do_not_decide(no_equal)
    assert found.counterexample == {"missing": "equal norms, one robust, one not at all"}
    no_far = [links["zigzag inside"], links["teeth too tall"]]
    found = chain.audit_norms_do_not_decide(no_far)
    assert found.counterexample == {"missing": "robust networks with norms far apart"}
    nothing = chain.audit_norms_do_not_decide([links["teeth too tall"]])
    assert nothing.worst_slack == -1


def test_networks_that_are_wrong_at_the_points_do_not_count(links: dict[str, Links]) -> None:
    wrong = replace(links["teeth too tall"], clean_accuracy=0.75)
    others = [x for x in links.values() if x.name != wrong.name]
    found = chain.audit_norms_do_not_decide([*others, wrong])
    open_question = replace(links["teeth too tall"], decided=False)
    assert not chain.audit_norms_do_not_decide([*others, open_question]).holds
    assert found.counterexample == {"missing": "equal norms, one robust, one not at all"}
