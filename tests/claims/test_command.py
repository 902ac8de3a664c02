"""The command: pages when the rules are kept, one line per problem when not."""

import json
import logging
import os

import pytest

from nbsrc.claims.command import main

PAGES = (
    "ledger.md", "ledger_A.md", "status.md", "_generated/counts.md", "_generated/training.md",
)  # fmt: skip


@pytest.fixture
def good(project, raw_row, record):
    rows = [raw_row(verdict="holds", notebook="01_demo", reason=None), raw_row("A.two")]
    return project(rows, {"01_demo": {"A.one": record()}})


def test_the_pages_and_the_json_are_written(good):
    assert main(["--root", str(good)]) == 0
    for name in PAGES:
        assert (good / "book" / name).is_file(), name
    ledger = json.loads((good / "build" / "ledger.json").read_text())
    assert [claim["id"] for claim in ledger["claims"]] == ["A.one", "A.two"]
    assert ledger["counts"]["all"]["holds"] == 1


def test_a_second_run_leaves_equal_pages_alone(good):
    main(["--root", str(good)])
    page = good / "book" / "ledger_A.md"
    os.utime(page, (1, 1))
    main(["--root", str(good)])
    assert page.stat().st_mtime == 1


def test_broken_rules_are_logged_one_per_line_and_nothing_is_written(
    project, raw_row, record, caplog
):
    rows = [raw_row(verdict="holds", notebook="01_demo", reason=None), raw_row("A.two")]
    bad = {"A.one": record(tolerance=None), "A.nobody": record("A.nobody")}
    root = project(rows, {"01_demo": bad})
    with caplog.at_level(logging.ERROR):
        assert main(["--root", str(root)]) == 1
    assert caplog.messages == [
        "ledger: A.one: the check states no tolerance",
        "ledger: A.nobody: checked in 01_demo, but not in claims/*.yml",
    ]
    assert not (root / "book").exists()
    assert not (root / "build" / "ledger.json").exists()


def test_a_broken_claims_file_is_logged_with_file_row_and_key(project, raw_row, caplog):
    root = project([raw_row(cost=None), raw_row("A.two", where=None)], {})
    with caplog.at_level(logging.ERROR):
        assert main(["--root", str(root)]) == 1
    assert caplog.messages == [
        "ledger: A.yml: A.one: cost: missing",
        "ledger: A.yml: A.two: where: missing",
    ]


def test_a_broken_evidence_file_is_logged(good, caplog):
    (good / "build" / "evidence" / "02_bad.json").write_text("{")
    with caplog.at_level(logging.ERROR):
        assert main(["--root", str(good)]) == 1
    assert "02_bad.json: not valid JSON" in caplog.messages[0]


def test_the_build_times_reach_the_status_page(good):
    (good / "results").mkdir()
    (good / "results" / "build_times.json").write_text('{"noop_s": 2.5}')
    assert main(["--root", str(good)]) == 0
    assert "2.5 s" in (good / "book" / "status.md").read_text()
