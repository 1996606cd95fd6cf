"""A model's card: everything in a bundle but its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor

System = Literal["vid2vid", "pix2pixhd", "pix2pix"]
FirstFrames = Literal["single", "given", "none", "raw"]


class Card(BaseModel):
    """A bundle's metadata.

    Attributes:
        name: for people, at most 200 characters.
        system: decides what the model takes and gives.
        architecture: ``published`` for the networks of the published systems, ``street`` for the
            small one of this project.
        generator: the generator's configuration.
        first: the configuration of vid2vid's single-image generator, None where there is none.
        encoder: the configuration of pix2pixHD's feature encoder, None where there is none.
        first_frames: how a sequence begins (see `vidtrans.sequence.model.Model`).
        label_scheme: the scheme of the label planes, None where these have numbers only.
        training_hw: height and width of the training pictures, pixels, None where not known.
        styles: for each plane, as text, its styles: cluster centres of ``feature_nc`` numbers.
        provenance: where the weights come from.
        licence: theirs.
        options: the published options it was imported with, for export.
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

    @field_validator("name", "label_scheme", "provenance", "licence")
    @classmethod
    def _printable(cls, text: str | None) -> str | None:
        """Without control characters: a terminal would act on them where they are shown."""
        if text is None:
            return None
        return "".join(
            c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text
        )


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model that was read and not yet built.

    Attributes:
        card: its metadata.
        tensors: its tensors by their bundle names (see `vidtrans.model.bundle`).
        where: the file or folder that it was read from, for messages.
    """

    card: Card
    tensors: dict[str, Tensor]
    where: str = ""
