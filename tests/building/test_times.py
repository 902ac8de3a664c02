"""Which build measures which time."""

import json

import pytest

from nbsrc.building.times import record_time, sort_of_build


@pytest.mark.parametrize(
    ("finished", "fresh", "sort"),
    [
        ([], False, "noop_s"),
        (["notebook 01_x", "ledger", "book"], False, "one_notebook_s"),
        (["notebook 01_x", "notebook 02_y", "ledger", "book"], False, None),
        (["train book A_x", "notebook 01_x", "ledger", "book"], False, None),
        (["book"], False, None),
        (["train book A_x", "notebook 01_x", "ledger", "book"], True, "fresh_build_s"),
    ],
)
def test_the_jobs_say_what_was_measured(finished, fresh, sort):
    assert sort_of_build(finished, fresh=fresh) == sort


def test_a_fresh_build_includes_the_installation(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "nbsrc-environment.json").write_text('{"seconds": 100.0}')
    record_time(tmp_path, "fresh_build_s", 60.04)
    record_time(tmp_path, "noop_s", 2.0)
    record_time(tmp_path, None, 5.0)
    times = json.loads((tmp_path / "build" / "times.json").read_text())
    assert times == {"fresh_build_s": 160.0, "fresh_install_s": 100.0, "noop_s": 2.0}
