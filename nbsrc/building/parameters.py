"""Parameters of a notebook checked from its source, before a kernel starts."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from nbsrc.building.source import Source
from nbsrc.notebook import TYPES, Allowed, check_values


def check_parameters(source: Source, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters against the notebook's own declaration.

    Args:
        source: The notebook. Its cell tagged ``parameters`` gives the defaults, its call of
            ``notebook.parameters`` what is allowed.
        given: Values that replace defaults.

    Returns:
        All parameters with the values the notebook will see.

    Raises:
        ValueError: If the notebook declares no parameters, or a parameter is unknown or not
            among its choices.
        TypeError: If a parameter has the wrong type.
    """
    defaults = _defaults(source)
    allowed = _allowed(source)
    try:
        return check_values({**defaults, **given}, allowed)
    except ValueError as error:
        raise ValueError(f"{source.path.name}: {error}") from error
    except TypeError as error:
        raise TypeError(f"{source.path.name}: {error}") from error


def parse_value(text: str) -> Any:
    """Read a parameter from the command line as papermill does.

    Args:
        text: As typed.

    Returns:
        True, False, None, an int or a float where the text is one, else the text.

    Example:
        >>> [parse_value(text) for text in ("1", "1e-3", "True", "book")]
        [1, 0.001, True, 'book']
    """
    words: dict[str, Any] = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _defaults(source: Source) -> dict[str, Any]:
    """Read the assignments of the parameters cell.

    Args:
        source: The notebook.

    Returns:
        Name and value of each.

    Raises:
        ValueError: If there is no parameters cell or it computes something.
    """
    cells = [
        code for code, tags in zip(source.code, source.tags, strict=True) if "parameters" in tags
    ]
    if len(cells) != 1:
        raise ValueError(
            f"{source.path.name} has {len(cells)} cells tagged 'parameters': one is needed"
        )
    values: dict[str, Any] = {}
    for statement in ast.parse(cells[0]).body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            raise ValueError(_only_literals(source, statement))
        name = statement.targets[0]
        if not isinstance(name, ast.Name):
            raise ValueError(_only_literals(source, statement))
        try:
            values[name.id] = ast.literal_eval(statement.value)
        except ValueError:
            # papermill does not compute it anew when another parameter is replaced
            raise ValueError(_only_literals(source, statement)) from None
    return values


def _only_literals(source: Source, statement: ast.stmt) -> str:
    return (
        f"{source.path.name}: the parameters cell may only hold 'name = literal', "
        f"it has: {ast.unparse(statement)}"
    )


def _allowed(source: Source) -> dict[str, Allowed]:
    """Read what the notebook's call of ``notebook.parameters`` allows.

    Args:
        source: The notebook.

    Returns:
        Name and allowed type or choices.

    Raises:
        ValueError: If there is no such call or an argument is not a literal.
    """
    for code in source.code:
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Call) and _is_declaration(node.func):
                return {word.arg: _kind(source, word) for word in node.keywords if word.arg}
    raise ValueError(
        f"{source.path.name} does not call notebook.parameters(globals(), ...) "
        "in the cell after its parameters"
    )


def _is_declaration(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "parameters"
        and isinstance(function.value, ast.Name)
        and function.value.id == "notebook"
    )


def _kind(source: Source, word: ast.keyword) -> Allowed:
    if isinstance(word.value, ast.Name) and word.value.id in TYPES:
        return TYPES[word.value.id]
    try:
        choices = ast.literal_eval(word.value)
    except ValueError:
        choices = None
    if not isinstance(choices, tuple):
        raise ValueError(
            f"{source.path.name}: {word.arg} = {ast.unparse(word.value)} must be a tuple of "
            f"literals or one of {', '.join(TYPES)}"
        )
    return choices
