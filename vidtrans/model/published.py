"""The published systems' checkpoint folders, read into a card and tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from vidtrans.errors import ModelError, UsageError
from vidtrans.labels.scheme import load_scheme
from vidtrans.model import infer
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
from vidtrans.model.pickled import read_pth

# The published single-image generators' file names, and the one that a folder of one's own may use.
_SINGLE_NAMES = ("G_single", "G_512", "G_1024", "G_2048")


def read_folder(
    folder: str | PathLike[str],
    *,
    system: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Bundle:
    """A published checkpoint folder: ``latest_net_G.pth``, ``latest_net_G0.pth`` ...,
    ``latest_net_E.pth``, ``opt.txt``, ``features_clustered_010.npy``.

    ``system``: vid2vid, pix2pixHD or pix2pix; None: told by the files. ``options``: under their
    published names; what they leave open is taken from ``opt.txt``, then from the tensors' shapes,
    then from the published defaults. Raises UsageError for a wrong option, ModelError for a folder
    that does not hold such a model.
    """
    place = Path(folder)
    if not place.is_dir():
        what = (
            "is a file, and a folder of checkpoints is needed"
            if place.exists()
            else "does not exist"
        )
        raise ModelError(f"{what}.", where=place)
    wanted = None if system is None else system.lower()
    if wanted is not None and wanted not in KINDS:
        raise UsageError(
            f"there is no system called {system!r}.", hint="Use vid2vid, pix2pixHD or pix2pix."
        )
    given = dict(options or {})
    if wanted is not None:
        parse_options(wanted, given)  # an error of the user's own words comes first
    epoch = str(given.get("which_epoch") or "latest")
    files = _files(place, epoch)
    contents = {name: read_pth(path) for name, path in files.items() if not name.startswith("G_")}
    shapes = {
        name: {n: tuple(t.shape) for n, t in tensors.items()} for name, tensors in contents.items()
    }
    found = infer.system(shapes)
    if wanted is None:
        if found is None:
            raise ModelError(
                f"{_listed(files, epoch)} are no checkpoints of vid2vid, pix2pixHD or pix2pix.",
                where=place,
            )
        wanted = found
    elif found != wanted:
        _refuse_other(place, wanted, found, files, epoch, unet=infer.is_unet(shapes.get("G", {})))

    opt_file = place / "opt.txt"
    said = read_opt_file(opt_file, wanted) if opt_file.is_file() else {}
    checked = parse_options(wanted, given)
    try:
        from_file = parse_options(wanted, said)
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
        wanted, from_file.model_dump(exclude_none=True) | checked.model_dump(exclude_none=True)
    )

    if isinstance(merged, Vid2VidOptions):
        return _vid2vid(place, merged, files, contents, shapes)
    if isinstance(merged, Pix2PixHDOptions):
        return _pix2pixhd(place, merged, contents, shapes)
    return _pix2pix(place, merged, contents, shapes)


def _files(place: Path, epoch: str) -> dict[str, Path]:
    """The folder's checkpoint files by what they hold: G, G0, G1, ..., E, G_single."""
    pattern = re.compile(re.escape(epoch) + r"_net_(G\d{0,2}|E|G_single|G_512|G_1024|G_2048)\.pth")
    files = {}
    for path in sorted(place.iterdir()):
        match = pattern.fullmatch(path.name)
        if match:
            files[match[1]] = path
    if not files:
        raise ModelError(
            f"holds no {epoch}_net_G.pth, {epoch}_net_G0.pth or the like.",
            where=place,
            hint="Another epoch's files are taken with the option which_epoch.",
        )
    return files


def _listed(files: Mapping[str, Path], epoch: str) -> str:
    return ", ".join(f"{epoch}_net_{name}.pth" for name in files)


