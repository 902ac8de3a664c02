"""What changes from run to run is gone, what a reader sees stays."""

import copy

from nbsrc.building.canonical import canonicalise, to_text


def executed(**changes):
    stream = {"output_type": "stream", "name": "stdout"}
    document = {
        "cells": [
            {"cell_type": "markdown", "id": "m1", "metadata": {}, "source": "# T"},
            {
                "cell_type": "code",
                "id": "r1",
                "execution_count": 1,
                "metadata": {
                    "tags": ["injected-parameters"],
                    "papermill": {"start_time": "now"},
                    "execution": {"iopub.status.busy": "now"},
                },
                "outputs": [
                    {**stream, "text": "a\n"},
                    {**stream, "text": ["b\n"]},
                    {"output_type": "stream", "name": "stderr", "text": "c"},
                    {**stream, "text": "d"},
                ],
                "source": "seed = 1",
            },
        ],
        "metadata": {"papermill": {"duration": 1.0}, "kernelspec": {"name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    document["cells"][1].update(changes)
    return document


def test_volatile_metadata_goes_and_the_rest_stays():
    result = canonicalise(executed())
    assert result["metadata"] == {"kernelspec": {"name": "python3"}}
    assert result["cells"][1]["metadata"] == {"tags": ["injected-parameters", "remove-cell"]}
    assert result["nbformat_minor"] == 5


def test_ids_depend_on_the_content_only():
    one, two = canonicalise(executed(id="r1")), canonicalise(executed(id="r2"))
    assert to_text(one) == to_text(two)
    other = canonicalise(executed(source="seed = 2"))
    assert one["cells"][1]["id"] != other["cells"][1]["id"]


def test_equal_cells_get_different_ids():
    document = executed()
    document["cells"].append(copy.deepcopy(document["cells"][1]))
    ids = [cell["id"] for cell in canonicalise(document)["cells"]]
    assert len(set(ids)) == 3


def test_the_pieces_of_a_stream_are_joined_in_their_order():
    outputs = canonicalise(executed())["cells"][1]["outputs"]
    assert [(output["name"], output["text"]) for output in outputs] == [
        ("stdout", ["a\n", "b\n"]),
        ("stderr", ["c"]),
        ("stdout", ["d"]),
    ]


def test_how_a_stream_was_cut_makes_no_difference():
    stream = {"output_type": "stream", "name": "stdout"}
    whole = [{**stream, "text": "one\ntwo\n"}]
    pieces = [
        {**stream, "text": "on"},
        {**stream, "text": ["e\n", "tw"]},
        {**stream, "text": "o\n"},
    ]
    texts = {to_text(canonicalise(executed(outputs=outputs))) for outputs in (whole, pieces)}
    assert len(texts) == 1


def test_the_argument_is_left_as_it_was():
    document = executed()
    before = copy.deepcopy(document)
    canonicalise(document)
    assert document == before
