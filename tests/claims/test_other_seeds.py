"""Evidence of another seed against the ledger: what it says, how it is kept, how it is shown."""

import json
from types import SimpleNamespace

import pytest

from nbsrc.claims import other_seeds
from nbsrc.claims.ledger import join
from nbsrc.claims.other_seeds import Repeated, Repetition, compare, main, read_repetitions
from nbsrc.claims.other_seeds_page import other_seeds_page, seeds_sentence, seeds_summary
from nbsrc.claims.rows import Paper

MADE = {"commit": "abc", "processor": "a <CPU>", "recorded": "2026-11-29T10:00:00+00:00"}
OUTCOME = {"verdict": "reproduced", "ours": 1, "paper": 2}


@pytest.fixture
def rows(tested_row):
    return [
        tested_row(),
        tested_row("reproduced", "A.two", kind="figure"),
        tested_row("not-tested", "A.three", reason="Later.", notebook=None),
    ]


@pytest.fixture
def evidence(record):
    def make(word="reproduced", **changes):
        two = record("A.two", literal=None, outcome=OUTCOME | {"verdict": word})
        return {"A.one": record(**changes), "A.two": two}

    return make


def repetition(seed=3, **rows):
    return Repetition(seed, "book", {f"A.{name}": row for name, row in rows.items()}, MADE)


def test_time_alone_makes_no_difference_and_other_numbers_do(rows, evidence, finding):
    found = compare(rows, evidence(), evidence(seconds=9.0))
    assert {row.found for row in found.values()} == {"equal"}
    found = compare(rows, evidence(), evidence(literal=finding(trials=11)))
    assert found["A.one"] == Repeated("holds", "agrees")
    other = evidence()
    other["A.two"]["outcome"] = OUTCOME | {"ours": 7}
    assert compare(rows, evidence(), other)["A.two"] == Repeated("reproduced", "agrees", ours=7)


def test_a_turned_verdict_is_named(rows, evidence, finding):
    other = evidence("partly-reproduced", literal=finding(holds=False))
    found = compare(rows, evidence(), other)
    assert found["A.one"] == Repeated("holds", "differs", None, ("the literal test does not hold",))
    assert (found["A.two"].found, found["A.two"].verdict) == ("differs", "partly-reproduced")


def test_a_control_that_no_longer_breaks_is_a_difference(rows, evidence):
    controls = [{"name": "x", "broke": False, "detail": ""}]
    found = compare(rows, evidence(), evidence(controls=controls))
    assert found["A.one"].found == "differs"
    assert "did not break" in found["A.one"].problems[0]


def test_evidence_must_fit_the_ledger(rows, evidence, record):
    with pytest.raises(ValueError, match=r"lacks \['A.two'\], and the ledger lacks \['A.new'\]"):
        compare(rows, {}, {"A.one": record(), "A.new": record("A.new")})


@pytest.fixture
def folders(tmp_path, monkeypatch, rows, evidence):
    monkeypatch.setattr(other_seeds, "load_claims", lambda: [SimpleNamespace(rows=rows)])

    def write(seed, checks, name=None):
        folder = tmp_path / (name or f"seed{seed}")
        folder.mkdir(exist_ok=True)
        content = {"notebook": "01_demo", "seed": seed, "tier": "book", "checks": checks}
        (folder / f"{seed}.json").write_text(json.dumps(content))
        return str(folder)

    return write


def test_the_command_adds_a_seed_and_replaces_its_own(folders, evidence, finding, tmp_path):
    usual = folders(0, evidence())
    output = tmp_path / "out.json"
    end = ["--usual", usual, "--output", str(output)]
    assert main([folders(6, evidence("not-reproduced")), *end]) == 0
    assert main([folders(3, evidence(literal=finding(trials=1))), *end]) == 0
    read = read_repetitions(output)
    assert [entry.seed for entry in read] == [3, 6]
    assert [[entry.count(f) for f in ("equal", "agrees", "differs")] for entry in read] == [
        [1, 1, 0],
        [1, 0, 1],
    ]
    assert read[1].rows["A.two"].problems
    assert main([folders(6, evidence()), *end]) == 0
    assert read_repetitions(output)[1].count("equal") == 2
    assert len(output.read_text().splitlines()) == 2 * (3 + 2) + 2  # a line per row


def test_mixed_seeds_are_refused(folders, evidence, tmp_path, caplog):
    folder = folders(3, evidence(), "mixed")
    folders(4, evidence(), "mixed")
    output = tmp_path / "out.json"
    assert main([folder, "--usual", folder, "--output", str(output)]) == 1
    assert not output.exists()


def test_no_file_is_no_repetition(tmp_path):
    assert read_repetitions(tmp_path / "none.json") == []
    assert other_seeds_page(join([], []), []) == "No repetition is recorded.\n"


def test_sentences(tested_row):
    row, equal = tested_row(), Repeated("holds", "equal")
    agrees = Repeated("holds", "agrees")
    differs = Repeated("holds", "differs", None, ("a < b",))
    assert seeds_sentence(row, []) == ""
    assert seeds_sentence(row, [repetition(one=Repeated("fails", "agrees"))]) == ""
    assert seeds_sentence(row, [repetition(one=equal)]) == "The same evidence with seed 3."
    two = [repetition(one=agrees), repetition(6, one=agrees)]
    assert seeds_sentence(row, two) == "The same verdict with seeds 3 and 6."
    mixed = seeds_sentence(row, [repetition(one=agrees), repetition(6, one=differs)])
    assert mixed == "The same verdict with seed 3. With seed 6 a &lt; b."
    word = Repeated("reproduced", "differs", "not-reproduced", ("x",))
    assert "nb-not-reproduced" in seeds_sentence(tested_row("reproduced"), [repetition(one=word)])


def test_the_page_counts_and_lists(rows, evidence):
    paper = Paper("A", "title", "short", tuple(rows))
    joined = join([paper], [{"notebook": "01_demo", "tier": "book", "checks": evidence()}])
    found = repetition(
        one=Repeated("holds", "agrees"),
        two=Repeated("reproduced", "differs", "not-reproduced", ("x",), {"gap": 0.25}),
    )
    stale = repetition(6, one=Repeated("fails", "agrees"), two=Repeated("reproduced", "equal"))
    page = other_seeds_page(joined, [found, stale])

    def line(cells):
        return "".join(f"<td>{cell}</td>" for cell in cells)

    assert f"statements, seed 3, tier book</th>{line([1, 0, 1, 0, 0])}" in page
    assert f"experiments, seed 3, tier book</th>{line([1, 0, 0, 1, 0])}" in page
    assert f"statements, seed 6, tier book</th>{line([1, 0, 0, 0, 1])}" in page
    assert 'href="ledger_A.html#A.two"' in page
    assert 'href="ledger_A.html#A.one"' not in page
    assert "<td>the same</td>" in page
    assert "<dt>this build</dt><dd>1</dd>" in page
    assert "<dt>seed 3</dt><dd>gap = 0.25</dd>" in page
    assert "2026-11-29" in page
    summary = seeds_summary([SimpleNamespace(rows=rows)], [found])
    assert summary.startswith("All checks were repeated with seed 3: 1 of 2 verdicts are the same")
    assert seeds_summary([SimpleNamespace(rows=rows)], [stale]).count("1 of 1") == 1
    assert seeds_summary([SimpleNamespace(rows=rows)], []) == ""
    agreeing = other_seeds_page(joined, [stale])
    assert "None." in agreeing