def _refuse_other(
    place: Path,
    wanted: str,
    found: str | None,
    files: Mapping[str, Path],
    epoch: str,
    *,
    unet: bool,
) -> None:
    needed = "G0" if wanted == "vid2vid" else "G"
    if needed not in files:
        raise ModelError(
            f"{wanted} needs {epoch}_net_{needed}.pth, and the folder holds {_listed(files, epoch)}"
            + (f", a model of {found}." if found else "."),
            where=place,
        )
    # pix2pix's ResNet and pix2pixHD's global generator have the same names.
    if found is not None and (unet or {found, wanted} != {"pix2pix", "pix2pixhd"}):
        raise ModelError(f"holds a model of {found}, and {wanted} was asked for.", where=place)


def _pick(merged: Any, name: str, told: Mapping[str, Any], default: Any = None) -> Any:
    value = getattr(merged, name, None)
    if value is None:
        value = told.get(name)
    return default if value is None else value


def _planes(
    place: Path, merged: Any, planes: int | None, boundary_option: bool | None
) -> tuple[int, bool, int]:
    """label_nc, whether there is a boundary plane, and input_nc, from the options or from the
    ``planes`` of one frame."""
    label_nc, input_nc = merged.label_nc, merged.input_nc
    if label_nc is None:
        # Without the first layer nothing is told: then the check of all tensors names it as
        # missing.
        if planes is None or planes == 36 or (planes == 35 and not boundary_option):
            label_nc = 35
        elif boundary_option is not None and planes > 4:
            label_nc = planes - boundary_option
        elif planes in (1, 3):
            label_nc, input_nc = 0, planes
        else:
            raise ModelError(
                f"a frame has {planes} input planes, and nothing says what they are.",
                where=place,
                hint="Give the options label_nc and use_instance (pix2pixHD: no_instance).",
            )
    if label_nc == 0 and input_nc is None and planes is not None:
        # Nothing tells a picture's last channel from a boundary: four planes are the usual three
        # and a boundary.
        input_nc = planes - (planes == 4 if boundary_option is None else boundary_option)
    input_nc = input_nc or 3
    if boundary_option is None:
        boundary_option = planes is not None and planes == (label_nc or input_nc) + 1
    return label_nc, bool(boundary_option), input_nc


def _vid2vid(
    place: Path,
    merged: Vid2VidOptions,
    files: Mapping[str, Path],
    contents: Mapping[str, dict[str, Tensor]],
    shapes: Mapping[str, infer.Shapes],
) -> Bundle:
    scales = {int(name[1:]): name for name in contents if re.fullmatch(r"G\d+", name)}
    if sorted(scales) != list(range(len(scales))):
        gap = min(set(range(max(scales))) - set(scales))
        raise ModelError(
            f"{merged.which_epoch or 'latest'}_net_G{gap}.pth is missing, and there are files of"
            f" the scales {', '.join(map(str, sorted(scales)))}.",
            where=place,
        )
    if merged.n_scales_spatial is not None and merged.n_scales_spatial != len(scales):
        raise ModelError(
            f"n_scales_spatial is {merged.n_scales_spatial}, and there are {len(scales)} files G0,"
            " G1, ...",
            where=place,
        )
    told = infer.vid2vid({s: shapes[name] for s, name in scales.items()})
    label_nc, boundary, input_nc = _planes(place, merged, told.get("planes"), merged.use_instance)
    generator = {
        "label_nc": label_nc,
        "input_nc": input_nc,
        "output_nc": _pick(merged, "output_nc", told, 3),
        "n_frames": _pick(merged, "n_frames_G", told, 3),
        "use_instance": boundary,
        "flow": not _pick(merged, "no_flow", told, False),
        "foreground": _pick(merged, "fg", told, False),
        "foreground_labels": list(merged.fg_labels or load_scheme("cityscapes").ids("car")),
        "channels": _pick(merged, "ngf", told, 128),
        "downsamplings": _pick(merged, "n_downsample_G", told, 3),
        "blocks": _pick(merged, "n_blocks", told, 9),
        "local_blocks": _pick(merged, "n_blocks_local", told, 3),
        "scales": len(scales),
        "norm": _pick(merged, "norm", told, "batch"),
        "statistics": merged.statistics or "frame",
    }
    tensors = {f"{name}.{n}": t for name in scales.values() for n, t in contents[name].items()}

    first = None
    single = _single_file(place, merged, files)
    if single is not None:
        held = read_pth(single)
        first = _single_config(
            place, merged, {n: tuple(t.shape) for n, t in held.items()}, label_nc, input_nc
        )
        tensors |= {f"first.{n}": t for n, t in held.items()}
    policy = merged.first_frames or (
        "none" if merged.no_first_img else "single" if single is not None else "given"
    )
    return Bundle(
        _card(place, "vid2vid", merged, generator, first=first, first_frames=policy),
        tensors,
        str(place),
    )


