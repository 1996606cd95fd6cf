"""The settings of a training run: one TOML file, checked before anything is loaded.

```toml
version = 1
system = "vid2vid"

[data]
root = "streets"
load_size = 512

[options]        # the system's options, under their published names
label_nc = 35

[run]
precision = "bf16"
```
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vidtrans.errors import UsageError
from vidtrans.pipeline.settings import SizeHW
from vidtrans.untrusted import UntrustedTextError, parse_toml, read_text
from vidtrans.validation import did_you_mean, first_problem
from vidtrans_training.datasets.geometry import DEFAULT_KINDS, Transform
from vidtrans_training.datasets.layouts import Direction, Kind
from vidtrans_training.options import (
    OPTIONS,
    PASSED_OVER,
    Options,
    Pix2PixHDOptions,
    Pix2PixOptions,
    StreetOptions,
    System,
    Vid2VidOptions,
    parse_options,
)
from vidtrans_training.teacher import TeacherName

VERSION = 1
"""Version of the file's format that this program writes and reads."""

LOAD_SIZES: dict[System, int] = {"pix2pix": 286, "pix2pixhd": 1024, "vid2vid": 512, "street": 512}
FINE_SIZES: dict[System, int] = {"pix2pix": 256, "pix2pixhd": 512, "vid2vid": 512, "street": 256}
"""The published ``loadSize`` and ``fineSize``."""

_STREET_MULTIPLE = 16
"""The street network halves its size four times."""
_LARGEST_FILE = 1 << 20

_DATA_NAMES = {
    "loadSize": "data.load_size",
    "load_size": "data.load_size",
    "fineSize": "data.fine_size",
    "crop_size": "data.fine_size",
    "resize_or_crop": "data.resize_or_crop",
    "preprocess": "data.resize_or_crop",
    "no_flip": "data.flip",
    "direction": "data.direction",
    "which_direction": "data.direction",
    "dataroot": "data.root",
    "phase": "data.phase",
    "max_t_step": "data.max_t_step",
    "batchSize": "data.batch",
    "batch_size": "data.batch",
    "nThreads": "data.workers",
    "num_threads": "data.workers",
    "load_pretrain": "run.begin_with",
    "fp16": "run.precision",
}
"""Published options that are settings of another section here."""

Positive = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WorldSettings(_Section):
    """Streets of `vidtrans_world`, each rendered into the folder ``data.root`` when it is first
    read.

    ``streets``: how many, numbered from ``first_seed``; ``frames`` of each; ``size``: width x
    height; ``kind``: ``varied``, or ``terrace`` for streets whose look follows from their labels.
    """

    streets: Positive
    frames: Annotated[int, Field(ge=1, le=200)] = 24
    size: SizeHW = (256, 512)
    kind: Literal["varied", "terrace"] = "varied"
    first_seed: Annotated[int, Field(ge=0)] = 0


class DataSettings(_Section):
    """What is trained on.

    ``root``: the data set's folder, relative to the settings' file. ``layout``: how it is laid out
    (`vidtrans_training.datasets.layouts`), ``auto`` finds out. ``phase``: the part in the folders'
    names. ``direction``: of picture pairs. ``labels``: how label maps are read, as ``vidtrans
    convert --labels`` takes it. ``scheme``: the scheme of the network's planes, that of the label
    maps where not given. ``unknown_ids``: what a label value without a plane does.

    ``resize_or_crop``, ``load_size``, ``fine_size``: the published kinds and sizes, published
    defaults where not given. ``flip``: mirror every other sample. ``max_t_step``: largest step
    between the frames of a sequence. ``visits``: how often an epoch visits each sequence.
    ``batch``: single pictures in a step.

    ``hold_out``: sequences never trained on, for sample films. ``flow``: the teacher;
    ``flow_cache``: folder for its estimates; ``flow_weights``: RAFT's weights. ``workers``:
    processes that decode. ``strict``: the first file that cannot be read ends the run.
    ``world``: streets rendered on demand.
    """

    root: Path
    layout: Literal["auto", Kind] = "auto"
    phase: str = Field("train", min_length=1)
    direction: Direction = "AtoB"
    labels: str = "auto"
    scheme: str | None = None
    unknown_ids: Literal["error", "unlabeled"] = "error"
    resize_or_crop: str | None = None
    load_size: Positive | None = None
    fine_size: Positive | None = None
    flip: bool = True
    max_t_step: Positive = 1
    visits: Positive = 1
    batch: Positive = 1
    hold_out: tuple[str, ...] = ()
    flow: TeacherName = "auto"
    flow_cache: Path | None = None
    flow_weights: Path | None = None
    workers: Annotated[int, Field(ge=0, le=64)] = 2
    strict: bool = False
    world: WorldSettings | None = None


