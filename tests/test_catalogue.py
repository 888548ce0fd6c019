"""The catalogue: what the built-in file must be, and what a user's own file may do to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import catalogue
from harness.adapters.machine import size_of
from harness.catalogue import list_price
from harness.errors import ExitCode, TargetError
from harness.records import Fact, GgufFiles, ModelCard, PublishedScore

BUILTIN = catalogue.load([])
CARDS = list(BUILTIN.cards.values())
AT_LEAST_4_BITS = re.compile(r"(UD-)?(Q[4-8]_|I?Q4_|F16|BF16|F32)")
"""Q4_K_M, UD-Q4_K_XL, Q8_0, F16 and the like; not Q3_K_M, not IQ2_M."""


def named(card: ModelCard) -> str:
    return card.name


def written(folder: Path, text: str) -> Path:
    path = folder / "evalrun.toml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> str:
    with pytest.raises(TargetError) as caught:
        catalogue.load([written(folder, text)])
    assert caught.value.exit_code == ExitCode.UNUSABLE_TARGET
    return caught.value.problem


def attributions(card: ModelCard) -> Iterator[tuple[str, str | None, str | None]]:
    """(field, source, as_of) of everything the card states."""
    for field in card.__struct_fields__:
        value = getattr(card, field)
        for stated in value if isinstance(value, tuple) else [value]:
            if isinstance(stated, msgspec.Struct):
                yield field, stated.source, stated.as_of  # type: ignore[attr-defined]


def test_the_catalogue_holds_enough_models_to_choose_from() -> None:
    assert len(CARDS) >= 28
    assert sum(card.gguf is not None for card in CARDS) >= 15
    assert {host.preset for card in CARDS for host in card.hosted} >= {
        *("openai", "anthropic", "gemini", "mistral", "openrouter", "together", "groq"),
    }


@pytest.mark.parametrize("card", CARDS, ids=named)
def test_every_fact_says_who_states_it_and_as_of_when(card: ModelCard) -> None:
    stated = list(attributions(card))

    assert stated
    for field, source, as_of in stated:
        assert source, field
        assert as_of is not None, field
        assert date(2024, 1, 1) <= date.fromisoformat(as_of) <= date(2100, 1, 1), field


@pytest.mark.parametrize("card", CARDS, ids=named)
def test_every_model_is_described_and_can_be_reached(card: ModelCard) -> None:
    assert card.organization
    assert card.category
    assert card.category.value in {"open", "proprietary"}
    assert card.modality
    assert card.about
    assert len(card.about.value) > 60
    assert card.gguf or card.hosted


@pytest.mark.parametrize("card", [card for card in CARDS if card.gguf], ids=named)
def test_no_weights_are_below_4_bits_by_default(card: ModelCard) -> None:
    gguf = card.gguf
    assert gguf
    assert AT_LEAST_4_BITS.match(gguf.quantization)
    assert gguf.quantization.lower() in gguf.model_file.lower()
    assert gguf.model_file.endswith(".gguf")
    assert "mmproj" in gguf.mmproj_file
    assert "mmproj" not in gguf.model_file


@pytest.mark.parametrize("card", [card for card in CARDS if card.hosted], ids=named)
def test_a_hosted_model_names_one_endpoint_and_the_price_there(card: ModelCard) -> None:
    assert len(card.hosted) == 1, "a card has one price, which is that of one endpoint"
    assert card.price_in_usd_per_mtok
    assert card.price_out_usd_per_mtok


def test_an_estimated_size_is_near_what_is_known_or_above_it() -> None:
    known = [it for it in CARDS if it.gguf and it.gguf.size_gb and it.parameters]
    assert len(known) > 20
    for card in known:
        assert card.gguf
        assert card.parameters
        estimate = size_of(card.parameters.value, card.gguf.quantization)
        assert estimate is not None
        assert 0.8 < estimate / 1e9 / (card.gguf.size_gb or 0) < 1.6, card.name


def test_the_conventions_of_boxes_are_known_ones() -> None:
    stated = {card.name: card.coordinates.value for card in CARDS if card.coordinates}
    assert set(stated.values()) <= {"pixel-xyxy", "1000-xyxy", "1000-yxyx", "unit-xyxy"}
    assert stated["gemini-2.5-flash"] == stated["gemma-3-4b"] == "1000-yxyx"
    assert (stated["qwen2.5-vl-7b"], stated["qwen3-vl-8b"]) == ("pixel-xyxy", "1000-xyxy")


def test_the_published_figures_of_gemma_4_12b_equal_the_designs_table() -> None:
    card = BUILTIN.find("gemma-4-12b")

    assert stated_of(card) == {
        "organization": "Google",
        "category": "open",
        "modality": "multimodal",
        "released": "June 2026",
        "parameters": "12B",
        "license": "Apache 2.0",
    }
    assert card.published == PublishedScore(
        passed=42,
        asked=67,
        categories={
            "Defect Detection": (11, 15),
            "Document Understanding": (8, 9),
            "Object Counting": (1, 10),
            "Object Understanding": (11, 14),
            "Spatial Understanding": (11, 19),
        },
        latency_mean_s=6.88,
        source="Roboflow Playground",
        as_of="2026-06-26",
    )


def test_the_published_figures_of_mistral_small_31_equal_the_designs_table() -> None:
    card = BUILTIN.find("mistral-small-3.1")

    assert stated_of(card) == {
        "organization": "Mistral AI",
        "category": "open",
        "modality": "multimodal",
        "released": "17 March 2025",
        "context_tokens": 128_000,
        "parameters": "24B",
        "license": "Apache 2.0",
        "price_in_usd_per_mtok": 0.351,
        "price_out_usd_per_mtok": 0.555,
        "vision_tasks": ("Captioning", "OCR", "Visual Question Answering", "Vision Language"),
    }
    assert card.price_in_usd_per_mtok
    assert card.price_in_usd_per_mtok.as_of == "2026-07-05"
    assert card.published == PublishedScore(
        passed=26,
        asked=67,
        categories={
            "Defect Detection": (10, 15),
            "Document Understanding": (1, 9),
            "Object Counting": (0, 10),
            "Object Understanding": (7, 14),
            "Spatial Understanding": (8, 19),
        },
        latency_mean_s=3.18,
        cost_per_task_usd=0.0005,
        rank=68,
        ranked=74,
        source="Roboflow Playground",
        as_of="2026-06-26",
    )


def stated_of(card: ModelCard) -> dict[str, object]:
    """The card's plain facts, without the description."""
    facts = {field: getattr(card, field) for field in card.__struct_fields__ if field != "about"}
    return {field: fact.value for field, fact in facts.items() if isinstance(fact, Fact)}


