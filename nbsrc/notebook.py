"""Parameters of a notebook: checked, whoever runs it.

papermill only warns about a parameter it does not know and accepts any value. The first cell after
the parameters cell therefore checks them again:

    from nbsrc import notebook
    p = notebook.parameters(globals(), tier=("smoke", "book", "paper"), seed=int)
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

Allowed: TypeAlias = type | tuple[str | int | float | bool, ...]

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
CHECKED = "_nbsrc_parameters_checked"  # set in the namespace once the parameters were checked
_VALUE_TYPES = (str, int, float, bool, list, dict, tuple, type(None))  # what papermill can inject


class Parameters:
    """The checked parameters as attributes; in a notebook they display as a table.

    Args:
        values: Name and value of every parameter.
        allowed: Name and allowed type or choices of every parameter.
    """

    def __init__(self, values: Mapping[str, Any], allowed: Mapping[str, Allowed]) -> None:
        self._values = dict(values)
        self._allowed = dict(allowed)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"no parameter {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"Parameters({inside})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope='row'><code>{html.escape(name)}</code></th>"
            f"<td><code>{html.escape(repr(value))}</code></td>"
            f"<td>{html.escape(_describe(self._allowed[name]))}</td></tr>"
            for name, value in self._values.items()
        )
        return (
            "<table class='table nbsrc-parameters'><caption>Parameters used</caption>"
            "<thead><tr><th scope='col'>name</th><th scope='col'>value</th>"
            f"<th scope='col'>allowed</th></tr></thead><tbody>{rows}</tbody></table>"
        )


def parameters(namespace: MutableMapping[str, Any], /, **allowed: Allowed) -> Parameters:
    """Check the parameters in a notebook's namespace.

    Call it in the first cell after the parameters cell: every plain value (text, number, list,
    dictionary, None) that the namespace holds by then is a parameter. Names that start with an
    underscore, names of IPython itself and everything else (modules, functions) are not. When the
    cell is run again in the same session, only the values are checked, because the namespace then
    holds the variables of the later cells too.

    Args:
        namespace: The notebook's ``globals()``.
        **allowed: For each parameter a tuple of choices or one of the types str, int, float and
            bool. A bool is not an int, an int passes for a float, a numeric string is a string.

    Returns:
        The parameters as attributes.

    Raises:
        ValueError: If a parameter is unknown, missing, or not among its choices.
        TypeError: If a parameter has the wrong type, or an allowed type is not one of the four.

    Example:
        >>> parameters({"tier": "book", "seed": 0}, tier=("smoke", "book"), seed=int).tier
        'book'
    """
    found = {name: namespace[name] for name in allowed if name in namespace}
    if CHECKED not in namespace:
        found.update(_plain_values(namespace))
    values = check_values(found, allowed)
    namespace[CHECKED] = True
    return Parameters(values, allowed)


def check_values(values: Mapping[str, Any], allowed: Mapping[str, Allowed]) -> dict[str, Any]:
    """Check parameter values against what is allowed.

    Args:
        values: Name and value of every parameter given.
        allowed: Name and allowed type or choices of every parameter there is.

    Returns:
        The values in the order of ``allowed``.

    Raises:
        ValueError: If a parameter is unknown, missing, or not among its choices.
    """
    known = "; ".join(f"{name}: {_describe(kind)}" for name, kind in allowed.items()) or "none"
    unknown = sorted(set(values) - set(allowed))
    if unknown:
        names = ", ".join(f"{name} = {values[name]!r}" for name in unknown)
        raise ValueError(f"unknown parameter {names}; allowed parameters: {known}")
    missing = [name for name in allowed if name not in values]
    if missing:
        raise ValueError(
            f"parameter {missing[0]} is missing: give it a default in the cell tagged "
            f"'parameters'; allowed parameters: {known}"
        )
    return {name: _check_one(name, values[name], kind) for name, kind in allowed.items()}


def _check_one(name: str, value: Any, kind: Allowed) -> Any:
    if isinstance(kind, tuple):
        if not any(type(value) is type(choice) and value == choice for choice in kind):
            raise ValueError(f"parameter {name} = {value!r}: allowed are {_describe(kind)}")
        return value
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(
            f"parameter {name} = {value!r} is a {type(value).__name__}: allowed is "
            f"{_describe(kind)}"
        )
    return value


def _describe(kind: Allowed) -> str:
    """Say what is allowed in words.

    Args:
        kind: A tuple of choices or a type.

    Returns:
        The choices, or the type's name.

    Raises:
        TypeError: If it is neither.
    """
    if isinstance(kind, tuple) and kind:
        return " or ".join(repr(choice) for choice in kind)
    if isinstance(kind, type) and kind in TYPES.values():
        return kind.__name__
    raise TypeError(f"allowed = {kind!r}: give a tuple of choices, str, int, float or bool")


def _plain_values(namespace: Mapping[str, Any]) -> dict[str, Any]:
    hidden = _hidden_names(namespace.get("get_ipython"))
    return {
        name: value
        for name, value in namespace.items()
        if not name.startswith("_") and name not in hidden and type(value) in _VALUE_TYPES
    }


def _hidden_names(get_ipython: Callable[[], Any] | None) -> set[str]:
    if get_ipython is None:
        return set()
    hidden: Mapping[str, Any] = getattr(get_ipython(), "user_ns_hidden", {})
    return set(hidden) | {"In", "Out"}
