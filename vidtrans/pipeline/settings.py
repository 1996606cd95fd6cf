"""What decides the pictures, and what a conversion is asked to do: frozen values, read once at the
edge.

``RenderSettings`` decide the pictures. ``convert``, the filter and the
editor's project contain them and add what is their own (``WithRender``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from vidtrans.errors import InputError, UsageError
from vidtrans.labels.edit import EditList
from vidtrans.labels.edit_text import gather_edits, load_styles, spell_edits
from vidtrans.media.naming import exists
from vidtrans.media.reader import MAX_SIDE
from vidtrans.media.times import is_position
from vidtrans.pipeline.options import Option, Setting, setting_fields, values_from_options
from vidtrans.untrusted import UntrustedTextError, parse_json, read_text
from vidtrans.validation import did_you_mean, first_problem

PreviewLayer = Literal["final", "raw", "warped", "flow", "occlusion", "foreground", "labels"]
"""Layers that are one picture of the film's size."""
Layer = Literal[PreviewLayer, "compare"]
"""What a picture shows of a painting; see ``pipeline.layers``."""
PREVIEW_LAYERS: tuple[PreviewLayer, ...] = get_args(PreviewLayer)
LAYERS: tuple[Layer, ...] = get_args(Layer)


_SHOWN = 60
"""Characters of a refused value that a sentence repeats."""


def parse_size(value: Any) -> Any:
    """``"512x256"`` (width x height, as people say it) -> ``(256, 512)`` (height, width, as
    arrays have it)."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*[xX×]\s*([0-9]{1,9})\s*", value)
    if not found:
        raise ValueError(f"a size is WIDTHxHEIGHT, as 512x256, not {value[:_SHOWN]!r}")
    return int(found[2]), int(found[1])


def parse_pixels(value: Any) -> Any:
    """``"7680x4320"`` or ``"33177600"`` -> 33177600 pixels."""
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"\s*[0-9]{1,12}\s*", value):
        return int(value)
    height, width = parse_size(value)
    return height * width


def parse_rate(value: Any) -> Any:
    """``"25"``, ``"29.97"``, ``"30000/1001"`` -> a fraction of frames a second."""
    if not isinstance(value, str):
        return value
    # No exponents: 1e999999999 is a number of a billion digits.
    found = re.fullmatch(r"\s*(-?[0-9]{1,9})(?:/([0-9]{1,9})|(\.[0-9]{1,9}))?\s*", value)
    if not found or (found[2] is not None and int(found[2]) == 0):
        raise ValueError(
            f"a rate is a number of frames a second, as 25 or 30000/1001, not {value[:_SHOWN]!r}"
        )
    return Fraction(value.strip())


def parse_cuts(value: Any) -> Any:
    """``auto``, ``off``, a list ``"120,300"`` of first frames of scenes, or a text file with one
    number a line."""
    if not isinstance(value, str) or value in ("auto", "off"):
        return value
    text = value
    if exists(value) and Path(value).is_file():
        try:
            text = read_text(value)
        except (OSError, UntrustedTextError) as error:
            raise ValueError(f"the file of scene cuts {value} cannot be read: {error}") from error
    lines = [
        line.split("#")[0] for line in text.splitlines()
    ]  # a list of cuts may say what they are
    words = [word for line in lines for word in re.split(r"[\s,;]+", line) if word]
    if not words or not all(re.fullmatch(r"[0-9]{1,12}", word) for word in words):
        raise ValueError(
            "scene cuts are auto, off, frame numbers as 120,300, or a text file of frame numbers;"
            f" {value[:_SHOWN]!r} is none of these"
        )
    return tuple(sorted({int(word) for word in words}))


def parse_position(value: Any) -> Any:
    """``"250"`` -> 250; a timecode ``"00:00:10:00"`` or a time ``"00:00:10.5"`` stays a text, since
    the frame that it names depends on the film."""
    if not isinstance(value, str):
        return value
    if not is_position(value):
        raise ValueError(
            "a position is a frame number, as 250, or a timecode, as 00:00:10:00 or 00:00:10.5, not"
            f" {value[:_SHOWN]!r}"
        )
    return int(value) if value.strip().isdecimal() else value.strip()


def parse_edits(value: Any) -> Any:
    """A file of edits, an editor's project, or the JSON text of a list of edits -> these edits.
    Raises InputError."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return EditList.from_json(parse_json(value), source="the edits given")
        except UntrustedTextError as error:
            raise InputError(f"the edits given are no JSON ({error}).") from error
    return EditList.load(value) if isinstance(value, str | Path) else value


