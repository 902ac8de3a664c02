"""Snakemake's records as short lines."""

import io
import logging

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from nbsrc.building.progress import LogHandler


@pytest.fixture
def handler(tmp_path):
    made = LogHandler(None, None)
    made.stream = io.StringIO()
    made.logs = tmp_path
    yield made
    made.close()


def send(handler, event=None, level=logging.INFO, msg="", **fields):
    record = logging.makeLogRecord({"event": event, "levelno": level, "msg": msg, **fields})
    handler.stream.seek(0)
    handler.stream.truncate()
    handler.handle(record)
    return handler.stream.getvalue()


def start(handler, reason, jobid=1):
    job = {"jobid": jobid, "rule_name": "notebook", "wildcards": {"notebook": "01_x"}}
    return send(handler, LogEvent.JOB_INFO, reason=reason, **job)


def test_a_job_is_shown_with_its_reason_and_counted_when_it_ends(handler):
    send(handler, LogEvent.RUN_INFO, stats={"total": 3})  # the rule `all` is one of them
    assert start(handler, "Updated input files: a.py") == "        notebook 01_x: changed: a.py\n"
    assert send(handler, LogEvent.JOB_FINISHED, job_id=1) == "[1/2] notebook 01_x: 0 s\n"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Missing output files: a, b; Updated input files: c", "outputs missing"),
        ("Updated input files: a, b, c, d, e", "changed: a, b, c and 2 more"),
        ("Code has changed since last execution", "its rule changed"),
        (
            "Params have changed since last execution:\n"
            "   Union of exclusive params before and now across all output:\n"
            "       before: 0\n       now: 5; Updated input files: a",
            "parameters changed: before: 0 now: 5; changed: a",
        ),
        ("Something nobody has seen: x", "Something nobody has seen: x"),
        ("", "asked for"),
    ],
)
def test_reasons_are_put_into_few_words(handler, reason, words):
    assert start(handler, reason) == f"        notebook 01_x: {words}\n"


def test_a_failure_names_the_job(handler):
    start(handler, "")
    assert send(handler, LogEvent.JOB_ERROR, jobid=1) == "FAILED  notebook 01_x after 0 s\n"


def test_errors_without_an_event_are_shown_except_repetitions(handler):
    assert send(handler, level=logging.ERROR, msg="disk full") == "disk full\n"
    assert send(handler, level=logging.ERROR, msg="CalledProcessError in file x") == ""
    assert send(handler, level=logging.INFO, msg="Building DAG of jobs...") == ""


def test_a_running_notebook_says_where_it_is(handler, tmp_path):
    start(handler, "")
    (tmp_path / "01_x.log").write_text("[   0.1 s] cell 1 of 9: a\n[   2.0 s] cell 2 of 9: b\n")
    assert handler._place(handler.jobs[1]) == ", cell 2 of 9: b"
