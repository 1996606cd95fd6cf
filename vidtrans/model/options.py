"""The published systems' options, under their published names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vidtrans.errors import ModelError, Remedy, UsageError
from vidtrans.untrusted import UntrustedTextError, parse_literal, read_text
from vidtrans.validation import first_problem

_LARGEST_OPT_FILE = 1 << 20
Count = Annotated[int, Field(ge=0, le=4096)]
NormKind = Literal["batch", "instance"]
StatisticsKind = Literal["frame", "running"]


class _Options(BaseModel):
    """Options that all systems have.

    None: the option is inferred from the tensors, or has the published default.
    """

    # An epoch is a text that often looks like a number.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    input_nc: Count | None = None
    output_nc: Count | None = None
    ngf: Count | None = None
    norm: NormKind | None = None
    statistics: StatisticsKind | None = None
    netG: str | None = None  # noqa: N815  # the published name
    which_epoch: str | None = None


class SingleOptions(BaseModel):
    """The single-image generator of vid2vid's first frames.

    ``file`` is its path from the folder. An ``opt.txt``, which comes with a stranger's folder,
    names a file in the folder; a caller any (``../label2city_single/latest_net_G_1024.pth``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    netG: Literal["global", "local"] | None = None  # noqa: N815
    ngf: Count | None = None
    n_downsampling: Count | None = None
    n_blocks: Count | None = None
    file: Annotated[str, Field(min_length=1, max_length=4096)] | None = None


class Vid2VidOptions(_Options):
    """Options of vid2vid (Wang et al. 2018b), and how a sequence begins."""

    label_nc: Count | None = None
    n_frames_G: Count | None = None  # noqa: N815
    use_instance: bool | None = None
    no_flow: bool | None = None
    n_downsample_G: Count | None = None  # noqa: N815
    n_blocks: Count | None = None
    n_blocks_local: Count | None = None
    n_local_enhancers: Count | None = None
    n_scales_spatial: Count | None = None
    fg: bool | None = None
    fg_labels: tuple[Count, ...] | None = None
    no_first_img: bool | None = None
    first_frames: Literal["single", "given", "none"] | None = None
    single: SingleOptions | None = None

    @field_validator("fg_labels", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if isinstance(value, str):
            parts = [part.strip() for part in value.strip("[]() ").split(",") if part.strip()]
            return tuple(int(part) if re.fullmatch(r"\d{1,9}", part) else part for part in parts)
        return (value,) if isinstance(value, int) else value


class Pix2PixHDOptions(_Options):
    """Options of pix2pixHD (Wang et al. 2018a)."""

    label_nc: Count | None = None
    n_downsample_global: Count | None = None
    n_blocks_global: Count | None = None
    n_local_enhancers: Count | None = None
    n_blocks_local: Count | None = None
    no_instance: bool | None = None
    instance_feat: bool | None = None
    label_feat: bool | None = None
    feat_num: Count | None = None
    nef: Count | None = None
    n_downsample_E: Count | None = None  # noqa: N815
    cluster_path: str | None = None


class Pix2PixOptions(_Options):
    """Options of pix2pix (Isola et al. 2017)."""

    num_downs: Count | None = None
    dropout: bool | None = None
    no_dropout: bool | None = None


KINDS: dict[str, type[Vid2VidOptions] | type[Pix2PixHDOptions] | type[Pix2PixOptions]] = {
    "vid2vid": Vid2VidOptions,
    "pix2pixhd": Pix2PixHDOptions,
    "pix2pix": Pix2PixOptions,
}


IMPORT_OPTIONS = frozenset(name for kind in KINDS.values() for name in kind.model_fields)
"""The published names of all options with which a checkpoint folder is read."""


def parse_options(
    system: str, values: Mapping[str, Any]
) -> Vid2VidOptions | Pix2PixHDOptions | Pix2PixOptions:
    """The options of a published system, checked.

    Args:
        system: ``vid2vid``, ``pix2pixhd`` or ``pix2pix``.
        values: by their published names; a text is read as ``opt.txt`` would be.

    Raises:
        UsageError: an option is unknown (the nearest are offered), or its value is wrong.
    """
    values = {
        name: option_value(value) if isinstance(value, str) else value
        for name, value in values.items()
    }
    kind = KINDS[system]
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise UsageError(f"{system} option {first_problem(error, kind)}") from error


def read_opt_file(path: str | PathLike[str], system: str) -> dict[str, Any]:
    """The options in a checkpoint folder's ``opt.txt``, lines of ``name: value``.

    Options of training alone are left out. So is ``which_epoch``, which there is the epoch that
    training was continued from.

    Args:
        path: the file.
        system: as for `parse_options`.

    Raises:
        ModelError: the file cannot be read, is larger than 1 MiB, or names a file elsewhere.
    """
    file = Path(path)
    try:
        text = read_text(file, largest=_LARGEST_OPT_FILE)
    except (OSError, UntrustedTextError) as error:
        raise ModelError(f"cannot be read: {error}.", where=file) from error
    stated: dict[str, Any] = {}
    for line in text.splitlines():
        found = re.match(r"\s*([A-Za-z_]\w*)\s*:(.*)$", line)
        if found is None or found[1] == "which_epoch" or found[1] not in KINDS[system].model_fields:
            continue
        # Later versions of the published code append "[default: ...]".
        stated[found[1]] = option_value(re.sub(r"\[default:.*\]\s*$", "", found[2]).strip())
    single = stated.get("single")
    if isinstance(single, dict) and re.search(r"[/\\:]", str(single.get("file", ""))):
        named = str(single["file"])[:200]
        raise ModelError(
            f"names {named!r} as the single-image generator; a file's name in the folder was"
            " expected.",
            where=file,
            remedy=Remedy("Name a file elsewhere as the file of {single}."),
        )
    if system == "vid2vid" and stated.get("netG") not in (None, "global", "local"):
        # "composite" and "compositeLocal" are training's names; the tensors tell the same.
        del stated["netG"]
    return {name: value for name, value in stated.items() if value is not None and value != ""}


def option_value(text: str) -> Any:
    """What a text in ``opt.txt`` says: a number, a truth value, a list, else the text itself."""
    try:
        return parse_literal(text)
    except UntrustedTextError:
        return text


def contradictions(given: Mapping[str, Any], stated: Mapping[str, Any]) -> list[str]:
    """A sentence for each option that is given and that ``opt.txt`` states otherwise."""
    return [
        f"{name} is given as {value}, and opt.txt says {stated[name]}"
        for name, value in given.items()
        if value is not None and stated.get(name) not in (None, value)
    ]
