"""Public functions describe their arguments and what they return (Google sections)."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "nbsrc"
PRIVATE = re.compile(r"_[^_]")
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not PRIVATE.match(path.name))


def public_functions(tree, hidden=False):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from public_functions(node, hidden or node.name.startswith("_"))
        elif isinstance(node, ast.FunctionDef) and not (hidden or node.name.startswith("_")):
            yield node


def missing_sections(function):
    text = ast.get_docstring(function) or ""
    decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named = [argument.arg for argument in every if argument.arg not in {"self", "cls"}]
    if named and "Args:" not in text and "overload" not in decorators:
        yield "Args"
    returns = ast.unparse(function.returns) if function.returns else "None"
    silent = returns in {"None", "NoReturn"} or "Iterator" in returns or "Generator" in returns
    is_attribute = decorators & {"property", "cached_property"}
    if not silent and not is_attribute and "overload" not in decorators and "Returns:" not in text:
        yield "Returns"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_functions_have_their_sections(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    missing = [
        f"{function.name} (line {function.lineno}): {section}"
        for function in public_functions(tree)
        for section in missing_sections(function)
    ]
    assert not missing, f"{path.relative_to(PACKAGE)} lacks sections: {missing}"


def test_the_rule_sees_a_missing_section():
    function = ast.parse('def f(x: int) -> int:\n    """Double."""\n    return 2 * x').body[0]
    assert list(missing_sections(function)) == ["Args", "Returns"]