def _single_file(place: Path, merged: Vid2VidOptions, files: Mapping[str, Path]) -> Path | None:
    if merged.single is not None and merged.single.file is not None:
        return place / merged.single.file
    if merged.first_frames in ("none", "given") or (
        merged.no_first_img and merged.first_frames is None
    ):
        return None
    candidates = [files[name] for name in _SINGLE_NAMES if name in files]
    if len(candidates) > 1 and candidates[0].name.endswith("G_single.pth") is False:
        names = ", ".join(path.name for path in candidates)
        raise ModelError(
            f"there are several single-image generators: {names}.",
            where=place,
            hint="Name one with the option single: {'file': ...}.",
        )
    if not candidates and merged.first_frames == "single":
        raise ModelError(
            "the single-image generator's file is missing (latest_net_G_single.pth).", where=place
        )
    return candidates[0] if candidates else None


def _single_config(
    place: Path, merged: Vid2VidOptions, shapes: infer.Shapes, label_nc: int, input_nc: int
) -> dict[str, Any]:
    told = infer.pix2pixhd(shapes)
    single = merged.single or SingleOptions()
    local = (single.netG or told["netG"]) == "local"
    enhancers = (told["n_local_enhancers"] or merged.n_local_enhancers or 1) if local else 0
    return {
        "label_nc": label_nc,
        "input_nc": input_nc,
        "output_nc": told.get("output_nc", 3),
        "use_instance": False,
        "channels": single.ngf or told.get("ngf") or 64,
        "downsamplings": (
            told["n_downsample_global"] if single.n_downsampling is None else single.n_downsampling
        ),
        "blocks": told["n_blocks_global"] if single.n_blocks is None else single.n_blocks,
        "local_enhancers": enhancers,
        "local_blocks": told.get("n_blocks_local", 3),
        "norm": told["norm"],
        "stored": infer.stores_statistics(shapes),
        "channel_cap": 1024,
    }


def _pix2pixhd(
    place: Path,
    merged: Pix2PixHDOptions,
    contents: Mapping[str, dict[str, Tensor]],
    shapes: Mapping[str, infer.Shapes],
) -> Bundle:
    told = infer.pix2pixhd(shapes["G"])
    local = _pick(merged, "netG", told) == "local"
    clusters = _cluster_file(place, merged)
    styled = (
        "E" in contents or clusters is not None
        if merged.instance_feat is None and merged.label_feat is None
        else bool(merged.instance_feat or merged.label_feat)
    )
    centres = read_clusters(clusters) if clusters is not None and styled else {}
    coded = infer.encoder(shapes["E"]) if "E" in contents else {}
    if not coded and centres:
        coded = {"feat_num": len(next(iter(centres.values()))[0])}
    feature_nc = _pick(merged, "feat_num", coded, 3) if styled else 0
    planes = told.get("planes")
    boundary = None if merged.no_instance is None else not merged.no_instance
    plain = merged.label_nc or 35
    if (
        styled
        and not coded
        and planes in ((plain, plain + 1) if boundary is None else (plain + boundary,))
    ):
        raise ModelError(
            "the options speak of style features (instance_feat, label_feat), and the generator"
            " takes none.",
            where=place,
        )
    label_nc, boundary, input_nc = _planes(
        place, merged, None if planes is None else planes - feature_nc, boundary
    )
    generator = {
        "label_nc": label_nc,
        "input_nc": input_nc,
        "output_nc": _pick(merged, "output_nc", told, 3),
        "use_instance": boundary,
        "feature_nc": feature_nc,
        "channels": _pick(merged, "ngf", told, 64),
        "downsamplings": _pick(merged, "n_downsample_global", told, 4),
        "blocks": _pick(merged, "n_blocks_global", told, 9),
        "local_enhancers": _pick(merged, "n_local_enhancers", told, 1) if local else 0,
        "local_blocks": _pick(merged, "n_blocks_local", told, 3),
        "norm": _pick(merged, "norm", told, "instance"),
        "statistics": merged.statistics or "frame",
        "stored": infer.stores_statistics(shapes["G"]),
    }
    tensors = {f"G.{n}": t for n, t in contents["G"].items()}
    encoder = None
    if "E" in contents and styled:
        encoder = {
            "input_nc": coded.get("input_nc", 3),
            "feature_nc": feature_nc,
            "channels": _pick(merged, "nef", coded, 16),
            "downsamplings": _pick(merged, "n_downsample_E", coded, 4),
            "norm": infer.norm_kind(shapes["E"]),
            "statistics": merged.statistics or "frame",
            "stored": infer.stores_statistics(shapes["E"]),
            "by_label": bool(merged.label_feat),
        }
        tensors |= {f"E.{n}": t for n, t in contents["E"].items()}
    card = _card(place, "pix2pixhd", merged, generator, encoder=encoder)
    return Bundle(with_styles(card, centres), tensors, str(place))