@pytest.mark.parametrize("card", [card for card in CARDS if card.published], ids=named)
def test_published_categories_add_up_to_the_published_score(card: ModelCard) -> None:
    published = card.published
    assert published
    passed, asked = zip(*published.categories.values(), strict=True)

    assert (sum(passed), sum(asked)) == (published.passed, published.asked)


def test_hosted_endpoints_want_a_key_over_tls_and_local_ones_do_neither() -> None:
    for preset in BUILTIN.presets.values():
        local = preset.name in {"vllm", "ollama", "lmstudio"}
        assert preset.base_url.startswith("http://" if local else "https://")
        assert (preset.api_key_env is None) is local
        assert not preset.base_url.endswith("/")
        assert preset.source
        assert date.fromisoformat(preset.as_of)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("gemma-4-12b", "gemma-4-12b"),
        ("Gemma 4 12B", "gemma-4-12b"),
        ("MISTRAL_SMALL_3.1", "mistral-small-3.1"),
        ("mistral-small-2503", "mistral-small-3.1"),
        ("claude-opus-5-5", "claude-opus-5.5"),
    ],
)
def test_a_model_is_found_by_name_and_alias_however_it_is_spelled(asked: str, found: str) -> None:
    assert BUILTIN.find(asked).name == found


@pytest.mark.parametrize(
    ("asked", "suggested"),
    [
        ("mistral-small-3.11", "mistral-small-3.1"),
        ("gema-4-12b", "gemma-4-12b"),
        ("gpt4o", "gpt-4o"),
        ("qwen2.5vl-7b", "qwen2.5-vl-7b"),
    ],
)
def test_an_unknown_name_suggests_its_neighbours(asked: str, suggested: str) -> None:
    with pytest.raises(TargetError) as caught:
        BUILTIN.find(asked)

    assert suggested in caught.value.problem
    assert caught.value.exit_code == ExitCode.UNUSABLE_TARGET


def test_a_name_like_no_other_suggests_nothing() -> None:
    with pytest.raises(TargetError, match=r"no model named '§§§' in the catalogue\n"):
        BUILTIN.find("§§§")


