"""Cards and tensors of the published systems' checkpoints: their options, and what shapes tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidtrans.errors import ModelError, Remedy
from vidtrans.labels.scheme import load_scheme
from vidtrans.model import infer_options
from vidtrans.model.card import Bundle, Card, System
from vidtrans.model.card_styles import with_styles
from vidtrans.model.checkpoint_folder import CheckpointFolder, single_image_files
from vidtrans.model.cluster_file import PATTERN, read_clusters
from vidtrans.model.options import (
    Pix2PixHDOptions,
    Pix2PixOptions,
    SingleOptions,
    Vid2VidOptions,
)
from vidtrans.model.pth_file import read_pth

_SINGLE_NAMES = ("G_single", "G_512", "G_1024", "G_2048")
"""How the files of single-image generators are named: ``G_single`` by `write_folder`, the others by
the published code."""


@dataclass(frozen=True, slots=True)
class _Planes:
    """The input planes of one frame: label planes (0: a picture), whether there is one of
    boundaries, and the channels of a picture."""

    label_nc: int
    boundary: bool
    input_nc: int


def vid2vid_bundle(folder: CheckpointFolder, options: Vid2VidOptions) -> Bundle:
    """The card and the tensors of a vid2vid checkpoint.

    Args:
        folder: the checkpoint.
        options: what the caller and ``opt.txt`` state; the rest is inferred.

    Raises:
        ModelError: a scale's file is missing, or the options contradict the files.
    """
    scales = {int(name[1:]): name for name in folder.tensors if re.fullmatch(r"G\d+", name)}
    if sorted(scales) != list(range(len(scales))):
        gap = min(set(range(max(scales))) - set(scales))
        raise ModelError(
            f"{options.which_epoch or 'latest'}_net_G{gap}.pth is missing, and there are files of"
            f" the scales {', '.join(map(str, sorted(scales)))}.",
            where=folder.directory,
        )
    if options.n_scales_spatial is not None and options.n_scales_spatial != len(scales):
        raise ModelError(
            f"n_scales_spatial is {options.n_scales_spatial}, and there are {len(scales)} files G0,"
            " G1, ...",
            where=folder.directory,
        )
    inferred = infer_options.vid2vid({s: folder.shapes[name] for s, name in scales.items()})
    planes = _input_planes(folder.directory, options, inferred.get("planes"), options.use_instance)
    generator = {
        "label_nc": planes.label_nc,
        "input_nc": planes.input_nc,
        "output_nc": _pick(options, "output_nc", inferred, 3),
        "n_frames": _pick(options, "n_frames_G", inferred, 3),
        "use_instance": planes.boundary,
        "flow": not _pick(options, "no_flow", inferred, False),
        "foreground": _pick(options, "fg", inferred, False),
        "foreground_labels": list(options.fg_labels or load_scheme("cityscapes").ids("car")),
        "channels": _pick(options, "ngf", inferred, 128),
        "downsamplings": _pick(options, "n_downsample_G", inferred, 3),
        "blocks": _pick(options, "n_blocks", inferred, 9),
        "local_blocks": _pick(options, "n_blocks_local", inferred, 3),
        "scales": len(scales),
        "norm": _pick(options, "norm", inferred, "batch"),
        "statistics": options.statistics or "frame",
    }
    tensors = {
        f"{name}.{n}": t for name in scales.values() for n, t in folder.tensors[name].items()
    }

    first = None
    single = _single_file(folder, options)
    if single is not None:
        single_tensors = read_pth(single)
        single_shapes = {n: tuple(t.shape) for n, t in single_tensors.items()}
        first = _single_config(options, single_shapes, planes)
        tensors |= {f"first.{n}": t for n, t in single_tensors.items()}
    policy = options.first_frames or (
        "none" if options.no_first_img else "single" if single is not None else "given"
    )
    return Bundle(
        _card(folder.directory, "vid2vid", options, generator, first=first, first_frames=policy),
        tensors,
        str(folder.directory),
    )


def pix2pixhd_bundle(folder: CheckpointFolder, options: Pix2PixHDOptions) -> Bundle:
    """The card and the tensors of a pix2pixHD checkpoint, with its styles.

    Args:
        folder: the checkpoint.
        options: what the caller and ``opt.txt`` state; the rest is inferred.

    Raises:
        ModelError: the options contradict the files, or there are several files of styles.
    """
    inferred = infer_options.pix2pixhd(folder.shapes["G"])
    local = _pick(options, "netG", inferred) == "local"
    clusters = _cluster_file(folder, options)
    has_features = (
        "E" in folder.tensors or clusters is not None
        if options.instance_feat is None and options.label_feat is None
        else bool(options.instance_feat or options.label_feat)
    )
    centres = read_clusters(clusters) if clusters is not None and has_features else {}
    inferred_encoder = infer_options.encoder(folder.shapes["E"]) if "E" in folder.tensors else {}
    if "E" in folder.tensors and infer_options.is_old_encoder(folder.shapes["E"]):
        raise ModelError(
            "is the encoder of an earlier pix2pixHD: its last convolution is not padded as the"
            " published one's is, and stands one layer earlier.",
            where=folder.files["E"],
            hint="Take it out of the folder; the model's styles can do without it.",
        )
    if not inferred_encoder and centres:
        inferred_encoder = {"feat_num": len(next(iter(centres.values()))[0])}
    feature_nc = _pick(options, "feat_num", inferred_encoder, 3) if has_features else 0
    planes = inferred.get("planes")
    boundary = None if options.no_instance is None else not options.no_instance
    label_planes = options.label_nc or 35
    if (
        has_features
        and not inferred_encoder
        and planes
        in ((label_planes, label_planes + 1) if boundary is None else (label_planes + boundary,))
    ):
        raise ModelError(
            "the option instance_feat or label_feat asks for style features, and the generator"
            " takes none.",
            where=folder.directory,
        )
    inputs = _input_planes(
        folder.directory, options, None if planes is None else planes - feature_nc, boundary
    )
    generator = {
        "label_nc": inputs.label_nc,
        "input_nc": inputs.input_nc,
        "output_nc": _pick(options, "output_nc", inferred, 3),
        "use_instance": inputs.boundary,
        "feature_nc": feature_nc,
        "channels": _pick(options, "ngf", inferred, 64),
        "downsamplings": _pick(options, "n_downsample_global", inferred, 4),
        "blocks": _pick(options, "n_blocks_global", inferred, 9),
        "local_enhancers": _pick(options, "n_local_enhancers", inferred, 1) if local else 0,
        "local_blocks": _pick(options, "n_blocks_local", inferred, 3),
        "norm": _pick(options, "norm", inferred, "instance"),
        "statistics": options.statistics or "frame",
        "stored": infer_options.stores_statistics(folder.shapes["G"]),
    }
    tensors = {f"G.{n}": t for n, t in folder.tensors["G"].items()}
    encoder = None
    if "E" in folder.tensors and has_features:
        encoder = {
            "input_nc": inferred_encoder.get("input_nc", 3),
            "feature_nc": feature_nc,
            "channels": _pick(options, "nef", inferred_encoder, 16),
            "downsamplings": _pick(options, "n_downsample_E", inferred_encoder, 4),
            "norm": infer_options.norm_kind(folder.shapes["E"]),
            "statistics": options.statistics or "frame",
            "stored": infer_options.stores_statistics(folder.shapes["E"]),
            "by_label": bool(options.label_feat),
        }
        tensors |= {f"E.{n}": t for n, t in folder.tensors["E"].items()}
    card = _card(folder.directory, "pix2pixhd", options, generator, encoder=encoder)
    return Bundle(with_styles(card, centres), tensors, str(folder.directory))


def pix2pix_bundle(folder: CheckpointFolder, options: Pix2PixOptions) -> Bundle:
    """The card and the tensors of a pix2pix checkpoint.

    Args:
        folder: the checkpoint.
        options: what the caller and ``opt.txt`` state; the rest is inferred.

    Raises:
        ModelError: the option ``netG`` names an unknown generator.
    """
    inferred = infer_options.pix2pix(folder.shapes["G"])
    kind = str(_pick(options, "netG", inferred, "unet_256"))
    generator: dict[str, Any] = {
        "input_nc": _pick(options, "input_nc", inferred, 3),
        "output_nc": _pick(options, "output_nc", inferred, 3),
        "channels": _pick(options, "ngf", inferred, 64),
        "norm": _pick(options, "norm", inferred, "batch"),
        "stored": infer_options.stores_statistics(folder.shapes["G"]),
        "dropout": bool(options.dropout),
    }
    # The published test keeps a batch norm's stored statistics; an instance norm has the frame's
    # own.
    generator["statistics"] = options.statistics or (
        "running" if generator["norm"] == "batch" else "frame"
    )
    if kind.startswith("unet"):
        downs = (
            options.num_downs
            or {"unet_128": 7, "unet_256": 8}.get(kind)
            or inferred.get("num_downs", 8)
        )
        generator |= {"kind": "unet", "downsamplings": downs}
    elif re.fullmatch(r"resnet_\d+blocks", kind):
        blocks = int(re.sub(r"\D", "", kind))
        generator |= {
            "kind": "resnet",
            "blocks": blocks,
            "dropout_layers": inferred.get("dropout_layers", False),
        }
    else:
        raise ModelError(
            f"the generator netG {kind!r} is unknown.",
            where=folder.directory,
            hint="Known are unet_128, unet_256 and resnet_9blocks.",
        )
    tensors = {f"G.{n}": t for n, t in folder.tensors["G"].items()}
    return Bundle(
        _card(folder.directory, "pix2pix", options, generator, label_scheme=None),
        tensors,
        str(folder.directory),
    )


def _single_file(folder: CheckpointFolder, options: Vid2VidOptions) -> Path | None:
    """The file of the single-image generator, None where first frames are not painted by one."""
    if options.single is not None and options.single.file is not None:
        return folder.directory / options.single.file
    if options.first_frames in ("none", "given") or (
        options.no_first_img and options.first_frames is None
    ):
        return None
    candidates = [folder.files[name] for name in _SINGLE_NAMES if name in folder.files]
    candidates = candidates or single_image_files(folder)
    if len(candidates) > 1 and candidates[0].name.endswith("G_single.pth") is False:
        names = ", ".join(path.name for path in candidates)
        raise ModelError(
            f"there are several single-image generators: {names}.",
            where=folder.directory,
            remedy=Remedy("Name one as the file of {single}."),
        )
    if not candidates and options.first_frames == "single":
        raise ModelError(
            "the single-image generator's file is missing (latest_net_G_single.pth).",
            where=folder.directory,
        )
    return candidates[0] if candidates else None


def _single_config(
    options: Vid2VidOptions, shapes: infer_options.Shapes, planes: _Planes
) -> dict[str, Any]:
    """The configuration of the single-image generator with these tensors."""
    inferred = infer_options.pix2pixhd(shapes)
    single = options.single or SingleOptions()
    local = (single.netG or inferred["netG"]) == "local"
    enhancers = (inferred["n_local_enhancers"] or options.n_local_enhancers or 1) if local else 0
    return {
        "label_nc": planes.label_nc,
        "input_nc": planes.input_nc,
        "output_nc": inferred.get("output_nc", 3),
        "use_instance": False,
        "channels": single.ngf or inferred.get("ngf") or 64,
        "downsamplings": (
            inferred["n_downsample_global"]
            if single.n_downsampling is None
            else single.n_downsampling
        ),
        "blocks": inferred["n_blocks_global"] if single.n_blocks is None else single.n_blocks,
        "local_enhancers": enhancers,
        "local_blocks": inferred.get("n_blocks_local", 3),
        "norm": inferred["norm"],
        "stored": infer_options.stores_statistics(shapes),
        "channel_cap": 1024,
    }


def _cluster_file(folder: CheckpointFolder, options: Pix2PixHDOptions) -> Path | None:
    """The file of cluster centres: the one that the options name, else the only one."""
    if (
        options.cluster_path is not None
        and (folder.directory / Path(options.cluster_path).name).is_file()
    ):
        return folder.directory / Path(options.cluster_path).name
    found = sorted(folder.directory.glob(PATTERN))
    if len(found) > 1:
        raise ModelError(
            "there are several files of cluster centres:"
            f" {', '.join(path.name for path in found)}.",
            where=folder.directory,
            remedy=Remedy("Name one with {cluster_path}."),
        )
    return found[0] if found else None


def _input_planes(
    directory: Path, options: Any, planes: int | None, boundary_option: bool | None
) -> _Planes:
    """The meaning of a frame's input planes.

    Args:
        directory: for messages.
        options: those of the system.
        planes: input planes of one frame, as the first layer has them; None where it is missing.
        boundary_option: whether the options ask for a boundary plane, None where they do not say.

    Raises:
        ModelError: neither the options nor the number of planes tell.
    """
    label_nc, input_nc = options.label_nc, options.input_nc
    if label_nc is None:
        # Where the first layer is missing, the comparison of all tensors reports it.
        if planes is None or planes == 36 or (planes == 35 and not boundary_option):
            label_nc = 35
        elif boundary_option is not None and planes > 4:
            label_nc = planes - boundary_option
        elif planes in (1, 3):
            label_nc, input_nc = 0, planes
        else:
            raise ModelError(
                f"a frame has {planes} input planes, and no option says what they are.",
                where=directory,
                remedy=Remedy(
                    "Give {label_nc} and {use_instance}; a pix2pixHD has {no_instance} for it."
                ),
            )
    if label_nc == 0 and input_nc is None and planes is not None:
        # A picture's fourth channel and a boundary plane have the same shape. Four planes are taken
        # for three channels and a boundary.
        input_nc = planes - (planes == 4 if boundary_option is None else boundary_option)
    input_nc = input_nc or 3
    if boundary_option is None:
        boundary_option = planes is not None and planes == (label_nc or input_nc) + 1
    return _Planes(label_nc, bool(boundary_option), input_nc)


def _pick(options: Any, name: str, inferred: Mapping[str, Any], default: Any = None) -> Any:
    value = getattr(options, name, None)
    if value is None:
        value = inferred.get(name)
    return default if value is None else value


def _card(
    directory: Path, system: System, options: Any, generator: dict[str, Any], **more: Any
) -> Card:
    scheme = "cityscapes" if generator.get("label_nc") == 35 else None
    return Card(
        name=directory.resolve().name[:200],
        system=system,
        generator=generator,
        options=options.model_dump(mode="json", exclude_none=True),
        provenance=f"imported from the published checkpoint folder {directory.resolve().name}",
        **({"label_scheme": scheme} | more),
    )
