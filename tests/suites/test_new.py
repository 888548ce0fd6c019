"""`evalrun new`: a suite to start from."""

from pathlib import Path

from PIL import Image

from harness.suites import load
from tests.conftest import Evalrun


def test_a_new_suite_is_sound_and_can_be_asked(evalrun: Evalrun, tmp_path: Path) -> None:
    made = evalrun("new", "mine")
    assert made.returncode == 0, made.stderr
    assert "evalrun check mine" in made.stderr

    checked = evalrun("check", "mine", "--strict")

    assert checked.returncode == 0, checked.stdout
    suite = load(tmp_path / "mine")
    graders = {case.id: case.grader for case in suite.cases}
    assert graders["dots-2"] == "choice"
    assert graders["chart-1"] == "decimal"
    assert len({case.image for case in suite.cases}) == 3
    assert len((tmp_path / "mine" / "README.md").read_text().splitlines()) <= 12
    planned = evalrun("--suite", "mine", "--dry-run", "--base-url", "http://127.0.0.1:9", "-m", "m")
    assert planned.returncode == 0, planned.stderr


def test_photos_get_a_row_each_to_fill_in(evalrun: Evalrun, tmp_path: Path) -> None:
    photos = tmp_path / "camera"
    photos.mkdir()
    Image.new("RGB", (32, 24), "red").save(photos / "IMG 1.JPG", "JPEG")
    (photos / "notes.txt").write_text("not a picture")

    made = evalrun("new", "mine", "--from", photos)

    assert made.returncode == 0, made.stderr
    assert "left out: notes.txt is not a picture" in made.stderr
    table = tmp_path / "mine" / "questions.csv"
    assert table.read_text().splitlines()[1].startswith("IMG 1,IMG 1.JPG,,,")
    checked = evalrun("check", "mine")
    assert "no question: `question` is empty" in " ".join(checked.stdout.split())
    table.write_text(table.read_text().replace("JPG,,", "JPG,Is it red?,yes"))
    assert evalrun("check", "mine").returncode == 0


def test_photos_stay_where_they_are_when_the_suite_is_made_there(
    evalrun: Evalrun, tmp_path: Path
) -> None:
    Image.new("RGB", (32, 24), "red").save(tmp_path / "a.png")

    assert evalrun("new", ".", "--from", ".").returncode == 0

    assert not (tmp_path / "images").exists()
    assert "a,a.png" in (tmp_path / "questions.csv").read_text()


def test_nothing_is_overwritten(evalrun: Evalrun, tmp_path: Path) -> None:
    evalrun("new", "mine")
    before = (tmp_path / "mine" / "questions.csv").read_bytes()

    again = evalrun("new", "mine")
    empty = evalrun("new", "other", "--from", tmp_path / "mine" / "nowhere")

    assert (again.returncode, empty.returncode) == (3, 3)
    assert "is a suite already" in again.stderr
    assert "cannot be read" in empty.stderr
    assert (tmp_path / "mine" / "questions.csv").read_bytes() == before
