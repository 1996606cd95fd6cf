"""What a model says of itself: everything of a bundle but its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

System = Literal["vid2vid", "pix2pixhd", "pix2pix"]
FirstFrames = Literal["single", "given", "none", "raw"]


class Card(BaseModel):
    """A bundle's metadata.

    ``system`` decides what the model needs and gives; ``architecture`` who built the network:
    ``published`` (the published systems' own) or ``street`` (this project's small one).
    ``generator``, ``first``, ``encoder``: the networks' configurations, None where the model has no
    such network. ``first_frames``: how a sequence begins (see ``vidtrans.sequence.model.Model``).
    ``training_hw``: height and width it was trained at. ``styles``: for a class id (as text) its
    cluster centres, each ``feature_nc`` numbers. ``options``: the published options it was imported
    with, for export.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", max_length=200)
    system: System
    architecture: Literal["published", "street"] = "published"
    generator: dict[str, Any]
    first: dict[str, Any] | None = None
    encoder: dict[str, Any] | None = None
    first_frames: FirstFrames = "none"
    label_scheme: str | None = "cityscapes"
    training_hw: tuple[int, int] | None = None
    styles: dict[str, list[list[float]]] = Field(default_factory=dict)
    provenance: str = ""
    licence: str = ""
    options: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Bundle:
    """A card and its tensors, under their bundle names. ``where``: the file or folder that they
    come from."""

    card: Card
    tensors: dict[str, Tensor]
    where: str = ""
