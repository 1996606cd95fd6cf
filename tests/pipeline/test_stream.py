"""Errors of the stages: each with its frame, its stage and what to do."""

import pytest
import torch

from vidtrans.errors import InputError
from vidtrans.pipeline.stream import PipelineError, errors_at


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (MemoryError(), "frame 7: translation ran out of memory. Try a smaller size_hw."),
        (
            torch.OutOfMemoryError("CUDA out of memory."),
            "frame 7: translation ran out of the GPU's memory."
            ' Try precision="bf16", a smaller size_hw or device="cpu".',
        ),
        (
            RuntimeError("MPS backend out of memory (MPS allocated: 9 GiB)."),
            "frame 7: translation ran out of memory. Try a smaller size_hw.",
        ),
        (RuntimeError("no."), "frame 7: translation failed: RuntimeError: no."),
    ],
)
def test_what_no_user_did_says_stage_and_frame(raised, sentence):
    with pytest.raises(PipelineError) as caught, errors_at(7, "translation"):
        raise raised
    assert str(caught.value) == sentence
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize(("frame", "told"), [(None, 7), (3, 3)])
def test_a_users_error_gets_the_frame_that_it_lacks(frame, told):
    with pytest.raises(InputError) as caught, errors_at(7, "reading"):
        raise InputError("is cut off.", frame=frame)
    assert caught.value.frame == told
