"""Imports point down, each third-party package has one home, a file is one concept."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HARNESS = Path(__file__).parent.parent / "harness"

LAYERS = [
    {"records"},
    {"errors"},
    {"text"},
    {"images", "graders", "store", "stats", "catalogue"},
    {"summary", "suites", "transport"},
    {"comparison"},
    {"tables"},
    {"exchange"},
    {"report"},
    {"adapters"},
    {"judge", "runner", "eyes", "options", "cluster"},
    {"targets"},
    {"measure", "regrade", "ask", "here"},
    {"view", "sweep"},
    {"cli"},
    {"api"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

HOMES = {
    "PIL": {"images", "eyes"},
    "pypdfium2": {"images"},
    "pyarrow": {"suites"},
    "openpyxl": {"suites"},
    "httpx": {"transport"},
    "typer": {"cli", "options"},
    "rich": {"tables", "cli"},
    "pandas": {"tables", "api"},
    "numpy": {"stats", "adapters", "eyes"},
    "portalocker": {"store"},
    "platformdirs": {"catalogue", "suites", "adapters"},
    "jinja2": {"report"},
    "starlette": {"view"},
    "uvicorn": {"view"},
    "rapidfuzz": {"graders"},
    "ray": {"cluster"},
    "xllamacpp": {"adapters"},
    "huggingface_hub": {"adapters", "suites"},
}
"""Third-party package -> the rooms that may import it."""

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 45


def room(module: Path) -> str:
    return module.relative_to(HARNESS).with_suffix("").parts[0]


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module imports, at any depth of its code."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="harness", names=names):
                yield from (f"harness.{alias.name}" for alias in names)
            case ast.ImportFrom(module=str(dotted), level=0):
                yield dotted
            case ast.Import(names=names):
                yield from (alias.name for alias in names)


MODULES = {
    path: ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(HARNESS.rglob("*.py"))
    if path != HARNESS / "__init__.py"
}


def test_imports_point_down() -> None:
    wrong = [
        f"{path.relative_to(HARNESS)} imports {dotted}"
        for path, tree in MODULES.items()
        for dotted in imported(tree)
        if dotted.startswith("harness.") and dotted != "harness.__version__"
        if (other := dotted.split(".")[1]) != room(path) and RANK[other] >= RANK[room(path)]
    ]
    assert wrong == []


def test_every_third_party_package_stays_in_its_home() -> None:
    strangers = defaultdict(set)
    for path, tree in MODULES.items():
        for dotted in imported(tree):
            package = dotted.split(".")[0]
            if package in HOMES and room(path) not in HOMES[package]:
                strangers[package].add(str(path.relative_to(HARNESS)))
    assert strangers == {}


def test_a_file_is_one_concept_and_a_function_fits_a_screen() -> None:
    for path, tree in MODULES.items():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                assert lines <= MOST_LINES_OF_A_FUNCTION, f"{path}: {node.name}"