def _cluster_file(place: Path, merged: Pix2PixHDOptions) -> Path | None:
    """The folder's cluster centres: the file that the options name, else the only one there is."""
    if merged.cluster_path is not None and (place / Path(merged.cluster_path).name).is_file():
        return place / Path(merged.cluster_path).name
    found = sorted(place.glob(PATTERN))
    if len(found) > 1:
        raise ModelError(
            "there are several files of cluster centres:"
            f" {', '.join(path.name for path in found)}.",
            where=place,
            hint="Name one with the option cluster_path.",
        )
    return found[0] if found else None


def _pix2pix(
    place: Path,
    merged: Pix2PixOptions,
    contents: Mapping[str, dict[str, Tensor]],
    shapes: Mapping[str, infer.Shapes],
) -> Bundle:
    told = infer.pix2pix(shapes["G"])
    kind = str(_pick(merged, "netG", told, "unet_256"))
    generator: dict[str, Any] = {
        "input_nc": _pick(merged, "input_nc", told, 3),
        "output_nc": _pick(merged, "output_nc", told, 3),
        "channels": _pick(merged, "ngf", told, 64),
        "norm": _pick(merged, "norm", told, "batch"),
        "stored": infer.stores_statistics(shapes["G"]),
        "dropout": bool(merged.dropout),
    }
    # The published test keeps a batch norm's stored statistics; an instance norm has the frame's
    # own.
    generator["statistics"] = merged.statistics or (
        "running" if generator["norm"] == "batch" else "frame"
    )
    if kind.startswith("unet"):
        downs = (
            merged.num_downs or {"unet_128": 7, "unet_256": 8}.get(kind) or told.get("num_downs", 8)
        )
        generator |= {"kind": "unet", "downsamplings": downs}
    elif re.fullmatch(r"resnet_\d+blocks", kind):
        blocks = int(re.sub(r"\D", "", kind))
        generator |= {
            "kind": "resnet",
            "blocks": blocks,
            "dropout_layers": told.get("dropout_layers", False),
        }
    else:
        raise ModelError(
            f"the generator {kind!r} is not known.",
            where=place,
            hint="Known are unet_128, unet_256 and resnet_9blocks.",
        )
    tensors = {f"G.{n}": t for n, t in contents["G"].items()}
    return Bundle(
        _card(place, "pix2pix", merged, generator, label_scheme=None), tensors, str(place)
    )


def _card(place: Path, system: System, merged: Any, generator: dict[str, Any], **more: Any) -> Card:
    scheme = "cityscapes" if generator.get("label_nc") == 35 else None
    return Card(
        name=place.resolve().name[:200],
        system=system,
        generator=generator,
        options=merged.model_dump(mode="json", exclude_none=True),
        provenance=f"imported from the published checkpoint folder {place.resolve().name}",
        **({"label_scheme": scheme} | more),
    )
