"""The header of a run: what it asks, of whom, and how."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from harness import __version__
from harness.adapters.base import Adapter, Target
from harness.adapters.openai import OpenAIChat
from harness.graders import GRADER_VERSION
from harness.records import Case, Price, RunHeader
from harness.suites import Suite


def header_of(
    suite: Suite,
    cases: Sequence[Case],
    target: Target,
    adapter: Adapter,
    *,
    image_max_side_px: int,
    repeats: int,
    blind: bool,
    price: Price | None,
    judge: str | None,
) -> RunHeader:
    """`run` stays empty: the store names the run when it creates the file."""
    ids = "\n".join(case.id for case in cases)
    return RunHeader(
        run="",
        model=target.model,
        backend=adapter.backend,
        base_url=adapter.base_url,
        model_id=target.model_id,
        endpoint=adapter.endpoint if isinstance(adapter, OpenAIChat) else None,
        suite=suite.name,
        suite_version=suite.version,
        suite_sha256=suite.sha256,
        suite_prompts=len(suite.cases),
        categories=dict(Counter(case.category for case in cases)),
        prompts_sha256=hashlib.sha256(ids.encode()).hexdigest(),
        repeats=repeats,
        grader_version=GRADER_VERSION,
        image_max_side_px=image_max_side_px,
        sampling=target.sampling,
        system=target.system,
        body=target.body,
        image_tokens=target.image_tokens,
        image_detail=target.image_detail,
        server_args=target.server_args,
        blind=blind,
        cold=target.cold,
        concurrency=adapter.concurrency,
        price=price,
        server=adapter.server,
        judge=judge,
        evalrun_version=__version__,
        started_at=datetime.now(UTC),
    )
