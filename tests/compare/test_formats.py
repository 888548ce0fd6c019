"""Whatever a model says, no format lets it act."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from harness.tables import plain_latex as latex_plain
from harness.tables import plain_markdown as markdown_plain

hostile = st.text() | st.text(alphabet="\\|`*_[]<>&@#~%${}^ a.w:/\n\r\x1b\u202e")


@given(hostile)
def test_markdown_text_stays_one_inert_cell(text: str) -> None:
    shown = markdown_plain(text)

    assert not re.search(r"[<>@\n\x1b\u202e]", shown)
    assert not re.search(r"(?<!\\)(\\\\)*[|`*\[_]", shown)
    assert not re.search(r"(?i)[a-z]://|www\.", shown)


@given(hostile)
def test_latex_text_has_no_command_and_no_special_character(text: str) -> None:
    shown = latex_plain(text)

    for known in ("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater"):
        shown = shown.replace(f"\\{known}{{}}", "")
    assert not re.search(r"(?<!\\)[&%$#_{}]", shown)
    assert not re.search(r"\\[^&%$#_{}]", shown)
    assert not re.search(r"[~^<>\n\x1b\u202e]", shown)
