"""The settings of a training run: read once from a TOML file, frozen, and strict about names."""

from __future__ import annotations

import tomllib
from os import PathLike
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vidtrans.errors import UsageError
from vidtrans.model.street_classes import foreground_classes
from vidtrans.validation import first_problem


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(_Settings):
    """The generator: see `vidtrans.nets.street.StreetConfig`. ``feature_nc`` 3: styles are mean
    colours of things."""

    label_nc: int = 35
    fg_labels: tuple[int, ...] = foreground_classes()
    n_frames: int = Field(2, ge=2)
    channels: tuple[int, int, int, int] = (24, 48, 96, 160)
    blocks: tuple[int, int, int, int, int] = (1, 2, 1, 1, 1)
    texture_channels: int = Field(default=8, ge=1)
    feature_nc: Literal[0, 3] = 0
    least_weight: float = Field(default=0.05, ge=0, le=1)


class DataSettings(_Settings):
    """``clips``: a folder of clip folders, which may grow during the run. ``hold_out``: names of
    clips never trained on (the first of them is painted on the sample sheets). ``min_clips``: wait
    for so many. ``max_clips``: so many are kept in memory. ``no_instances``: share of samples whose
    boundaries run between classes only, as without an instance map. ``still``: share of samples in
    which nothing moves, or a network that only knows driving drives at red lights too. ``flip``:
    mirror every other sample. ``determined``: pictures follow from their labels and their place in
    the street, so that details count in first frames too, and textures of a run from nothing begin
    as the mean of what clips show."""

    clips: Path
    hold_out: tuple[str, ...] = ()
    min_clips: int = Field(1, ge=1)
    max_clips: int = Field(200, ge=1)
    rescan_s: float = 120.0
    no_instances: float = Field(0.2, ge=0, le=1)
    still: float = Field(0.0, ge=0, le=1)
    flip: bool = True
    determined: bool = False


class LossSettings(_Settings):
    """Weights of the losses; the published ones are those of the paper's street models, see
    `vidtrans_training.street_losses`."""

    pixels: float = 10.0
    gradients: float = 10.0
    raw: float = 0.5
    free: float = 3.0
    flow: float = 0.5
    warp: float = 10.0
    weight: float = 1.0
    steady: float = 10.0
    adversarial: float = 1.0
    temporal: float = 1.0
    features: float = 10.0


class DiscriminatorSettings(_Settings):
    """``channels`` of the first layer, ``layers`` of stride 2, ``scales`` of the picture."""

    channels: int = 32
    layers: int = 3
    scales: int = 2
    temporal_channels: int = 24
    temporal_scales: int = 1


class Stage(_Settings):
    """A part of the schedule. ``steps`` of ``batch`` crops of ``crop`` (height, width) pixels and
    ``frames`` painted frames each. ``free``: share of steps that begin without a history; the
    others begin from a real picture. ``rollout``: up to so many frames are painted without
    gradients first. ``lr_end``: the learning rate falls to it in a straight line. ``judged``: how
    much the discriminators count, against the weights of `LossSettings`. ``momentum``: Adam's first
    beta; the published 0.5 suits discriminators, 0.9 small steps without them."""

    steps: int = Field(gt=0)
    crop: tuple[int, int] = (128, 256)
    batch: int = Field(4, ge=1)
    frames: int = Field(3, ge=1)
    lr: float = 2e-4
    lr_end: float | None = None
    lr_discriminator: float = 2e-4
    momentum: float = Field(0.5, ge=0, lt=1)
    adversarial: bool = True
    judged: float = Field(1.0, ge=0)
    free: float = Field(0.5, ge=0, le=1)
    rollout: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Stage:
        if any(side % 16 for side in self.crop):
            raise ValueError(f"crop must be divisible by 16, not {self.crop[0]}x{self.crop[1]}")
        return self


class TrainingConfig(_Settings):
    """A whole run. ``precision``: of the convolutions while training; weights and optimisers stay
    float32. ``begin_with``: a model bundle whose weights the generator begins with, instead of from
    nothing."""

    seed: int = 1
    threads: int = Field(2, ge=1)
    precision: str = Field("fp32", pattern="^(fp32|bf16)$")
    ema: float = Field(0.999, ge=0, lt=1)
    checkpoint_minutes: float = 5.0
    sheet_minutes: float = 10.0
    begin_with: Path | None = None
    data: DataSettings
    model: ModelSettings = ModelSettings(n_frames=2)
    losses: LossSettings = LossSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
    stages: tuple[Stage, ...] = Field(min_length=1)

    def stage_at(self, step: int) -> tuple[Stage, float] | None:
        """The stage that ``step`` (0-based) belongs to and the share of it that is done; None
        after the last."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step / stage.steps
            step -= stage.steps
        return None


def read_config(path: str | PathLike[str]) -> TrainingConfig:
    """Reads a TOML file; the paths in it are relative to the file. Raises UsageError for
    whatever is wrong with it."""
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The settings cannot be read: {error}.", where=path) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"This is not valid TOML: {error}.", where=path) from error
    try:
        config = TrainingConfig.model_validate(content)
    except ValidationError as error:
        raise UsageError(first_problem(error, TrainingConfig), where=path) from error
    data = config.data.model_copy(update={"clips": (path.parent / config.data.clips).resolve()})
    begin_with = config.begin_with and (path.parent / config.begin_with).resolve()
    return config.model_copy(update={"data": data, "begin_with": begin_with})
