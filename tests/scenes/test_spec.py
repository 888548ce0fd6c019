"""What a family may declare, and how it is told off."""

import pytest

from fixtures.scenes.errors import FamilyError
from fixtures.scenes.spec import CATEGORIES, Context, Picture, Question, Shot


def nothing(rng: object, ctx: Context) -> Shot:
    return Shot(questions=[])


@pytest.mark.parametrize(("prefix", "category"), CATEGORIES.items())
def test_a_picture_belongs_to_the_category_of_its_prefix(prefix: str, category: str) -> None:
    picture = Picture(id=f"{prefix}-07-thing", build=nothing, questions=(f"{prefix}-07-what",))
    assert picture.category == category


def test_a_picture_lies_in_its_categorys_folder_under_its_id() -> None:
    picture = Picture(id="dd-03-blister", build=nothing, questions=("dd-03-blister-empty",))
    assert picture.image_path == "fixtures/images/defect-detection/dd-03-blister.jpg"


def test_an_unknown_prefix_is_refused() -> None:
    with pytest.raises(FamilyError, match=r"(?s)names no category.*dd-, du-, oc-, ou-, su-"):
        Picture(id="xx-01-thing", build=nothing, questions=("xx-01-what",))


@pytest.mark.parametrize("questions", [(), ("a", "b", "c", "d"), ("dd-01-jar",)])
def test_one_to_three_questions_none_of_them_the_pictures_id(questions: tuple[str, ...]) -> None:
    with pytest.raises(FamilyError, match="one to three question ids"):
        Picture(id="dd-01-jar", build=nothing, questions=questions)


def test_an_unknown_grader_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FamilyError, match=r"(?s)no grader 'conut'.*integer.*yes_no"):
        Question(id="q", question="?", expected="1", grader="conut")


@pytest.mark.parametrize("expected", ["", " ", [], ["a", ""], 7])
def test_an_answer_is_text_that_is_not_empty(expected: object) -> None:
    with pytest.raises(FamilyError, match=r"q: expected is"):
        Question(id="q", question="?", expected=expected, grader="integer")  # type: ignore[arg-type]
