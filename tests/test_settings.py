"""Every setting of a run has one home that says whether it must agree."""

from harness.records import RunHeader, Sampling
from harness.records.settings import PER_START, SETTINGS

IDENTITY = (
    *("model", "backend", "base_url", "categories", "prompts_sha256", "cold", "regraded_from"),
)
"""What a run is of: the same in both halves of a resumed run, and what a comparison is about."""


def test_every_field_of_a_header_is_a_setting_what_the_run_is_of_or_new_at_every_start() -> None:
    homes = [name for it in SETTINGS for name in it.fields.split()] + [*IDENTITY, *PER_START]
    fields = {*RunHeader.__struct_fields__, *Sampling.__struct_fields__} - {"sampling"}

    assert sorted(homes) == sorted(set(homes)), "a field has one home"
    assert fields == set(homes)
