"""What a conversion is asked to do: one frozen value, read once at the edge."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from vidtrans.errors import InputError, UsageError
from vidtrans.labels.edit import EditList
from vidtrans.media.naming import exists
from vidtrans.media.reader import MAX_SIDE
from vidtrans.validation import first_problem

LAYERS = ("final", "raw", "warped", "flow", "occlusion", "foreground", "labels", "compare")
Layer = Literal["final", "raw", "warped", "flow", "occlusion", "foreground", "labels", "compare"]


def parse_size(value: Any) -> Any:
    """``"512x256"`` (width x height, as people say it) -> ``(256, 512)`` (height, width, as
    arrays have it)."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*(\d+)\s*[xX×]\s*(\d+)\s*", value)
    if not found:
        raise ValueError(f"a size is WIDTHxHEIGHT, as 512x256, not {value!r}")
    return int(found[2]), int(found[1])


def parse_rate(value: Any) -> Any:
    """``"25"``, ``"29.97"``, ``"30000/1001"`` -> a fraction of frames a second."""
    if not isinstance(value, str):
        return value
    try:
        rate = Fraction(value.strip())
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"a rate is a number of frames a second, as 25 or 30000/1001, not {value!r}"
        ) from None
    return rate


def parse_cuts(value: Any) -> Any:
    """``auto``, ``off``, a list ``"120,300"`` of first frames of scenes, or a text file with one
    number a line."""
    if not isinstance(value, str) or value in ("auto", "off"):
        return value
    text = value
    if exists(value) and Path(value).is_file():
        text = Path(value).read_text(encoding="utf-8", errors="replace")
    lines = [
        line.split("#")[0] for line in text.splitlines()
    ]  # a list of cuts may say what they are
    words = [word for line in lines for word in re.split(r"[\s,;]+", line) if word]
    if not words or not all(word.isdecimal() for word in words):
        raise ValueError(
            "scene cuts are auto, off, frame numbers as 120,300, or a text file of frame numbers;"
            f" {value!r} is none of these"
        )
    return tuple(sorted({int(word) for word in words}))


def parse_edits(value: Any) -> Any:
    """A file of edits, an editor's project, or the JSON text of a list of edits -> these edits.
    Raises InputError."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return EditList.from_json(json.loads(value), source="the edits given")
        except json.JSONDecodeError as error:
            raise InputError(f"the edits given are no JSON ({error}).") from error
    return EditList.load(value) if isinstance(value, str | Path) else value


SizeHW = Annotated[tuple[int, int], BeforeValidator(parse_size)]
Rate = Annotated[Fraction, BeforeValidator(parse_rate)]
SceneCuts = Annotated[Literal["auto", "off"] | tuple[int, ...], BeforeValidator(parse_cuts)]
Edits = Annotated[EditList, BeforeValidator(parse_edits)]


class ConvertSettings(BaseModel):
    """Everything that decides what ``convert`` writes; two equal values give the same file.

    ``input``: a video, a folder of images, or a printf or glob pattern. ``output``: a video file,
    or a folder of PNGs (a path without a suffix, or one that ends in ``/``). ``model``: the name of
    a model that comes with vidtrans, or a bundle's path. ``labels``: ``auto``, the name of a label
    scheme, or a palette file (JSON or TOML). ``instances``: a 16-bit instance map for each frame:
    video, folder or pattern. ``size_hw``: translate at this size (labels are resized to their
    nearest pixel): with ``fit`` ``resize`` to exactly it, with ``pad`` as large as fits into it
    with the input's aspect kept, the rest padded for the network and cropped from the output.
    ``scene_cuts``: where the history starts anew: found in the labels (``auto``), nowhere
    (``off``), or before these frames. ``first_frame``: a picture (or several, in order) that the
    film starts from. ``rate``: frames a second of an image folder. ``edits``: of labels and history
    (text is read: a file of edits, an editor's project, or a list as JSON). ``seed``: variety that
    can be repeated: draws a style for each instance (street, pix2pixHD), or what is dropped
    (pix2pix). ``codec``, ``encoder_options``, ``pixel_format``: ffmpeg's own names; None for the
    container's usual ones. ``snapshot_every``: frames after which what is done is put in safety (a
    film's segment); None: as many as suit the size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: str
    output: str
    model: str = "street"
    labels: str = "auto"
    instances: str | None = None
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    size_hw: SizeHW | None = None
    fit: Literal["pad", "resize"] = "pad"
    layer: Layer = "final"
    scene_cuts: SceneCuts = "auto"
    first_frame: tuple[str, ...] = ()
    codec: str | None = None
    encoder_options: dict[str, str] = {}
    pixel_format: str | None = None
    rate: Rate | None = None
    edits: Edits = EditList()
    seed: int | None = None
    snapshot_every: int | None = None
    resume: bool = False
    overwrite: bool = False

    @model_validator(mode="after")
    def _make_sense(self) -> ConvertSettings:
        if not self.input or not self.output:
            # A shell's unset variable; as a path it would be the current folder.
            raise ValueError("the input and the output have a name each, and one of them is empty")
        if self.size_hw is not None and min(self.size_hw) < 1:
            raise ValueError("a size is at least 1x1")
        if self.size_hw is not None and max(self.size_hw) > MAX_SIDE:
            raise ValueError(f"a size is at most {MAX_SIDE} on a side")
        if self.snapshot_every is not None and self.snapshot_every < 1:
            raise ValueError("snapshots are at least 1 frame apart")
        if self.rate is not None and self.rate <= 0:
            raise ValueError("a rate is more than 0 frames a second")
        return self

    @classmethod
    def read(cls, **values: Any) -> ConvertSettings:
        """Check ``values`` and freeze them; None leaves a setting at its default.

        Raises:
            UsageError: a value or a setting's name is wrong; the sentence names it.
        """
        try:
            return cls(**{name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            raise UsageError(first_problem(error, cls)) from error