@given(st.text())
def test_any_name_at_all_is_found_or_unknown_and_never_breaks_the_search(name: str) -> None:
    card = BUILTIN.get(name)

    assert card is None or BUILTIN.find(name) == card
    assert set(BUILTIN.nearest(name)) <= BUILTIN.cards.keys()


def test_a_users_file_adds_a_model_with_weights_of_its_own(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [models.mine]
        parameters = "2B"
        vision_tasks = ["OCR", "Captioning"]
        files = { model = "mine.gguf", mmproj = "mine-mmproj.gguf" }
        """,
    )

    card = catalogue.load([path]).find("mine")

    assert card.files == GgufFiles(model="mine.gguf", mmproj="mine-mmproj.gguf")
    assert card.vision_tasks
    assert card.vision_tasks.value == ("OCR", "Captioning")
    assert card.parameters
    assert card.parameters.source == str(path)
    assert date.fromisoformat(card.parameters.as_of)


def test_a_users_file_can_say_who_states_a_fact(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [sources.2026-10-01]
        page = "https://example.org/price"
        [sources.2026-09-01]
        card = "https://example.org/card"
        [models.mine]
        from = "card"
        license = "MIT"
        price_in_usd_per_mtok = [1, "page"]
        features = [["Tool calling"], "card page"]
        """,
    )

    card = catalogue.load([path]).find("mine")

    assert card.license == Fact(value="MIT", source="https://example.org/card", as_of="2026-09-01")
    assert card.price_in_usd_per_mtok
    assert card.price_in_usd_per_mtok.as_of == "2026-10-01"
    assert card.features
    assert card.features.source == "https://example.org/card; https://example.org/price"
    assert card.features.as_of == "2026-09-01", "of several sources the oldest date counts"


def test_a_users_entry_replaces_the_fields_it_gives_and_keeps_the_others(tmp_path: Path) -> None:
    path = written(tmp_path, '[models."gpt-4o"]\nprice_in_usd_per_mtok = 1.0\n')

    card = catalogue.load([path]).find("gpt-4o")

    assert card.price_in_usd_per_mtok
    assert card.price_in_usd_per_mtok.value == 1.0
    assert card.price_out_usd_per_mtok == BUILTIN.find("gpt-4o").price_out_usd_per_mtok


def test_of_two_users_files_the_later_wins(tmp_path: Path) -> None:
    folders = [tmp_path / "configuration", tmp_path / "project"]
    for folder in folders:
        folder.mkdir()
    files = [written(folder, f'[models.m]\nlicense = "{folder.name}"\n') for folder in folders]

    card = catalogue.load(files).find("m")

    assert card.license
    assert card.license.value == "project"


def test_users_files_are_looked_for_in_the_configuration_folder_and_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    (tmp_path / "configuration" / "evalrun").mkdir(parents=True)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    written(tmp_path / "configuration" / "evalrun", '[models.theirs]\nlicense = "MIT"\n')
    written(tmp_path / "project", '[models.ours]\nlicense = "MIT"\n')

    assert {"theirs", "ours"} <= catalogue.load().cards.keys()


def test_files_that_do_not_exist_are_no_mistake(tmp_path: Path) -> None:
    assert catalogue.load([tmp_path / "none.toml"]) == BUILTIN


