"""Label video in, street video out: pix2pix, pix2pixHD and vid2vid as media tools.

Example:
    >>> import numpy as np
    >>> import vidtrans
    >>> labels = np.full((2, 32, 64), 7, np.uint8)  # [T,H,W], here Cityscapes labelId 7: road
    >>> model = vidtrans.load_model("street", device="cpu")
    >>> pictures = model.translate(labels=labels)
    >>> pictures.shape, pictures.dtype  # [T,3,H,W] in [-1,1]
    ((2, 3, 32, 64), dtype('float32'))
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from vidtrans.errors import (
    InputError,
    Interrupted,
    JobsFailed,
    ModelError,
    OutputError,
    ReaderGone,
    UsageError,
    VidtransError,
)

if TYPE_CHECKING:
    from vidtrans.batches.batch import JobResult, batch
    from vidtrans.frame import FrameTime, LabelFrame
    from vidtrans.nets.painting import Painting
    from vidtrans.sequence.loading import import_checkpoint, load_model
    from vidtrans.sequence.model import Model
    from vidtrans.sequence.state import State

__version__ = "0.1.0"

# Before torch is loaded. Its CPU threads wait for one another by spinning for a millisecond, at
# every operation; where anything else wants the cores (an encoder, a decoder, another program) they
# burn them: a film that took 161 s on a busy machine takes 11 s with a tenth of that, and on an
# idle machine nothing is lost.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# Before NumPy is loaded. OpenBLAS' threads wait awake for 2^26 cycles before they sleep, so that
# importing NumPy burns another core, and an import takes 0.16 s in place of 0.11; 2^4 is its least.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

__all__ = [
    "FrameTime",
    "InputError",
    "Interrupted",
    "JobResult",
    "JobsFailed",
    "LabelFrame",
    "Model",
    "ModelError",
    "OutputError",
    "Painting",
    "ReaderGone",
    "State",
    "UsageError",
    "VidtransError",
    "__version__",
    "batch",
    "import_checkpoint",
    "load_model",
]

# Loaded when they are first asked for: torch takes seconds, and `vidtrans --help` does without it.
_HOMES = {
    "JobResult": "vidtrans.batches.batch",
    "batch": "vidtrans.batches.batch",
    "FrameTime": "vidtrans.frame",
    "LabelFrame": "vidtrans.frame",
    "Model": "vidtrans.sequence.model",
    "Painting": "vidtrans.nets.painting",
    "State": "vidtrans.sequence.state",
    "import_checkpoint": "vidtrans.sequence.loading",
    "load_model": "vidtrans.sequence.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vidtrans' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
