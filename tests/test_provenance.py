"""Provenance names versions and processor, and no machine."""

from __future__ import annotations

import json
import platform

import torch

from nbsrc.provenance import processor_name, provenance


def test_provenance_is_json_with_versions_and_without_the_host() -> None:
    found = provenance()
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["python"] == platform.python_version()
    assert found["threads"] == torch.get_num_threads()
    text = json.dumps(found, allow_nan=False)
    assert platform.node() not in text
    assert found["processor"] == processor_name() != ""