def test_a_user_can_define_an_endpoint_and_serve_a_model_from_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [presets.office]
        base_url = "http://10.0.0.7:8080/v1"
        [models.mine]
        hosted = [{ preset = "office", model_id = "mine-7b" }]
        """,
    )

    loaded = catalogue.load([path])

    (host,) = loaded.find("mine").hosted
    assert loaded.presets[host.preset].base_url == "http://10.0.0.7:8080/v1"
    assert loaded.presets["office"].api_key_env is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[modles.x]", "modles: no such table; did you mean models?"),
        ("[sources]\nloose = 'https://example.org'", "sources: Invalid RFC3339 encoded date"),
        ("[presets.office]\nfrom = 'x'", "presets.office: no source 'x' is stated"),
        ("[presets.office]\napi_key_env = 'K'", "missing required field `base_url`"),
        ("[models.a]\nparameter = '7B'", "models.a.parameter: no such field; did you mean"),
        ("[models.a]\ncontext_tokens = '128K'", "models.a.context_tokens: Expected `int`, got"),
        ("[models.a]\nprice_in_usd_per_mtok = -1", "Expected `float` >= 0.0"),
        ("[models.a]\nlicense = ['MIT', 'nowhere']", "models.a.license: no source 'nowhere'"),
        ("[models.a]\ngguf = { repo = 3 }", "models.a.gguf.repo: Expected `str`, got `int`"),
        ("[models.a]\ngguf = { repo = 'r', model_fille = 'x' }", "unknown field `model_fille`"),
        ("[models.a]\nhosted = [{ preset = 'openai' }]", "missing required field `model_id`"),
        ("[models.a]\naliases = 'one'", "models.a.aliases: Expected `array`, got `str`"),
        ("[models]\nb = 1", "Expected `object`, got `int`"),
    ],
)
def test_a_mistake_of_a_file_is_named_with_its_field(
    tmp_path: Path, text: str, problem: str
) -> None:
    said = mistakes(tmp_path, text)
    assert problem in said
    assert str(tmp_path / "evalrun.toml") in said


def test_all_mistakes_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    said = mistakes(
        tmp_path,
        """
        [modles.x]
        [sources]
        loose = "https://example.org"
        [presets.office]
        api_key_env = "OFFICE_KEY"
        [models.a]
        parameter = "7B"
        context_tokens = "128K"
        hosted = [{ preset = "opnrouter", model_id = "x" }]
        [models.b]
        aliases = "one"
        """,
    )

    for expected in (
        "modles: no such table; did you mean models?",
        "sources: Invalid RFC3339",
        "presets.office: Object missing required field `base_url`",
        "models.a.parameter: no such field; did you mean parameters?",
        "models.a.context_tokens: Expected `int`, got `str`",
        "models.a.hosted: no endpoint named 'opnrouter'; did you mean openrouter?",
        "models.b.aliases: Expected `array`, got `str`",
    ):
        assert expected in said


def test_an_endpoint_nobody_defined_is_a_mistake(tmp_path: Path) -> None:
    text = '[models.a]\nhosted = [{ preset = "opnrouter", model_id = "x" }]\n'

    assert "no endpoint named 'opnrouter'; did you mean openrouter?" in mistakes(tmp_path, text)


def test_an_alias_that_another_model_has_is_a_mistake(tmp_path: Path) -> None:
    problem = mistakes(tmp_path, '[models.a]\naliases = ["qwen3-vl"]\n')

    assert "qwen3-vl-8b and a both have the alias 'qwen3-vl'" in problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[models.a\n", "line 1"),
        (b"\xff\xfe", "cannot be read"),
        (b"models = 3\n", "models: Expected `object`"),
        (b"[sources.yesterday]\nx = 'y'\n", "sources: Invalid RFC3339"),
        (b"[models.a]\nhosted = 'openai'\n", "models.a.hosted: Expected `array`"),
        (b"[models.a]\nvision_tasks = 'OCR'\n", "Expected `array`, got `str`"),
    ],
)
def test_a_broken_file_is_a_mistake_and_no_traceback(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "evalrun.toml"
    path.write_bytes(content)

    with pytest.raises(TargetError) as caught:
        catalogue.load([path])

    assert said in caught.value.problem
    assert str(path) in caught.value.problem


def test_a_folder_in_the_place_of_the_file_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "evalrun.toml").mkdir()

    with pytest.raises(TargetError, match="cannot be read"):
        catalogue.load([tmp_path / "evalrun.toml"])


def priced(price_in: float | None, price_out: float | None) -> ModelCard:
    def fact(price: float | None) -> Fact[float] | None:
        return None if price is None else Fact(value=price, source="s", as_of="2026-01-01")

    return ModelCard(
        name="m", price_in_usd_per_mtok=fact(price_in), price_out_usd_per_mtok=fact(price_out)
    )


def cost_usd(card: ModelCard, tokens_in: int | None, tokens_out: int | None) -> float | None:
    price = list_price(card)
    return price.cost_usd(tokens_in, tokens_out) if price else None


def test_the_cost_is_tokens_times_the_list_price() -> None:
    assert cost_usd(priced(2.5, 10.0), 1000, 100) == pytest.approx(0.0035)
    assert cost_usd(priced(0.0, 0.0), 1000, 100) == 0.0, "a stated price of zero is known"


@pytest.mark.parametrize(
    ("card", "tokens_in", "tokens_out"),
    [
        (priced(None, 10.0), 1000, 100),
        (priced(2.5, None), 1000, 100),
        (priced(2.5, 10.0), None, 100),
        (priced(2.5, 10.0), 1000, None),
    ],
)
def test_an_unknown_cost_is_none_and_never_zero(
    card: ModelCard, tokens_in: int | None, tokens_out: int | None
) -> None:
    assert cost_usd(card, tokens_in, tokens_out) is None
