"""Finding families, selecting pictures, dealing values."""

from pathlib import Path

import pytest

from fixtures.scenes import registry
from fixtures.scenes.errors import FamilyError, UsageError

YES_NO = "YesNo('yes'),"


def test_pictures_come_in_order_of_id_from_all_files(studio) -> None:
    studio.family("zebra", id="dd-01-a")
    studio.family("apple", id="dd-02-b")
    assert list(registry.load(studio.families).entries) == ["dd-01-a", "dd-02-b"]


def test_files_with_a_leading_underscore_are_no_families(studio) -> None:
    studio.family("thing")
    (studio.families / "_shared.py").write_text("raise RuntimeError")
    known = registry.load(studio.families)
    assert list(known.entries) == ["oc-01-thing"]
    assert not known.broken


def test_a_broken_family_is_named_and_hides_no_other(studio) -> None:
    studio.family("thing")
    (studio.families / "bad.py").write_text("import nothing_of_that_name")
    known = registry.load(studio.families)
    assert list(known.entries) == ["oc-01-thing"]
    assert "nothing_of_that_name" in known.broken["bad.py"]


@pytest.mark.parametrize(
    ("id", "questions"), [("dd-01-a", ("dd-01-other",)), ("dd-02-b", ("dd-01-a-asked",))]
)
def test_two_families_with_one_id_are_refused(studio, id: str, questions: tuple[str, ...]) -> None:
    studio.family("one", id="dd-01-a")
    studio.family("two", id=id, questions=questions)
    with pytest.raises(FamilyError, match=r"two\.py: .* share an id"):
        registry.load(studio.families)


def test_a_folder_without_families_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no family files"):
        registry.load(tmp_path)


def test_pictures_are_selected_by_their_own_or_a_questions_id_or_category(studio) -> None:
    studio.family("one", id="dd-01-a", questions=("dd-01-first", "dd-01-second"))
    studio.family("two", id="oc-01-b")
    known = registry.load(studio.families)

    def chosen(**by: list[str]) -> list[str]:
        return [entry.picture.id for entry in known.select(**by)]

    assert chosen() == ["dd-01-a", "oc-01-b"]
    assert chosen(ids=["dd-01-second"]) == ["dd-01-a"]
    assert chosen(ids=["oc-01-b"], categories=["Defect Detection"]) == ["dd-01-a", "oc-01-b"]
    assert chosen(categories=["object-counting"]) == ["oc-01-b"]


def test_a_misspelt_id_is_answered_with_the_nearest(studio) -> None:
    studio.family("thing")
    with pytest.raises(UsageError, match="did you mean oc-01-thing"):
        registry.load(studio.families).select(ids=["oc-01-thin"])


def test_an_unknown_category_is_answered_with_all(studio) -> None:
    studio.family("thing")
    with pytest.raises(UsageError, match=r"(?s)no category 'animals'.*spatial-understanding"):
        registry.load(studio.families).select(categories=["animals"])


@pytest.mark.parametrize("seed", range(5))
def test_yes_and_no_balance_within_each_category(studio, seed: int) -> None:
    ids = [f"{prefix}-{i:02d}-x" for prefix in ("dd", "su") for i in range(6)]
    for name in ids:
        studio.family(name.replace("-", "_"), id=name, draws=YES_NO)
    known = registry.load(studio.families)
    for category in ("dd", "su"):
        entries = known.select(categories=[category])
        assert sum(known.draws(e.picture, seed)["yes"] for e in entries) == 3


def test_members_of_a_group_must_deal_the_same_values(studio) -> None:
    studio.family("one", id="dd-01-a", draws="Draw(slot='n', group='g', values=(1, 2)),")
    studio.family("two", id="dd-02-b", draws="Draw(slot='n', group='g', values=(1, 3)),")
    with pytest.raises(FamilyError, match="different values in group 'g'"):
        registry.load(studio.families)


def test_the_projects_own_families_can_be_read_without_blender() -> None:
    known = registry.load()
    assert not known.broken
    assert {"dd-03-blister", "oc-05-bolts"} <= set(known.entries)
