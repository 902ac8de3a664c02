"""Writing text with maths as MyST Markdown that means nothing but itself."""

from __future__ import annotations

import re

from nbsrc.claims.html import split_maths

__all__ = ["escape_markdown", "myst"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#!|~$^&@%])")
_LIST_START = re.compile(r"^(\d+)([.)])|^([-+=:])")


def escape_markdown(text: str) -> str:
    """Escape what Markdown or MyST could take for mark-up.

    Args:
        text: Plain text.

    Returns:
        Markdown that renders as the text.
    """
    return _SPECIAL.sub(r"\\\1", text)


def myst(text: str) -> str:
    r"""Turn text with maths between dollar signs into one line of MyST.

    Maths becomes the ``{math}`` role, which no extension setting and no character inside can break
    (a ``|`` in a table and an ``_`` between two formulas break plain dollar signs).

    Args:
        text: Plain text, maths between dollar signs.

    Returns:
        One line of MyST Markdown.

    Example:
        >>> myst("the *norm* of $|K_{ij}|$")
        'the \\*norm\\* of {math}`|K_{ij}|`'
    """
    line = "".join(
        f"{{math}}`{piece.strip()}`" if maths else escape_markdown(piece)
        for maths, piece in split_maths(" ".join(text.split()))
    )
    return _LIST_START.sub(
        lambda found: "\\".join(found.group(1, 2)) if found[1] else "\\" + found[3], line
    )
