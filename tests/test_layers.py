"""Imports point down: a module may import only from rows above its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HARNESS = Path(__file__).parent.parent / "harness"

LAYERS = [
    {"records"},
    {"errors"},
    {"images", "graders", "store", "stats", "catalogue"},
    {"summary", "suites", "transport"},
    {"compare"},
    {"tables"},
    {"report"},
    {"adapters"},
    {"judge", "runner"},
    {"cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}

HOMES = {
    "PIL": {"images"},
    "httpx": {"transport"},
    "tenacity": {"transport"},
    "typer": {"cli"},
    "rich": {"tables", "cli"},
    "pandas": {"tables"},
    "numpy": {"stats", "adapters", "report"},
    "platformdirs": {"catalogue", "suites", "adapters"},
    "jinja2": {"report"},
    "matplotlib": {"report"},
    "xllamacpp": {"adapters"},
    "gguf": {"adapters"},
    "huggingface_hub": {"adapters"},
}
"""Each third-party package has one home; rows with more say why in design.md section 3."""


def noun(module: Path) -> str:
    return module.relative_to(HARNESS).with_suffix("").parts[0]


def imported(module: Path) -> Iterator[str]:
    """Dotted names that `module` imports, at any depth of its code."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module="harness", names=names):
                yield from (f"harness.{alias.name}" for alias in names)
            case ast.ImportFrom(module=str(dotted), level=0):
                yield dotted
            case ast.Import(names=names):
                yield from (alias.name for alias in names)


MODULES = sorted(
    path for path in HARNESS.rglob("*.py") if path.parent != HARNESS or noun(path) != "__init__"
)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(HARNESS)))
def test_imports_point_down(module: Path) -> None:
    own = noun(module)
    for dotted in imported(module):
        if dotted.startswith("harness.") and dotted != "harness.__version__":
            other = dotted.split(".")[1]
            assert other == own or RANK[other] < RANK[own], f"{own} imports {other}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(HARNESS)))
def test_every_third_party_package_stays_in_its_home(module: Path) -> None:
    for dotted in imported(module):
        homes = HOMES.get(dotted.split(".")[0])
        assert homes is None or noun(module) in homes, f"{noun(module)} imports {dotted}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(HARNESS)))
def test_no_file_is_longer_than_300_lines_and_no_function_than_40(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 40, node.name
