"""Loading claims files, and the rows of this project."""

import pytest
import yaml

from nbsrc.claims import load_claims, row
from nbsrc.claims.rows import ClaimsFileError

COUNTS = {"A": 103, "B": 147, "C": 161, "D": 142}  # the rows of the four papers, none lost


def test_every_row_of_the_four_papers_is_there():
    papers = load_claims()
    assert {paper.letter: len(paper.rows) for paper in papers} == COUNTS
    ids = [r.id for paper in papers for r in paper.rows]
    assert len(set(ids)) == len(ids) == 553


def test_a_row_is_found_by_its_id():
    found = row("A.thm1.l1")
    assert (found.where, found.kind, found.paper) == ("Theorem 1, eq. (1)", "theorem", "A")
    assert found.anchor == "check-A.thm1.l1"


@pytest.mark.parametrize("name", ["A.thm1.l3", "Z.thm1", "", "thm1", "../A.thm1"])
def test_an_unknown_id_is_an_error_that_names_it(name):
    with pytest.raises(ValueError, match="is not in claims") as error:
        row(name)
    assert repr(name) in str(error.value)


def test_an_unknown_id_names_close_ones():
    with pytest.raises(ValueError, match=r"close ids: .*A\.thm1\.l1"):
        row("A.thm1.l3")


def test_problems_of_all_files_are_listed_together(tmp_path, raw_row):
    for letter in "AB":
        bad = {"paper": "P", "short": "P", "claims": [raw_row(f"{letter}.one", where=None)]}
        (tmp_path / f"{letter}.yml").write_text(yaml.safe_dump(bad))
    with pytest.raises(ClaimsFileError) as error:
        load_claims(tmp_path)
    assert error.value.problems == (
        "A.yml: A.one: where: missing",
        "B.yml: B.one: where: missing",
    )


def test_an_id_used_twice_is_an_error(tmp_path, raw_row):
    document = {"paper": "P", "short": "P", "claims": [raw_row(), raw_row()]}
    (tmp_path / "A.yml").write_text(yaml.safe_dump(document))
    with pytest.raises(ClaimsFileError, match=r"A\.yml: A\.one: id: used twice"):
        load_claims(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("claims: [", "not valid YAML"),
        ("[]", "must hold the keys"),
        ("{paper: P, claims: []}", "must hold the keys"),
        ("{paper: P, short: P, claims: {}}", "'claims' is a list"),
        ("{paper: 3, short: P, claims: []}", "'paper' and 'short' are text"),
    ],
)
def test_a_broken_file_is_named(tmp_path, text, words):
    (tmp_path / "A.yml").write_text(text)
    with pytest.raises(ClaimsFileError, match=words) as error:
        load_claims(tmp_path)
    assert str(error.value).startswith("A.yml: ")


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(ClaimsFileError, match="no claims file"):
        load_claims(tmp_path)


def test_an_edited_file_is_read_again(tmp_path, raw_row):
    path = tmp_path / "A.yml"
    document = {"paper": "P", "short": "P", "claims": [raw_row()]}
    path.write_text(yaml.safe_dump(document))
    assert load_claims(tmp_path)[0].rows[0].cost == "seconds CPU"
    document["claims"] = [raw_row(cost="a whole day")]
    path.write_text(yaml.safe_dump(document))
    assert load_claims(tmp_path)[0].rows[0].cost == "a whole day"
