"""Random access to the pictures of a film that a recurrent generator paints.

Snapshots of the generator's state make any frame reachable; finished pictures are cached.

Example:
    engine = PreviewEngine(print)
    engine.open(ConvertSettings(input="labels.mkv", output="unused.mkv"))
    engine.submit(Request(id=1, frame=120))
    ...
    engine.close()
"""

from vidtrans.pipeline.settings import PREVIEW_LAYERS, PreviewLayer
from vidtrans.preview.engine import PreviewEngine
from vidtrans.preview.records import (
    Answer,
    Approximation,
    Budgets,
    Event,
    Failed,
    Opened,
    PreviewScale,
    Request,
    Status,
)

__all__ = [
    "PREVIEW_LAYERS",
    "Answer",
    "Approximation",
    "Budgets",
    "Event",
    "Failed",
    "Opened",
    "PreviewEngine",
    "PreviewLayer",
    "PreviewScale",
    "Request",
    "Status",
]
