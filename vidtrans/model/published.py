"""Checkpoint folders of the published systems, read into a card and tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from vidtrans.errors import ModelError, UsageError
from vidtrans.labels.scheme import load_scheme
from vidtrans.model import infer_options
from vidtrans.model.card import Bundle, Card, System
from vidtrans.model.card_styles import with_styles
from vidtrans.model.cluster_file import PATTERN, read_clusters
from vidtrans.model.options import (
    KINDS,
    Pix2PixHDOptions,
    Pix2PixOptions,
    SingleOptions,
    Vid2VidOptions,
    contradictions,
    parse_options,
    read_opt_file,
)
from vidtrans.model.pth_file import read_pth

_SINGLE_NAMES = ("G_single", "G_512", "G_1024", "G_2048")
"""How the files of single-image generators are named: ``G_single`` by `write_folder`, the others by
the published code."""


def read_folder(
    folder: str | PathLike[str],
    *,
    system: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Bundle:
    """Reads a published checkpoint folder.

    Args:
        folder: it holds ``latest_net_G.pth``, or ``latest_net_G0.pth`` and so on, and, where there
            are any, ``latest_net_E.pth``, ``opt.txt`` and ``features_clustered_010.npy``.
        system: vid2vid, pix2pixHD or pix2pix, in any case. None: the one that the files are of.
        options: by their published names. What they leave open is taken from ``opt.txt``, then from
            the tensors' shapes, then from the published defaults.

    Raises:
        UsageError: the system or an option is unknown, or an option's value is wrong.
        ModelError: the folder holds no such model, or ``opt.txt`` contradicts the options.
    """
    directory = Path(folder)
    if not directory.is_dir():
        what = (
            "is a file, and a folder of checkpoints is needed"
            if directory.exists()
            else "does not exist"
        )
        raise ModelError(f"{what}.", where=directory)
    asked = None if system is None else system.lower()
    if asked is not None and asked not in KINDS:
        raise UsageError(
            f"there is no system called {system!r}.", hint="Use vid2vid, pix2pixHD or pix2pix."
        )
    given = dict(options or {})
    if asked is not None:
        parse_options(asked, given)  # what the caller wrote is checked before the files
    epoch = str(given.get("which_epoch") or "latest")
    files = _files(directory, epoch)
    contents = {name: read_pth(path) for name, path in files.items() if not name.startswith("G_")}
    shapes = {
        name: {n: tuple(t.shape) for n, t in tensors.items()} for name, tensors in contents.items()
    }
    found = infer_options.system(shapes)
    if asked is None:
        if found is None:
            raise ModelError(
                f"{_listed(files, epoch)} are no checkpoints of vid2vid, pix2pixHD or pix2pix.",
                where=directory,
            )
        asked = found
    elif found != asked:
        _refuse_other(
            directory, asked, found, files, epoch, unet=infer_options.is_unet(shapes.get("G", {}))
        )

    opt_file = directory / "opt.txt"
    stated = read_opt_file(opt_file, asked) if opt_file.is_file() else {}
    checked = parse_options(asked, given)
    try:
        from_file = parse_options(asked, stated)
    except UsageError as error:
        raise ModelError(error.message, where=opt_file) from error
    against = contradictions(
        checked.model_dump(exclude_none=True), from_file.model_dump(exclude_none=True)
    )
    if against:
        raise ModelError(
            f"{'; '.join(against)}.",
            where=opt_file,
            hint="Leave the option out, or correct the file.",
        )
    merged = parse_options(
        asked, from_file.model_dump(exclude_none=True) | checked.model_dump(exclude_none=True)
    )

    if isinstance(merged, Vid2VidOptions):
        return _vid2vid(directory, merged, files, contents, shapes)
    if isinstance(merged, Pix2PixHDOptions):
        return _pix2pixhd(directory, merged, contents, shapes)
    return _pix2pix(directory, merged, contents, shapes)


def _files(directory: Path, epoch: str) -> dict[str, Path]:
    """The checkpoint files by what they hold: ``G``, ``G0``, ``G1``, ..., ``E``, ``G_single``."""
    pattern = re.compile(re.escape(epoch) + r"_net_(G\d{0,2}|E|G_single|G_512|G_1024|G_2048)\.pth")
    files = {}
    for path in sorted(directory.iterdir()):
        match = pattern.fullmatch(path.name)
        if match:
            files[match[1]] = path
    if not files:
        raise ModelError(
            f"holds no {epoch}_net_G.pth, {epoch}_net_G0.pth or the like.",
            where=directory,
            hint="Another epoch's files are taken with the option which_epoch.",
        )
    return files


def _listed(files: Mapping[str, Path], epoch: str) -> str:
    return ", ".join(f"{epoch}_net_{name}.pth" for name in files)


def _refuse_other(
    directory: Path,
    asked: str,
    found: str | None,
    files: Mapping[str, Path],
    epoch: str,
    *,
    unet: bool,
) -> None:
    needed = "G0" if asked == "vid2vid" else "G"
    if needed not in files:
        raise ModelError(
            f"{asked} needs {epoch}_net_{needed}.pth, and the folder holds {_listed(files, epoch)}"
            + (f", a model of {found}." if found else "."),
            where=directory,
        )
    # pix2pix's ResNet and pix2pixHD's global generator have the same names.
    if found is not None and (unet or {found, asked} != {"pix2pix", "pix2pixhd"}):
        raise ModelError(f"holds a model of {found}, and {asked} was asked for.", where=directory)


def _pick(options: Any, name: str, inferred: Mapping[str, Any], default: Any = None) -> Any:
    value = getattr(options, name, None)
    if value is None:
        value = inferred.get(name)
    return default if value is None else value


def _planes(
    directory: Path, options: Any, planes: int | None, boundary_option: bool | None
) -> tuple[int, bool, int]:
    """The meaning of a frame's input planes.

    Args:
        directory: for messages.
        options: those of the system.
        planes: input planes of one frame, as the first layer has them; None where it is missing.
        boundary_option: whether the options ask for a boundary plane, None where they do not say.

    Returns:
        label_nc, whether there is a boundary plane, and input_nc.
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
                hint="Give the options label_nc and use_instance (pix2pixHD: no_instance).",
            )
    if label_nc == 0 and input_nc is None and planes is not None:
        # A picture's fourth channel and a boundary plane have the same shape. Four planes are taken
        # for three channels and a boundary.
        input_nc = planes - (planes == 4 if boundary_option is None else boundary_option)
    input_nc = input_nc or 3
    if boundary_option is None:
        boundary_option = planes is not None and planes == (label_nc or input_nc) + 1
    return label_nc, bool(boundary_option), input_nc