class RunSettings(_Section):
    """How it is trained.

    ``seed``: of weights, order and augmentation. ``device``: as ``vidtrans convert --device``.
    ``precision``: of convolutions; weights and optimisers stay float32. ``threads``: of each
    process on a CPU. ``accumulate``: steps whose gradients make one update. ``checkpointing``:
    recompute activations in the backward pass, which takes less memory and more time. ``ema``:
    decay of the moving average of the generator's weights, 0 for none. ``steps``: the run ends
    after so many updates, where the schedule is not over before. ``checkpoint_minutes``: between
    two checkpoints; ``checkpoint_steps``: one after every so many updates as well; ``keep``:
    checkpoints kept. ``sample_minutes``: between two sample
    films. ``begin_with``: a bundle or a folder of published checkpoints whose weights the networks
    begin with. ``vgg``: VGG19's weights, where they are not torch hub's.
    """

    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 1
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    threads: Positive | None = None
    accumulate: Positive = 1
    checkpointing: bool = False
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    steps: Positive | None = None
    checkpoint_steps: Positive | None = None
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 10.0
    keep: Positive = 2
    sample_minutes: Annotated[float, Field(gt=0)] = 10.0
    begin_with: Path | None = None
    vgg: Path | None = None


class TrainingSettings(_Section):
    """A whole run. ``version``: of the file's format. ``options``: the system's own, under their
    published names."""

    version: int = VERSION
    system: System
    data: DataSettings
    options: Annotated[Any, Field(validate_default=False)] = None
    run: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _fits(self) -> TrainingSettings:
        if self.data.batch > 1 and self.system in ("vid2vid", "street"):
            raise ValueError(
                f"data.batch is {self.data.batch}, but {self.system} learns from one sequence at a"
                " time; run.accumulate makes larger batches"
            )
        return self

    @property
    def transform(self) -> Transform:
        """How samples are cut.

        Raises:
            UsageError: The kind is unknown, or the sizes are impossible for the network.
        """
        data = self.data
        return Transform(
            self.system,
            data.resize_or_crop or DEFAULT_KINDS[self.system],
            data.load_size or LOAD_SIZES[self.system],
            data.fine_size or FINE_SIZES[self.system],
            size_multiple(self.options),
            data.flip,
        )

    @property
    def label_nc(self) -> int:
        """The network's label planes, 0 where it translates pictures."""
        return getattr(self.options, "label_nc", 0)

    @property
    def history(self) -> int | None:
        """Frames before the first generated one; None for systems of single pictures."""
        frames: int | None = getattr(self.options, "n_frames_G", None)
        return None if frames is None else frames - 1

    @property
    def distances(self) -> tuple[int, ...]:
        """Frame distances at which the system wants the teacher's flow."""
        options = self.options
        if not isinstance(options, Vid2VidOptions | StreetOptions):
            return ()
        scales = 1 if options.sparse_D else max(1, options.n_scales_temporal)
        return tuple(options.n_frames_D**scale for scale in range(scales))


def size_multiple(options: Options) -> int:
    """Sides of pictures are multiples of this, or the network gives another size than it takes."""
    if isinstance(options, Pix2PixOptions):
        # A U-Net of n halves n pixels to one; a ResNet halves twice.
        kind, _, size = options.netG.partition("_")
        return int(size) if kind == "unet" else 4
    if isinstance(options, Pix2PixHDOptions):
        halvings = options.n_downsample_global
        if options.netG == "local":
            halvings += options.n_local_enhancers
        encoder = 2**options.n_downsample_E if options.trains_encoder else 1
        return math.lcm(2**halvings, encoder)
    if isinstance(options, Vid2VidOptions):
        return int(2 ** (options.n_downsample_G + options.n_scales_spatial - 1))
    return _STREET_MULTIPLE


