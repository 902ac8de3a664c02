"""The status page."""

from nbsrc.claims.status_page import status_page

STATUS = {
    "notebook": "01_demo",
    "title": "A <demo>",
    "tier": "book",
    "seed": 0,
    "seconds": 83.21,
    "code_cells": 12,
    "checks_passed": 5,
    "checks_total": 6,
    "finished": "2026-11-21T05:00:00Z",
    "environment": {"python": "3.11.7", "cpu_count": 2},
}


def test_a_notebook_has_its_line():
    page = status_page([STATUS], None)
    assert '<a href="notebooks/01_demo.html">A &lt;demo&gt;</a>' in page
    for cell in ("book", "0", "83.2", "5 of 6", "2026-11-21 05:00", "3.11.7", "2"):
        assert f"<td>{cell}</td>" in page, cell
    assert "cpu count" in page


def test_equal_environments_share_a_line():
    other = {**STATUS, "notebook": "02_more", "environment": {"python": "3.12.1"}}
    page = status_page([STATUS, {**STATUS, "notebook": "03_x"}, other], None)
    assert "01_demo, 03_x" in page
    assert ">02_more</th>" in page


def test_missing_parts_are_said_and_not_invented():
    page = status_page([], None)
    assert "No notebook has run in this build." in page
    assert "No build times are recorded" in page
    assert "? of ?" in status_page([{"notebook": "01_demo"}], None)


def test_build_times_show_what_is_known_and_where_from():
    page = status_page([], {"noop_s": 3.04, "fresh_build_s": None, "provenance": {"cores": 2}})
    assert "with nothing changed: 3 s" in page
    assert "fresh clone" not in page
    assert "cores = 2" in page