def _vid2vid(
    directory: Path,
    options: Vid2VidOptions,
    files: Mapping[str, Path],
    contents: Mapping[str, dict[str, Tensor]],
    shapes: Mapping[str, infer_options.Shapes],
) -> Bundle:
    scales = {int(name[1:]): name for name in contents if re.fullmatch(r"G\d+", name)}
    if sorted(scales) != list(range(len(scales))):
        gap = min(set(range(max(scales))) - set(scales))
        raise ModelError(
            f"{options.which_epoch or 'latest'}_net_G{gap}.pth is missing, and there are files of"
            f" the scales {', '.join(map(str, sorted(scales)))}.",
            where=directory,
        )
    if options.n_scales_spatial is not None and options.n_scales_spatial != len(scales):
        raise ModelError(
            f"n_scales_spatial is {options.n_scales_spatial}, and there are {len(scales)} files G0,"
            " G1, ...",
            where=directory,
        )
    inferred = infer_options.vid2vid({s: shapes[name] for s, name in scales.items()})
    label_nc, boundary, input_nc = _planes(
        directory, options, inferred.get("planes"), options.use_instance
    )
    generator = {
        "label_nc": label_nc,
        "input_nc": input_nc,
        "output_nc": _pick(options, "output_nc", inferred, 3),
        "n_frames": _pick(options, "n_frames_G", inferred, 3),
        "use_instance": boundary,
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
    tensors = {f"{name}.{n}": t for name in scales.values() for n, t in contents[name].items()}

    first = None
    single = _single_file(directory, options, files)
    if single is not None:
        single_tensors = read_pth(single)
        first = _single_config(
            directory,
            options,
            {n: tuple(t.shape) for n, t in single_tensors.items()},
            label_nc,
            input_nc,
        )
        tensors |= {f"first.{n}": t for n, t in single_tensors.items()}
    policy = options.first_frames or (
        "none" if options.no_first_img else "single" if single is not None else "given"
    )
    return Bundle(
        _card(directory, "vid2vid", options, generator, first=first, first_frames=policy),
        tensors,
        str(directory),
    )


def _single_file(
    directory: Path, options: Vid2VidOptions, files: Mapping[str, Path]
) -> Path | None:
    if options.single is not None and options.single.file is not None:
        return directory / options.single.file
    if options.first_frames in ("none", "given") or (
        options.no_first_img and options.first_frames is None
    ):
        return None
    candidates = [files[name] for name in _SINGLE_NAMES if name in files]
    if len(candidates) > 1 and candidates[0].name.endswith("G_single.pth") is False:
        names = ", ".join(path.name for path in candidates)
        raise ModelError(
            f"there are several single-image generators: {names}.",
            where=directory,
            hint="Name one with the option single: {'file': ...}.",
        )
    if not candidates and options.first_frames == "single":
        raise ModelError(
            "the single-image generator's file is missing (latest_net_G_single.pth).",
            where=directory,
        )
    return candidates[0] if candidates else None


def _single_config(
    directory: Path,
    options: Vid2VidOptions,
    shapes: infer_options.Shapes,
    label_nc: int,
    input_nc: int,
) -> dict[str, Any]:
    inferred = infer_options.pix2pixhd(shapes)
    single = options.single or SingleOptions()
    local = (single.netG or inferred["netG"]) == "local"
    enhancers = (inferred["n_local_enhancers"] or options.n_local_enhancers or 1) if local else 0
    return {
        "label_nc": label_nc,
        "input_nc": input_nc,
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


def _pix2pixhd(
    directory: Path,
    options: Pix2PixHDOptions,
    contents: Mapping[str, dict[str, Tensor]],
    shapes: Mapping[str, infer_options.Shapes],
) -> Bundle:
    inferred = infer_options.pix2pixhd(shapes["G"])
    local = _pick(options, "netG", inferred) == "local"
    clusters = _cluster_file(directory, options)
    has_features = (
        "E" in contents or clusters is not None
        if options.instance_feat is None and options.label_feat is None
        else bool(options.instance_feat or options.label_feat)
    )
    centres = read_clusters(clusters) if clusters is not None and has_features else {}
    inferred_encoder = infer_options.encoder(shapes["E"]) if "E" in contents else {}
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
            where=directory,
        )
    label_nc, boundary, input_nc = _planes(
        directory, options, None if planes is None else planes - feature_nc, boundary
    )
    generator = {
        "label_nc": label_nc,
        "input_nc": input_nc,
        "output_nc": _pick(options, "output_nc", inferred, 3),
        "use_instance": boundary,
        "feature_nc": feature_nc,
        "channels": _pick(options, "ngf", inferred, 64),
        "downsamplings": _pick(options, "n_downsample_global", inferred, 4),
        "blocks": _pick(options, "n_blocks_global", inferred, 9),
        "local_enhancers": _pick(options, "n_local_enhancers", inferred, 1) if local else 0,
        "local_blocks": _pick(options, "n_blocks_local", inferred, 3),
        "norm": _pick(options, "norm", inferred, "instance"),
        "statistics": options.statistics or "frame",
        "stored": infer_options.stores_statistics(shapes["G"]),
    }
    tensors = {f"G.{n}": t for n, t in contents["G"].items()}
    encoder = None
    if "E" in contents and has_features:
        encoder = {
            "input_nc": inferred_encoder.get("input_nc", 3),
            "feature_nc": feature_nc,
            "channels": _pick(options, "nef", inferred_encoder, 16),
            "downsamplings": _pick(options, "n_downsample_E", inferred_encoder, 4),
            "norm": infer_options.norm_kind(shapes["E"]),
            "statistics": options.statistics or "frame",
            "stored": infer_options.stores_statistics(shapes["E"]),
            "by_label": bool(options.label_feat),
        }
        tensors |= {f"E.{n}": t for n, t in contents["E"].items()}
    card = _card(directory, "pix2pixhd", options, generator, encoder=encoder)
    return Bundle(with_styles(card, centres), tensors, str(directory))


def _cluster_file(directory: Path, options: Pix2PixHDOptions) -> Path | None:
    """The file of cluster centres: the one that the options name, else the only one."""
    if options.cluster_path is not None and (directory / Path(options.cluster_path).name).is_file():
        return directory / Path(options.cluster_path).name
    found = sorted(directory.glob(PATTERN))
    if len(found) > 1:
        raise ModelError(
            "there are several files of cluster centres:"
            f" {', '.join(path.name for path in found)}.",
            where=directory,
            hint="Name one with the option cluster_path.",
        )
    return found[0] if found else None


def _pix2pix(
    directory: Path,
    options: Pix2PixOptions,
    contents: Mapping[str, dict[str, Tensor]],
    shapes: Mapping[str, infer_options.Shapes],
) -> Bundle:
    inferred = infer_options.pix2pix(shapes["G"])
    kind = str(_pick(options, "netG", inferred, "unet_256"))
    generator: dict[str, Any] = {
        "input_nc": _pick(options, "input_nc", inferred, 3),
        "output_nc": _pick(options, "output_nc", inferred, 3),
        "channels": _pick(options, "ngf", inferred, 64),
        "norm": _pick(options, "norm", inferred, "batch"),
        "stored": infer_options.stores_statistics(shapes["G"]),
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
            where=directory,
            hint="Known are unet_128, unet_256 and resnet_9blocks.",
        )
    tensors = {f"G.{n}": t for n, t in contents["G"].items()}
    return Bundle(
        _card(directory, "pix2pix", options, generator, label_scheme=None), tensors, str(directory)
    )


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