def parse_key_values(pairs: Sequence[str]) -> dict[str, str]:
    """``["crf=18", ...]`` as a dictionary.

    Raises:
        UsageError: One has no ``=``.
    """
    found = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise UsageError(f"an encoder option takes KEY=VALUE, as crf=18, not {pair!r}.")
        found[key] = value
    return found


def format_size(size_hw: tuple[int, int]) -> str:
    """The inverse of ``parse_size``: (256, 512) as ``512x256``."""
    return f"{size_hw[1]}x{size_hw[0]}"


def format_cuts(cuts: Literal["auto", "off"] | tuple[int, ...]) -> str:
    """The inverse of ``parse_cuts``: (120, 300) as ``120,300``."""
    return cuts if isinstance(cuts, str) else ",".join(map(str, cuts))


def _gather_edits(
    edits: str | None = None,
    relabel: Sequence[str] = (),
    drop: Sequence[str] = (),
    styles: str | None = None,
    style: Sequence[str] = (),
) -> dict[str, Any]:
    """The options about edits as ``edits``, and the ``seed`` that a styles file gives."""
    chosen = None if styles is None else load_styles(styles)
    found = gather_edits(
        parse_edits(edits) if edits else None,
        relabel=relabel,
        drop=drop,
        styles=chosen,
        style=style,
    )
    return {"edits": found} | ({"seed": chosen.seed} if chosen is not None else {})


Pixels = Annotated[int, BeforeValidator(parse_pixels)]
SizeHW = Annotated[tuple[int, int], BeforeValidator(parse_size)]
Rate = Annotated[Fraction, BeforeValidator(parse_rate)]
SceneCuts = Annotated[Literal["auto", "off"] | tuple[int, ...], BeforeValidator(parse_cuts)]
Edits = Annotated[EditList, BeforeValidator(parse_edits)]
Position = Annotated[int | str, BeforeValidator(parse_position)]


