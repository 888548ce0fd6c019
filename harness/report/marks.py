"""What a reader must know about a run before believing its figures, in words."""

from __future__ import annotations

from collections.abc import Iterator

from harness.records import RunHeader, ServerFacts
from harness.records.settings import hardware
from harness.report.gathering import Column
from harness.tables import words
from harness.text import one_line


def marks(column: Column) -> Iterator[str]:
    """Why this column is not a plain, complete run of the whole suite; empty when it is one."""
    measured, published = column.measured, column.side.published
    if measured is None:
        yield f"published by {published.source if published else ''}, not measured here"
        return
    score = measured.score
    header, overall = score.header, score.overall
    if overall.errors:
        missing = f"{overall.errors:,} of {overall.asked:,}"
        yield f"incomplete: {missing} failed or were not asked, so the score is a range"
    if overall.cut:
        cut = f"{overall.cut:,} of {overall.asked:,} replies were cut before they stated an answer"
        yield f"incomplete: {cut}, so the score is a range"
    if header.blind:
        yield "blind: no picture was sent, so this is what guessing reaches"
    if header.subset:
        yield f"a subset: {header.prompts:,} of the suite’s {header.suite_prompts:,} prompts"
    if header.repeats > 1:
        yield f"every prompt was asked {header.repeats} times"
    if header.regraded_from:
        yield f"regraded from {header.regraded_from} by the rules of grader {header.grader_version}"
    if header.judge:
        yield f"{header.judge} judged replies that the rules could not read"
    if score.corrected:
        yield f"verdicts corrected by a person: {score.corrected:,}"
    if measured.run.torn:
        yield "the last line of its file is cut short"


def provenance(column: Column) -> list[tuple[str, str]]:
    """Where the figures of a column come from: name and value, known ones only."""
    published = column.side.published
    if published is not None:
        return [("published by", published.source), ("as of", published.as_of)]
    assert column.measured is not None
    header = column.measured.score.header
    known = [*_asked(header), *_server(header)]
    notes = "; ".join(words.notes(column.measured.score))
    return [(name, one_line(value, 400)) for name, value in (*known, ("notes", notes)) if value]


def _asked(header: RunHeader) -> Iterator[tuple[str, str]]:
    sampling = header.sampling
    yield "run", header.run
    yield "measured", f"{header.started_at:%d %B %Y %H:%M %Z}".lstrip("0")
    suite = f"{header.suite} {header.suite_version}, sha256 {header.suite_sha256[:12]}"
    yield "suite", f"{suite}, {header.suite_prompts} prompts"
    yield "graders", header.grader_version
    yield "pictures", f"longest side at most {header.image_max_side_px} px"
    spoken = f"temperature {sampling.temperature:g}, seed {sampling.seed}"
    yield "sampling", f"{spoken}, at most {sampling.max_tokens} tokens"
    yield "system prompt", header.system or ""
    yield "evalrun", header.evalrun_version


def _server(header: RunHeader) -> Iterator[tuple[str, str]]:
    yield "backend", f"{header.backend} {header.base_url or ''}".strip()
    server = header.server or ServerFacts()
    yield "quantization", server.quantization or ""
    yield "weights", server.model_file or ""
    yield "projector", server.mmproj_file or ""
    yield "server build", server.build or ""
    yield "hardware", hardware(server) or server.system_info or ""
    if (machine := server.machine) is not None:
        sizes = {"weights": machine.weights_gb, "projector": machine.projector_gb}
        sizes |= {"peak": machine.peak_memory_gb, "on the card": machine.peak_gpu_memory_gb}
        yield "memory", ", ".join(f"{name} {gb:.3g} GB" for name, gb in sizes.items() if gb)
        yield "layers on the GPU", machine.offloaded_layers or ""