def read_settings(path: str | PathLike[str], *, system: System | None = None) -> TrainingSettings:
    """Read a run's settings; paths in the file are relative to it.

    Args:
        path: A TOML file.
        system: The system that was asked for; the file must be of it.

    Raises:
        UsageError: The file cannot be read, is of a newer format, has unknown keys (the nearest
            known one is named), wrong values or impossible sizes.
    """
    path = Path(path)
    try:
        text = read_text(path, largest=_LARGEST_FILE)
    except (OSError, UntrustedTextError) as error:
        raise UsageError(f"the settings cannot be read: {error}.", where=path) from error
    try:
        content = parse_toml(text)
    except UntrustedTextError as error:
        raise UsageError(f"this is not valid TOML: {error}.", where=path) from error
    try:
        settings = parse_settings(content)
        if system is not None and settings.system != system:
            raise UsageError(
                f"these are settings of {settings.system}, not of {system}.",
                hint=f"vidtrans-train {settings.system} --config {path}",
            )
    except UsageError as error:
        error.where = str(path)
        raise
    return _resolved(settings, path.resolve().parent)


def parse_settings(content: Mapping[str, Any]) -> TrainingSettings:
    """Settings from the content of their file.

    Raises:
        UsageError: See `read_settings`.
    """
    version = content.get("version", VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UsageError(f"version: {version!r} is no version of the format; this is {VERSION}.")
    if version > VERSION:
        # Before anything else: a newer format's keys would be called unknown.
        raise UsageError(
            f"version: the format {version} is newer than {VERSION}, the newest that this"
            " vidtrans-train reads.",
            hint="Update vidtrans.",
        )
    values = {name: value for name, value in content.items() if name != "options"}
    try:
        settings = TrainingSettings.model_validate(values)
    except ValidationError as error:
        raise UsageError(first_problem(error, TrainingSettings)) from error
    options = content.get("options", {})
    if not isinstance(options, Mapping):
        raise UsageError("options: a table is expected.")
    for name in options:
        _refuse_passed_over(settings.system, name)
    settings = settings.model_copy(update={"options": parse_options(settings.system, options)})
    settings.transform  # noqa: B018  # impossible sizes are refused here
    return settings


def _refuse_passed_over(system: System, name: str) -> None:
    """A published option that decides nothing under [options] must not be taken for one that
    does."""
    if name in OPTIONS[system].model_fields or name not in PASSED_OVER:
        return
    elsewhere = _DATA_NAMES.get(name)
    raise UsageError(
        f"options.{name}: this published option is no option of the network.",
        hint=f"It is called {elsewhere} here."
        if elsewhere
        else did_you_mean(name, OPTIONS[system].model_fields) or "Leave it out.",
    )


def placed_scheme(text: str, folder: Path) -> str:
    """A name of a label scheme as ``data.labels`` takes it, a palette file's path made absolute
    from ``folder``.

    Example:
        >>> placed_scheme("mine.toml:ids", Path("/data")), placed_scheme("carla:ids", Path("/data"))
        ('/data/mine.toml:ids', 'carla:ids')
    """
    found = re.fullmatch(r"(.+\.(?:toml|json))(:[\w-]+)?", text, re.IGNORECASE)
    if found is None:
        return text
    return f"{folder / Path(found[1]).expanduser()}{found[2] or ''}"


def _resolved(settings: TrainingSettings, folder: Path) -> TrainingSettings:
    """The settings with paths made absolute from ``folder``."""

    def placed(section: Any, *names: str) -> Any:
        found = {name: getattr(section, name) for name in names}
        update = {
            name: (folder / value.expanduser()).resolve()
            for name, value in found.items()
            if value is not None
        }
        return section.model_copy(update=update)

    data = placed(settings.data, "root", "flow_cache", "flow_weights")
    schemes = {
        name: placed_scheme(text, folder)
        for name, text in (("labels", data.labels), ("scheme", data.scheme))
        if text is not None
    }
    return settings.model_copy(
        update={
            "data": data.model_copy(update=schemes),
            "run": placed(settings.run, "begin_with", "vgg"),
        }
    )
