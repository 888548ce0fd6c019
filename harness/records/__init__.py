"""The nouns of a run; see `run`, `image`, `cards` and `scores`. They import nothing of ours."""

from harness.records.cards import (
    Fact,
    GgufFiles,
    GgufSource,
    HostedSource,
    ModelCard,
    Preset,
    PublishedScore,
)
from harness.records.image import EncodedImage
from harness.records.run import (
    CallFailure,
    Case,
    Correction,
    Effort,
    FailureKind,
    Judgement,
    Price,
    Record,
    Reply,
    RunHeader,
    Sampling,
    ServerFacts,
    ServerTimings,
    State,
    Verdict,
)
from harness.records.scores import ModelScore, Score

__all__ = [
    "CallFailure",
    "Case",
    "Correction",
    "Effort",
    "EncodedImage",
    "Fact",
    "FailureKind",
    "GgufFiles",
    "GgufSource",
    "HostedSource",
    "Judgement",
    "ModelCard",
    "ModelScore",
    "Preset",
    "Price",
    "PublishedScore",
    "Record",
    "Reply",
    "RunHeader",
    "Sampling",
    "Score",
    "ServerFacts",
    "ServerTimings",
    "State",
    "Verdict",
]
