"""Published options inferred from the names and shapes of a checkpoint's tensors.

The layouts of the published networks are those of Isola et al. 2017 and Wang et al. 2018a and
2018b. What shapes cannot tell is missing from the results.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]
"""The shape of each tensor of a file, by name."""


def _inside(shapes: Shapes, part: str) -> dict[str, tuple[int, ...]]:
    """The tensors of one submodule, under their names within it."""
    return {
        name[len(part) + 1 :]: shape
        for name, shape in shapes.items()
        if name.startswith(part + ".")
    }


def _kernels(shapes: Shapes, size: int | None = None) -> list[tuple[int, ...]]:
    """The shapes [out, in, h, w] of the convolutions outside residual blocks, in order.

    Args:
        shapes: a sequence of layers, named by number.
        size: only kernels of ``size`` x ``size``; None: all.
    """
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
    """``batch`` where any norm has a weight: published instance norms have none."""
    affine = any(name.endswith(".weight") and len(shape) == 1 for name, shape in shapes.items())
    return "batch" if affine else "instance"


def stores_statistics(shapes: Shapes) -> bool:
    """Whether the norms store running statistics."""
    return any(name.endswith("running_mean") for name in shapes)


def vid2vid(scales: Mapping[int, Shapes]) -> dict[str, Any]:
    """Options of a vid2vid generator.

    Args:
        scales: the shapes of each scale's tensors, 0 the coarsest.

    Returns:
        Options by their published names, and ``planes``: input planes of one frame.
    """
    coarsest = scales[0]
    options: dict[str, Any] = {"n_scales_spatial": len(scales), "norm": norm_kind(coarsest)}
    seg = _inside(coarsest, "model_down_seg")
    wide, narrow = _kernels(seg, 7), _kernels(seg, 3)
    options["n_downsample_G"] = len(narrow)
    options["n_blocks"] = _blocks(seg) + _blocks(_inside(coarsest, "model_res_img"))
    options["fg"] = any(name.startswith("indv_down.") for name in coarsest)
    options["no_flow"] = not any(name.startswith("model_final_flow.") for name in coarsest)
    output = _kernels(_inside(coarsest, "model_final_img"), 7)
    options["output_nc"] = output[0][0] if output else 3
    pictures = _kernels(_inside(coarsest, "model_down_img"), 7)
    if pictures and options["output_nc"]:
        options["n_frames_G"] = pictures[0][1] // options["output_nc"] + 1
    if wide:
        options["ngf"] = wide[0][0]
        if options.get("n_frames_G"):
            options["planes"] = wide[0][1] // options["n_frames_G"]
    if len(scales) > 1:
        options["n_blocks_local"] = _blocks(_inside(scales[1], "model_up_img"))
    return options


def pix2pixhd(shapes: Shapes) -> dict[str, Any]:
    """Options of a pix2pixHD global generator, or of local enhancers around one.

    Returns:
        Options by their published names, and ``planes``: input planes.
    """
    model = _inside(shapes, "model")
    enhancers = 0
    while any(name.startswith(f"model{enhancers + 1}_1.") for name in shapes):
        enhancers += 1
    wide, narrow = _kernels(model, 7), _kernels(model, 3)
    options: dict[str, Any] = {
        "netG": "local" if enhancers else "global",
        "n_local_enhancers": enhancers,
        # Down and up alike.
        "n_downsample_global": len(narrow) // 2,
        "n_blocks_global": _blocks(model),
        "norm": norm_kind(shapes),
    }
    if wide:
        options["ngf"] = wide[0][0]
        options["planes"] = wide[0][1]
        options["output_nc"] = wide[-1][0]
    if enhancers:
        last = _kernels(_inside(shapes, f"model{enhancers}_1"), 7)
        options["ngf"] = last[0][0] if last else None
        upper = _inside(shapes, f"model{enhancers}_2")
        options["n_blocks_local"] = _blocks(upper)
        out = _kernels(upper, 7)
        options["output_nc"] = out[0][0] if out else 3
    return options


def encoder(shapes: Shapes) -> dict[str, Any]:
    """Options of pix2pixHD's feature encoder, by their published names."""
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


def is_old_encoder(shapes: Shapes) -> bool:
    """Whether an encoder's last convolution stands where the published one has its padding.

    The published encoder has 4 layers, 3 for each of its down- and upsamplings, the padding, and
    then the convolution.
    """
    model = _inside(shapes, "model")
    places = [
        int(name.split(".")[0])
        for name, shape in model.items()
        if re.fullmatch(r"\d+\.weight", name) and len(shape) == 4 and shape[-1] == 7
    ]
    layers = 4 + 3 * len(_kernels(model, 3))
    return len(places) > 1 and max(places) == layers


def is_unet(shapes: Shapes) -> bool:
    """Whether the names are those of pix2pix's U-Net, the only network of nested modules."""
    return any(name.startswith("model.model.") for name in shapes)


def pix2pix(shapes: Shapes) -> dict[str, Any]:
    """Options of a pix2pix U-Net or ResNet generator.

    Returns:
        Options by their published names, and for a ResNet ``dropout_layers``: whether its blocks
        have one.
    """
    if is_unet(shapes):
        # By the deepest name: a tensor that is missing above it is then reported as missing, and no
        # smaller network is inferred.
        downs = max(name.count("model.") for name in shapes) - 1
        first, last = shapes.get("model.model.0.weight"), shapes.get("model.model.3.weight")
        options: dict[str, Any] = {
            "netG": f"unet_{2**downs}",
            "num_downs": downs,
            "norm": norm_kind(shapes),
        }
        if first is not None and len(first) == 4:
            options |= {"ngf": first[0], "input_nc": first[1]}
        if last is not None and len(last) == 4:
            options["output_nc"] = last[1]
        return options
    model = _inside(shapes, "model")
    wide = _kernels(model, 7)
    blocks = _blocks(model)
    options = {"netG": f"resnet_{blocks}blocks", "norm": norm_kind(shapes)}
    # A dropout layer moves a block's second convolution from 5 to 6.
    options["dropout_layers"] = any(
        re.match(r"\d+\.conv_block\.6\.weight", n) and len(s) == 4 for n, s in model.items()
    )
    if len(wide) > 1:
        options |= {"ngf": wide[0][0], "input_nc": wide[0][1], "output_nc": wide[-1][0]}
    return options


def system(files: Mapping[str, Shapes]) -> str | None:
    """The published system of a checkpoint folder.

    Args:
        files: the shapes of each file's tensors, by what the file holds: ``G``, ``G0``, ``E``.

    Returns:
        ``vid2vid``, ``pix2pixhd`` or ``pix2pix``; None where they are of none of these.
    """
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
    # pix2pix's ResNet takes pictures, so at most 4 planes, and halves and doubles the size twice.
    return "pix2pix" if wide[0][1] <= 4 and len(_kernels(model, 3)) == 4 else "pix2pixhd"
