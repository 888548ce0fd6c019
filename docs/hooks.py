"""What the site takes from the code when it is built: `<!-- from the code: NAME -->` in a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from typer.main import get_command

from harness.cli.app import COMMANDS, app
from harness.errors import ExitCode
from harness.graders import GRADERS
from harness.tables.runs import COLUMNS

MARK = re.compile(r"<!-- from the code: (\w+) -->")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """mkdocs calls this with every page."""
    return MARK.sub(lambda found: PARTS[found[1]](), markdown)


def commands() -> str:
    """Every command with its arguments and options, as `--help` says them."""
    group: Any = get_command(app)
    return "\n".join(line for name in COMMANDS for line in _command(group.get_command(None, name)))


def _command(command: Any) -> Iterator[str]:
    yield f"## evalrun {command.name}\n"
    yield f"{command.help}\n"
    context = command.make_context(command.name, [], resilient_parsing=True)
    headings: dict[str, list[str]] = {}
    for param in command.params:
        heading = getattr(param, "rich_help_panel", None) or f"{param.param_type_name}s"
        names, told = param.get_help_record(context) or (param.name, "")
        headings.setdefault(heading.capitalize(), []).append(f"| `{names}` | {_cell(told)} |")
    for heading, rows in headings.items():
        yield f"| {heading} | |\n|---|---|"
        yield from rows
        yield ""


def exit_codes() -> str:
    return "".join(f"- {int(code)}: `{code.name}`\n" for code in ExitCode)


def graders() -> str:
    return ", ".join(f"`{name}`" for name in GRADERS)


def columns() -> str:
    return ", ".join(f"`{name}`" for name in COLUMNS)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


PARTS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "exit_codes": exit_codes,
    "graders": graders,
    "columns": columns,
}