class Settings(BaseModel):
    """A frozen value that is checked as it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all settings that it can be made from."""
        return tuple(cls.model_fields)

    @classmethod
    def read(cls, **values: Any) -> Self:
        """Check ``values`` and freeze them; None leaves a setting at its default.

        Raises:
            UsageError: A value or a setting's name is wrong; the sentence names it.
        """
        _refuse_unknown(values, cls.names())
        try:
            return cls(**{name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            raise UsageError(first_problem(error, cls, skip=("render",))) from error

    @classmethod
    def from_options(cls, **options: Any) -> Self:
        """As ``read``, from options as command lines and manifests have them.

        Args:
            options: Texts, or lists of texts for what is repeatable, by the options' parameter
                names (``size``, ``scene_cuts``, ``relabel``); other settings by their own.

        Raises:
            UsageError: A value or a name is wrong.
            InputError: A file that an option names cannot be read.
        """
        known = [
            option.parameter for field in setting_fields(cls) for option in field.setting.options
        ]
        _refuse_unknown(options, {*known, *cls.names()})
        return cls.read(**values_from_options(cls, options))


def _refuse_unknown(values: Mapping[str, Any], known: Collection[str]) -> None:
    for name in values:
        if name not in known:
            raise UsageError(f"{name}: unknown key. {did_you_mean(name, known)}".rstrip())


class RenderSettings(Settings):
    """Everything that decides the pictures of an input.

    Attributes:
        labels: ``auto``, the name of a label scheme, or a palette file (JSON or TOML); with
            ``:ENCODING`` behind it.
        instances: A 16-bit instance map for each frame: video, folder or pattern.
        rate: Frames a second of an image sequence; None for 25.
        allow_protocols: Network protocols that inputs may be read by, as ``https``; none by
            default.
        allow_gaps: Read image sequences although numbers are missing; a gap of many is a cut.
        stream: Which of a film's video streams holds the labels, from 0; None for the one that
            FFmpeg takes.
        skip_damaged: Go on over damaged frames: each takes the labels of the frame before it.
        model: The name of a model that comes with vidtrans, a bundle's path, or the folder of a
            published checkpoint.
        size_hw: Translate at this (height, width); labels are resized to their nearest pixel. None
            for the input's own.
        fit: With ``size_hw``, ``resize`` to exactly it, or as large as fits into it with the
            input's aspect kept, the rest padded for the network and cropped from the output
            (``pad``).
        max_pixels: The most pixels of a picture that is painted; None for 4096x4096.
        layer: What the pictures show.
        scene_cuts: Where the history is reset: found in the labels (``auto``), nowhere
            (``off``), or before these frames.
        first_frame: Pictures, in order, that the film starts from.
        edits: Of labels and history. Text is read: a file of edits, an editor's project, or a list
            as JSON.
        seed: Variety that can be repeated: draws a style for each instance (street, pix2pixHD), or
            what is dropped (pix2pix).
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``mps``, ``xpu`` or ``xpu:N``.
        precision: Of the network's arithmetic.
    """

    labels: Annotated[
        str,
        Setting(
            (
                Option(
                    "labels",
                    "SCHEME",
                    "How labels are read: auto, SCHEME, SCHEME:ENCODING, or a palette file (.toml,"
                    " .json).",
                ),
            ),
            "Input",
        ),
    ] = "auto"
    instances: Annotated[
        str | None,
        Setting(
            (
                Option(
                    "instances",
                    "MAPS",
                    "16-bit instance maps beside the labels: video, folder or pattern.",
                ),
            ),
            "Input",
        ),
    ] = None
    rate: Annotated[
        Rate | None,
        Setting(
            (Option("rate", "RATE", "Frames a second of an image sequence (default 25)."),),
            "Input",
            piped=False,
        ),
    ] = None
    allow_protocols: Annotated[
        tuple[str, ...],
        Setting(
            (
                Option(
                    "allow-protocols",
                    "NAME",
                    "Read addresses of this protocol too, as https; else only files are read.",
                    repeatable=True,
                ),
            ),
            "Input",
            piped=False,
        ),
    ] = ()
    allow_gaps: Annotated[
        bool,
        Setting(
            (
                Option(
                    "allow-gaps",
                    "",
                    "Read image sequences although numbers are missing; a gap of many is a cut.",
                ),
            ),
            "Input",
            piped=False,
        ),
    ] = False
    stream: Annotated[
        int | None,
        Setting(
            (
                Option(
                    "stream",
                    "NUMBER",
                    "Which of several video streams of the input is read, from 0.",
                ),
            ),
            "Input",
        ),
    ] = None
    skip_damaged: Annotated[
        bool,
        Setting(
            (
                Option(
                    "skip-damaged",
                    "",
                    "Go on over damaged frames: each takes the labels of the frame before it.",
                ),
            ),
            "Input",
        ),
    ] = False
    model: Annotated[
        str,
        Setting(
            (
                Option(
                    "model",
                    "MODEL",
                    "A model's name (see vidtrans models list) or a .safetensors file.",
                ),
            )
        ),
    ] = "street"
    size_hw: Annotated[
        SizeHW | None,
        Setting(
            (Option("size", "WxH", "Translate at this size; the default is the input's own."),),
            spell=lambda size_hw: [("size", format_size(size_hw))],
        ),
    ] = None
    fit: Annotated[
        Literal["pad", "resize"],
        Setting(
            (
                Option(
                    "fit",
                    "pad|resize",
                    "At another size: keep the aspect (pad), or not (resize).",
                ),
            )
        ),
    ] = "pad"
    max_pixels: Annotated[
        Pixels | None,
        Setting(
            (
                Option(
                    "max-pixels",
                    "WxH",
                    "Paint pictures of up to so many pixels (default 4096x4096).",
                ),
            )
        ),
    ] = None
    layer: Annotated[
        Layer,
        Setting(
            (
                Option(
                    "layer",
                    "LAYER",
                    "What to write: final, raw, warped, flow, occlusion, foreground, labels or"
                    " compare (labels beside result).",
                ),
            ),
            reopens=False,
        ),
    ] = "final"
    scene_cuts: Annotated[
        SceneCuts,
        Setting(
            (
                Option(
                    "scene-cuts",
                    "CUTS",
                    "Where the past is forgotten: auto, off, frame numbers (120,300), or a file of"
                    " them.",
                ),
            ),
            spell=lambda cuts: [("scene-cuts", format_cuts(cuts))],
        ),
    ] = "auto"
    first_frame: Annotated[
        tuple[str, ...],
        Setting(
            (
                Option(
                    "first-frame",
                    "PICTURE",
                    "A picture that the film starts from; several go in order.",
                    repeatable=True,
                ),
            )
        ),
    ] = ()
    edits: Annotated[
        Edits,
        Setting(
            (
                Option(
                    "edits",
                    "FILE",
                    "Edits of labels: a JSON file, an editor's project, or the JSON itself.",
                ),
                Option(
                    "relabel",
                    "WHAT=CLASS",
                    "Paint a class as another, as vegetation=building, or one thing:"
                    " instance:26001=truck; in frames 100 to 249: vegetation=building@100:250.",
                    repeatable=True,
                ),
                Option(
                    "drop",
                    "INSTANCE",
                    "Take one thing out, as instance:26001: what surrounds it fills the gap. Needs"
                    " instance maps.",
                    repeatable=True,
                ),
                Option(
                    "styles", "FILE", "Styles from a TOML or JSON file: classes, instances, seed."
                ),
                Option(
                    "style",
                    "WHAT=NUMBER",
                    "Paint a class (car=3) or one thing (instance:26001=5) in a style of the"
                    " model; vidtrans styles shows them.",
                    repeatable=True,
                ),
            ),
            spell=spell_edits,
            gather=_gather_edits,
            reopens=False,  # the preview takes edits while it is open
        ),
    ] = EditList()
    seed: Annotated[
        int | None,
        Setting(
            (
                Option(
                    "seed",
                    "NUMBER",
                    "Draw a style for each thing (street, pix2pixHD), or what dropout drops"
                    " (pix2pix), the same every time.",
                ),
            )
        ),
    ] = None
    device: Annotated[
        str,
        Setting(
            (Option("device", "DEVICE", "auto, cpu, cuda, cuda:N, mps, xpu or xpu:N."),), "Run"
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        Setting((Option("precision", "TYPE", "auto, fp32, bf16 or fp16."),), "Run"),
    ] = "auto"

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        if self.size_hw is not None and min(self.size_hw) < 1:
            raise ValueError("a size is at least 1x1")
        if self.size_hw is not None and max(self.size_hw) > MAX_SIDE:
            raise ValueError(f"a size is at most {MAX_SIDE} on a side")
        if self.max_pixels is not None and self.max_pixels < 1:
            raise ValueError("at least 1 pixel is painted")
        if self.stream is not None and self.stream < 0:
            raise ValueError("streams are numbered from 0")
        if self.rate is not None and self.rate <= 0:
            raise ValueError("a rate is more than 0 frames a second")
        return self


class WithRender(Settings):
    """Settings that contain ``RenderSettings`` and can be made from one flat set of names, as
    command lines, project files and manifests have them: ``read(input=..., model=...)``."""

    render: RenderSettings = RenderSettings()

    @classmethod
    def _render_names(cls) -> tuple[str, ...]:
        return cast(type[RenderSettings], cls.model_fields["render"].annotation).names()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all settings that it can be made from, those of the pictures included."""
        return (*super().names(), *cls._render_names())

    @model_validator(mode="before")
    @classmethod
    def _contain(cls, data: Any) -> Any:
        """Values of the pictures' settings, given flat, go into ``render``."""
        if not isinstance(data, dict):
            return data
        names = cls._render_names()
        flat = {name: value for name, value in data.items() if name in names}
        if not flat:
            return data
        rest = {name: value for name, value in data.items() if name not in flat}
        return rest | {"render": dict(rest.get("render", {})) | flat}

    def flat(self) -> dict[str, Any]:
        """Every setting by its name, those of the pictures beside the others: ``read`` makes the
        same value of them."""
        return {name: value for name, value in self if name != "render"} | dict(self.render)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, which are not checked. ``update`` may hold the pictures'
        settings by their own names."""
        values = dict(update or {})
        names = self._render_names()
        flat = {name: values.pop(name) for name in list(values) if name in names}
        if flat:
            values["render"] = values.get("render", self.render).model_copy(update=flat)
        return super().model_copy(update=values, deep=deep)


class ConvertSettings(WithRender):
    """Everything that decides what ``convert`` writes; two equal values give the same file.

    Attributes:
        input: A video, a folder of images, or a printf or glob pattern.
        output: A video file, or a folder of PNGs (a path without a suffix, or one that ends in
            ``/``).
        start: The first frame that is written, a number from 0 or a timecode; None for the film's
            first. The frames before it are painted as far as the history reaches, so that pictures
            are those of the whole film.
        end: The frame after the last one that is written; None for the end of the film.
        codec: ffmpeg's own name, as ``pixel_format``; None for the container's usual one.
        encoder_options: Of the encoder, by ffmpeg's names.
        pixel_format: ffmpeg's own name.
        even_sides: Repeat the last column and row of pictures where a side is odd, since many
            players and pixel formats take even sides only.
        audio_codec: The encoder, by ffmpeg's name, of sound that is not in this codec; ``copy``
            keeps the input's sound as it is.
        resume: Go on with an interrupted run.
        overwrite: Replace an existing output once the new one is whole.
        snapshot_every: Frames after which what is done is put in safety (a film's segment); None:
            as many as suit the size.
    """

    input: str
    output: str
    start: Annotated[
        Position | None,
        Setting(
            (
                Option(
                    "from",
                    "FRAME",
                    "Write from this frame on: its number, from 0, or a timecode (00:00:10:00,"
                    " 00:00:10.5). Pictures stay those of the whole film.",
                ),
            ),
            "Input",
            piped=False,
        ),
    ] = None
    end: Annotated[
        Position | None,
        Setting(
            (
                Option(
                    "to",
                    "FRAME",
                    "Write up to this frame, without it: its number or a timecode.",
                ),
            ),
            "Input",
            piped=False,
        ),
    ] = None
    codec: Annotated[
        str | None,
        Setting(
            (
                Option(
                    "codec", "ENCODER", "Any ffmpeg encoder (default libx264; .webm: libvpx-vp9)."
                ),
            ),
            "Encoding",
        ),
    ] = None
    encoder_options: Annotated[
        dict[str, str],
        Setting(
            (
                Option(
                    "encoder-option",
                    "KEY=VALUE",
                    "Any option of it, as crf=18.",
                    repeatable=True,
                ),
            ),
            "Encoding",
            spell=lambda options: [("encoder-option", f"{k}={v}") for k, v in options.items()],
            gather=lambda encoder_option: {"encoder_options": parse_key_values(encoder_option)},
        ),
    ] = {}
    pixel_format: Annotated[
        str | None,
        Setting(
            (Option("pixel-format", "FORMAT", "As ffmpeg calls it (default yuv420p)."),), "Encoding"
        ),
    ] = None
    even_sides: Annotated[
        bool,
        Setting(
            (
                Option(
                    "even-sides",
                    "",
                    "Repeat the last column and row where a side is odd: yuv420p takes even ones.",
                ),
            ),
            "Encoding",
        ),
    ] = False
    audio_codec: Annotated[
        str,
        Setting(
            (
                Option(
                    "audio-codec",
                    "ENCODER",
                    "copy, or ffmpeg's encoder for sound that is in another codec, as aac.",
                ),
            ),
            "Encoding",
        ),
    ] = "copy"
    resume: Annotated[
        bool,
        Setting(
            (Option("resume", "", "Go on with an interrupted run; begins where there is none."),),
            "Run",
        ),
    ] = False
    overwrite: Annotated[
        bool,
        Setting(
            (Option("overwrite", "", "Replace an existing output once the new one is whole."),),
            "Run",
        ),
    ] = False
    snapshot_every: Annotated[
        int | None,
        Setting(
            (
                Option(
                    "snapshot-every",
                    "FRAMES",
                    "Put what is done in safety this often (default: about 5 s).",
                ),
            ),
            "Run",
        ),
    ] = None

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        if not self.input or not self.output:
            # A shell's unset variable; as a path it would be the current folder.
            raise ValueError("the input and the output have a name each, and one of them is empty")
        if self.snapshot_every is not None and self.snapshot_every < 1:
            raise ValueError("snapshots are at least 1 frame apart")
        numbers = [each for each in (self.start, self.end) if isinstance(each, int)]
        if any(number < 0 for number in numbers):
            raise ValueError("frames are counted from 0")
        if len(numbers) == 2 and numbers[0] >= numbers[1]:
            raise ValueError(
                f"the range from frame {numbers[0]} up to frame {numbers[1]} holds no frame"
            )
        return self
