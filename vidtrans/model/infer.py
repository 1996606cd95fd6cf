"""A network's configuration read off its tensors' names and shapes, as far as they tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


def _inside(shapes: Shapes, part: str) -> dict[str, tuple[int, ...]]:
    """The tensors of one submodule, under their names within it."""
    return {
        name[len(part) + 1 :]: shape
        for name, shape in shapes.items()
        if name.startswith(part + ".")
    }


def _kernels(shapes: Shapes, size: int | None = None) -> list[tuple[int, ...]]:
    """Shapes of the convolutions that are no residual block's, in order; of ``size`` x ``size``
    where it is given."""
    found = [
        (int(name.split(".")[0]), shape)
        for name, shape in shapes.items()
        if re.fullmatch(r"\d+\.weight", name)
        and len(shape) == 4
        and (size is None or shape[-1] == size)
    ]
    return [shape for _, shape in sorted(found)]


def _blocks(shapes: Shapes) -> int:
    return len({name.split(".")[0] for name in shapes if re.match(r"\d+\.conv_block\.", name)})


def norm_kind(shapes: Shapes) -> str:
    """``batch`` where any norm has a weight, else ``instance``."""
    affine = any(name.endswith(".weight") and len(shape) == 1 for name, shape in shapes.items())
    return "batch" if affine else "instance"


def stores_statistics(shapes: Shapes) -> bool:
    return any(name.endswith("running_mean") for name in shapes)


def vid2vid(scales: Mapping[int, Shapes]) -> dict[str, Any]:
    """Published options of a vid2vid generator from its scales' tensors (0 the coarsest)."""
    coarsest = scales[0]
    said: dict[str, Any] = {"n_scales_spatial": len(scales), "norm": norm_kind(coarsest)}
    seg = _inside(coarsest, "model_down_seg")
    wide, narrow = _kernels(seg, 7), _kernels(seg, 3)
    said["n_downsample_G"] = len(narrow)
    said["n_blocks"] = _blocks(seg) + _blocks(_inside(coarsest, "model_res_img"))
    said["fg"] = any(name.startswith("indv_down.") for name in coarsest)
    said["no_flow"] = not any(name.startswith("model_final_flow.") for name in coarsest)
    output = _kernels(_inside(coarsest, "model_final_img"), 7)
    said["output_nc"] = output[0][0] if output else 3
    pictures = _kernels(_inside(coarsest, "model_down_img"), 7)
    if pictures and said["output_nc"]:
        said["n_frames_G"] = pictures[0][1] // said["output_nc"] + 1
    if wide:
        said["ngf"] = wide[0][0]
        if said.get("n_frames_G"):
            said["planes"] = wide[0][1] // said["n_frames_G"]
    if len(scales) > 1:
        said["n_blocks_local"] = _blocks(_inside(scales[1], "model_up_img"))
    return said


def pix2pixhd(shapes: Shapes) -> dict[str, Any]:
    """Published options of a global generator or of local enhancers around one."""
    model = _inside(shapes, "model")
    enhancers = 0
    while any(name.startswith(f"model{enhancers + 1}_1.") for name in shapes):
        enhancers += 1
    wide, narrow = _kernels(model, 7), _kernels(model, 3)
    said: dict[str, Any] = {
        "netG": "local" if enhancers else "global",
        "n_local_enhancers": enhancers,
        # Down and up alike.
        "n_downsample_global": len(narrow) // 2,
        "n_blocks_global": _blocks(model),
        "norm": norm_kind(shapes),
    }
    if wide:
        said["ngf"] = wide[0][0]
        said["planes"] = wide[0][1]
        said["output_nc"] = wide[-1][0]
    if enhancers:
        last = _kernels(_inside(shapes, f"model{enhancers}_1"), 7)
        said["ngf"] = last[0][0] if last else None
        upper = _inside(shapes, f"model{enhancers}_2")
        said["n_blocks_local"] = _blocks(upper)
        out = _kernels(upper, 7)
        said["output_nc"] = out[0][0] if out else 3
    return said


def encoder(shapes: Shapes) -> dict[str, Any]:
    model = _inside(shapes, "model")
    wide, narrow = _kernels(model, 7), _kernels(model, 3)
    if len(wide) < 2:
        return {}
    return {
        "nef": wide[0][0],
        "feat_num": wide[-1][0],
        "n_downsample_E": len(narrow) // 2,
        "input_nc": wide[0][1],
    }


def is_unet(shapes: Shapes) -> bool:
    """Whether these are the names of pix2pix's U-Net, which no other system has."""
    return any(name.startswith("model.model.") for name in shapes)


def pix2pix(shapes: Shapes) -> dict[str, Any]:
    """Published options of a U-Net or a ResNet generator."""
    if is_unet(shapes):
        # By the deepest name, so that a tensor that is missing on the way is missed, and no smaller
        # network is seen.
        downs = max(name.count("model.") for name in shapes) - 1
        first, last = shapes.get("model.model.0.weight"), shapes.get("model.model.3.weight")
        said: dict[str, Any] = {
            "netG": f"unet_{2**downs}",
            "num_downs": downs,
            "norm": norm_kind(shapes),
        }
        if first is not None and len(first) == 4:
            said |= {"ngf": first[0], "input_nc": first[1]}
        if last is not None and len(last) == 4:
            said["output_nc"] = last[1]
        return said
    model = _inside(shapes, "model")
    wide = _kernels(model, 7)
    blocks = _blocks(model)
    said = {"netG": f"resnet_{blocks}blocks", "norm": norm_kind(shapes)}
    # A dropout layer moves a block's second convolution from 5 to 6.
    said["dropout_layers"] = any(
        re.match(r"\d+\.conv_block\.6\.weight", n) and len(s) == 4 for n, s in model.items()
    )
    if len(wide) > 1:
        said |= {"ngf": wide[0][0], "input_nc": wide[0][1], "output_nc": wide[-1][0]}
    return said


def system(files: Mapping[str, Shapes]) -> str | None:
    """Which published system the files (``G``, ``G0``, ``E``, ...) belong to, None where they
    tell nothing."""
    if any(re.fullmatch(r"G\d+", name) for name in files):
        return "vid2vid"
    shapes = files.get("G", {})
    if "E" in files or any(re.match(r"model\d+_1\.", name) for name in shapes):
        return "pix2pixhd"
    if is_unet(shapes):
        return "pix2pix"
    model = _inside(shapes, "model")
    wide = _kernels(model, 7)
    if not wide:
        return None
    # pix2pix's ResNet paints from pictures and halves twice.
    return "pix2pix" if wide[0][1] <= 4 and len(_kernels(model, 3)) == 4 else "pix2pixhd"
