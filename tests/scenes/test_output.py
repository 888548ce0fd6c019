"""The prompts' TOML, and files that are whole or not there."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.scenes import output
from fixtures.scenes.errors import OutputError

# TOML has no surrogates, and so has no file encoded in UTF-8.
texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = texts | st.booleans() | numbers


@given(
    cases=st.lists(
        st.fixed_dictionaries(
            {"id": texts, "expected": st.one_of(texts, st.lists(texts)), "tolerance": values},
            optional={"choices": st.lists(texts), "more": st.dictionaries(texts, values)},
        )
    )
)
def test_toml_says_what_was_meant_whatever_the_text(cases: list[dict[str, object]]) -> None:
    read = tomllib.loads(output.prompts_toml("Object Counting", cases))
    assert read.get("case", []) == cases
    assert (read["category"], read["license"]) == ("Object Counting", "CC0-1.0")


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    output.write(path, b"one")
    output.write(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_what_cannot_be_written_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"(?s)cannot be written.*--out"):
        output.write(tmp_path / "file" / "inside.txt", b"text")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_torn_list_of_facts_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "fixtures/images/scenes.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"pictures": {')
    with pytest.raises(OutputError, match=r"scenes\.json cannot be read"):
        output.read_manifest(tmp_path)
