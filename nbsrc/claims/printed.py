"""The papers' printed numbers as HTML tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["printed_numbers_html"]


def printed_numbers_html(columns: Sequence[str] | None, data: Any) -> str:
    """Render the transcribed numbers of a row.

    Args:
        columns: The names of the columns, if the data are a table.
        data: Nested mappings and lists; a list of scalars is one line of the table.

    Returns:
        An HTML table in a box that scrolls sideways.
    """
    lines = [(", ".join(path), values) for path, values in _lines(data, ())]
    named = any(name for name, _ in lines)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns or ())
    corner = "<td></td>" if named else ""
    header = f"<thead><tr>{corner}{head}</tr></thead>" if head else ""
    body = "".join(_line_html(name, values, named=named) for name, values in lines)
    return (
        '<div class="nb-printed" tabindex="0" role="region" aria-label="Printed numbers">'
        f"<table>{header}<tbody>{body}</tbody></table></div>"
    )


def _lines(data: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], list[Any]]]:
    """Return the table lines of nested data: where each stands, and its cells."""
    if isinstance(data, Mapping):
        return [x for key, part in data.items() for x in _lines(part, (*path, str(key)))]
    if isinstance(data, list) and any(isinstance(part, (list, Mapping)) for part in data):
        return [x for part in data for x in _lines(part, path)]
    return [(path, data if isinstance(data, list) else [data])]


def _line_html(name: str, values: Sequence[Any], *, named: bool) -> str:
    first = f'<th scope="row">{escape(name)}</th>' if named else ""
    return f"<tr>{first}{''.join(f'<td>{escape(str(value))}</td>' for value in values)}</tr>"
