"""Joining rows and evidence."""

import json

import pytest

from nbsrc.claims.ledger import EVIDENCE_KEYS, join, read_json_folder
from nbsrc.claims.rows import Paper


def test_rows_are_joined_and_counted(tested_row, record):
    rows = (
        tested_row(),
        tested_row("not-tested", "A.two", notebook=None, reason="Later."),
    )
    paper = Paper("A", "Title", "Short", rows)
    content = {"notebook": "01_demo", "tier": "book", "checks": {"A.one": record()}}
    ledger = join([paper], [content])
    assert ledger.problems == ()
    assert ledger.entries["A.one"].record["id"] == "A.one"
    assert ledger.entries["A.one"].tier == "book"
    assert ledger.entries["A.two"].record is None
    assert ledger.counts(paper)["holds"] == ledger.counts(paper)["not-tested"] == 1
    assert sum(ledger.total().values()) == 2
    data = ledger.as_json()
    json.dumps(data, allow_nan=False)
    assert data["counts"]["A"] == data["counts"]["all"]
    first, second = data["claims"]
    assert first["link"] == "notebooks/01_demo.html#check-A.one"
    assert first["evidence"]["literal"]["trials"] == 10
    assert "link" not in second
    assert second["reason"] == "Later."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "key 'notebook' is missing"),
        ('{"notebook": "01_demo"}', "key 'checks' is missing"),
        ('{"notebook": 3, "checks": {}}', "key 'notebook' is missing or not a str"),
    ],
)
def test_a_broken_evidence_file_is_named(tmp_path, text, words):
    (tmp_path / "01_demo.json").write_text(text)
    with pytest.raises(ValueError, match=words) as error:
        read_json_folder(tmp_path, EVIDENCE_KEYS)
    assert str(error.value).startswith("01_demo.json: ")


def test_a_missing_folder_holds_nothing(tmp_path):
    assert read_json_folder(tmp_path / "none", EVIDENCE_KEYS) == []
