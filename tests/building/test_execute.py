"""A kernel that does not start is tried again; nothing else is."""

import papermill
import pytest

from nbsrc.building.execute import execute

NO_ANSWER = "Kernel didn't respond in 60 seconds"


@pytest.fixture
def job(tmp_path):
    names = ("source", "copy", "log")
    return {
        **{name: str(tmp_path / name) for name in names},
        "folder": str(tmp_path),
        "parameters": {},
        "cells": 1,
    }


def failing(monkeypatch, *failures, cells=()):
    """Let papermill fail in these ways, one a call, after it has started these cells."""
    left = list(failures)
    calls = []

    def execute_notebook(*_, on_cell_start, **__):
        calls.append(len(calls))
        for cell in cells:
            on_cell_start(cell=cell)
        if left:
            raise left.pop(0)

    monkeypatch.setattr(papermill, "execute_notebook", execute_notebook)
    return calls


@pytest.mark.parametrize("message", [NO_ANSWER, "Kernel died before replying to kernel_info"])
def test_a_kernel_that_does_not_start_is_tried_again(monkeypatch, job, tmp_path, message):
    calls = failing(monkeypatch, RuntimeError(message), RuntimeError(message))
    assert execute(job)["error"] is None
    assert len(calls) == 3
    assert (tmp_path / "log").read_text().count("trying again") == 2


def test_the_third_failure_is_reported(monkeypatch, job):
    calls = failing(monkeypatch, *[RuntimeError(NO_ANSWER)] * 4)
    assert execute(job)["error"] == {
        "cell": 0,
        "line": "",
        "name": "RuntimeError",
        "value": NO_ANSWER,
    }
    assert len(calls) == 3


@pytest.mark.parametrize("failure", [RuntimeError("something else"), ValueError(NO_ANSWER)])
def test_other_failures_are_not_tried_again(monkeypatch, job, failure):
    calls = failing(monkeypatch, failure)
    assert execute(job)["error"]["name"] == type(failure).__name__
    assert len(calls) == 1


def test_no_cell_runs_twice(monkeypatch, job):
    cell = {"cell_type": "code", "source": "1 + 1"}
    calls = failing(monkeypatch, RuntimeError(NO_ANSWER), cells=[cell])
    assert execute(job)["error"]["cell"] == 1
    assert len(calls) == 1
