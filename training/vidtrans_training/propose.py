"""Settings for a data set that was looked at: what ``vidtrans-train init`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vidtrans.errors import InputError
from vidtrans_training.check import DataReport, read_everything
from vidtrans_training.datasets.layouts import find_layout
from vidtrans_training.datasets.material import Material, open_material
from vidtrans_training.datasets.sources import Layout
from vidtrans_training.options import System
from vidtrans_training.settings import (
    FINE_SIZES,
    LOAD_SIZES,
    VERSION,
    TrainingSettings,
    parse_settings,
    placed_scheme,
)

LOOK_AT = 48
"""Frames that are read to find sizes and classes, from all over the data set."""
PUBLISHED_PLANES = {"cityscapes": 35}
"""Label planes that published models of a scheme have, where they are more than its ids."""
_FEW_SEQUENCES = 100
"""With fewer sequences an epoch visits each as often as shows about every frame once; the published
epochs, one visit each, suit Cityscapes' thousands."""
_IN_COLOURS = ("pix2pix", "pix2pix-folders", "folders-ab", "cityscapes", "world")
"""Layouts in which what pix2pix translates is no label map of ids."""
_SEQUENCE_MULTIPLE = 32
_NOTED = 20
"""Notes that a file of settings holds at most."""


@dataclass(frozen=True)
class Line:
    """One setting with what the file says of it."""

    section: str
    name: str
    value: Any
    why: str


@dataclass(frozen=True)
class Proposal:
    """Settings that suit a data set.

    Args:
        settings: The settings.
        lines: Those that are written, in order.
        report: What was read.
        notes: What could not be understood or a person should know, one sentence each.
    """

    settings: TrainingSettings
    lines: tuple[Line, ...]
    report: DataReport
    notes: tuple[str, ...]


def propose(system: System, root: Path, *, labels: str = "auto", phase: str = "train") -> Proposal:
    """Look at a data set and choose settings for it.

    Args:
        system: What will be trained.
        root: The data set.
        labels: How label maps are read, as ``vidtrans convert --labels`` takes it.
        phase: The part of the data set.

    Raises:
        InputError: There is no data, or labels cannot be read that the system needs.
    """
    pictures = system == "pix2pix"
    layout = find_layout(root, phase=phase, condition="pictures" if pictures else "labels")
    notes = [*layout.notes, *(str(problem) for problem in layout.problems)]
    material, refused = _opened(system, layout, labels)
    if refused is not None:
        notes.append(f"The labels are taken for pictures (label_nc = 0): {refused}")
    report = read_everything(_few(material))
    notes.extend(str(problem) for problem in report.problems if problem not in layout.problems)
    if not report.sizes:
        raise InputError("no frame can be read.", where=root, hint=notes[-1] if notes else None)
    need = {"vid2vid": 3, "street": 2}.get(system, 1)
    longest = max(map(len, layout.sequences))
    if longest < need:
        raise InputError(
            f"{system} learns from sequences of {need} frames at least; the longest here has"
            f" {longest}.",
            where=root,
            hint="Number consecutive frames one after the other, or train pix2pixhd.",
        )
    if len(report.sizes) > 1:
        shown = ", ".join(f"{w}x{h}" for (h, w), _ in report.sizes[:4])
        notes.append(f"Pictures have {len(report.sizes)} sizes: {shown}.")
    if report.labels is not None:
        notes.extend(report.labels.notes())
    if material.detection is not None:
        notes.extend(material.detection.warnings)
    elif system == "pix2pix" and layout.kind not in _IN_COLOURS:
        notes.append(
            "pix2pix translates pictures: label maps of ids are nearly black. Give it label maps in"
            " colours, or train pix2pixhd, which takes ids."
        )
    if len(notes) > _NOTED:
        notes[_NOTED:] = [f"There is more to know: vidtrans-train check {root} tells all."]
    lines = tuple(_lines(system, layout, material, report, labels))
    return Proposal(_settings_of(system, lines), lines, report, tuple(notes))


def fit_memory(proposal: Proposal, available: tuple[int, str]) -> tuple[Proposal, list[str]]:
    """Make a proposal fit into memory at the size that it has.

    Args:
        proposal: The settings.
        available: Bytes that there are, and whose they are.

    Returns:
        The proposal, with recomputed activations and chunks of one frame where only that fits; and
        sentences on what it takes.
    """
    from vidtrans_training.memory import estimate_memory

    size_hw, _ = proposal.report.sizes[0]
    sample_hw = proposal.settings.transform.size_of(size_hw)
    estimate = estimate_memory(proposal.settings, sample_hw)
    measures: list[tuple[str, Any]] = [("checkpointing", True)]
    if proposal.settings.history is not None:
        measures.append(("max_frames_per_gpu", 1))
    for name, value in measures:
        if estimate.total <= available[0]:
            break
        proposal = _changed(proposal, name, value)
        estimate = estimate_memory(proposal.settings, sample_hw)
    total, whose = available
    told = [f"Memory: {estimate}.", f"There are {total / 1e9:.0f} GB on {whose}."]
    if estimate.total > total:
        told.append("That is too little: choose a smaller load_size, or fewer channels (ngf).")
    return proposal, told


def _changed(proposal: Proposal, name: str, value: Any) -> Proposal:
    """The proposal with another value in one of its lines."""
    lines = tuple(
        replace(line, value=value) if line.name == name else line for line in proposal.lines
    )
    return replace(proposal, lines=lines, settings=_settings_of(proposal.settings.system, lines))


def _settings_of(system: System, lines: Sequence[Line]) -> TrainingSettings:
    content: dict[str, Any] = {"version": VERSION, "system": system}
    for line in lines:
        content.setdefault(line.section, {})[line.name] = line.value
    return parse_settings(content)


def _opened(system: System, layout: Layout, labels: str) -> tuple[Material, InputError | None]:
    if system == "pix2pix":
        return open_material(layout, label_nc=0), None
    try:
        return open_material(layout, labels=labels, unknown_ids="unlabeled"), None
    except InputError as error:
        if system == "street" or labels != "auto" or not layout.frames:
            raise
        return open_material(layout, label_nc=0), error


def _few(material: Material) -> Material:
    """The material with some frames only, from all over it; sequences keep their number."""
    share = max(1, material.layout.frames // LOOK_AT)
    clips = [replace(clip, frames=clip.frames[::share]) for clip in material.sequences]
    every = max(1, len(clips) // LOOK_AT)
    return replace(material, layout=replace(material.layout, sequences=tuple(clips[::every])))


def _lines(
    system: System, layout: Layout, material: Material, report: DataReport, labels: str
) -> Sequence[Line]:
    lines = [
        Line(
            "data",
            "root",
            str(layout.root.resolve()),
            f"{layout.frames} frames in {len(layout.sequences)} sequences",
        ),
        Line("data", "layout", layout.kind, "see docs/training.md for all layouts"),
    ]
    planes = 0
    if material.detection is not None:
        scheme = material.detection.scheme
        named = str(material.detection)
        if labels != "auto":  # a palette file is named by its path
            named = placed_scheme(labels, Path.cwd())
        lines.append(Line("data", "labels", named, material.detection.reasons[0]))
        planes = PUBLISHED_PLANES.get(
            scheme.name, 1 + max(entry.id for entry in scheme.classes if entry.id < 255)
        )
    (height, width), _ = report.sizes[0]
    lines.extend(_size_lines(system, height, width))
    lines.append(Line("data", "flip", True, "mirror every other sample"))
    if system in ("vid2vid", "street"):
        lines.extend(_sequence_lines(layout, width))
    if system != "pix2pix":
        lines.append(
            Line("options", "label_nc", planes, "label planes of the network; 0: pictures")
        )
    if system == "pix2pixhd":
        lines.append(
            Line("options", "no_instance", not layout.has_instances, _told_instances(layout))
        )
    if system == "vid2vid":
        lines.append(Line("options", "use_instance", layout.has_instances, _told_instances(layout)))
    lines.extend(_network_lines(system, layout, min(height, width)))
    half = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    lines.append(
        Line("run", "precision", "bf16" if half else "fp32", "bf16 on a GPU of 2020 or later")
    )
    lines.append(Line("run", "checkpointing", False, "true takes less memory and more time"))
    return lines


def _told_instances(layout: Layout) -> str:
    return (
        "every frame has an instance map"
        if layout.has_instances
        else "there is not an instance map for every frame"
    )


def _size_lines(system: System, height: int, width: int) -> list[Line]:
    stored = f"pictures are {width}x{height}"
    if system == "pix2pix":
        crop = _unet_size(min(height, width))
        load = round(crop * LOAD_SIZES["pix2pix"] / FINE_SIZES["pix2pix"])
        return [
            Line("data", "resize_or_crop", "resize_and_crop", "the published kind"),
            Line("data", "load_size", load, stored),
            Line("data", "fine_size", crop, "side of the random crop"),
        ]
    kind = "scale_width" if system == "pix2pixhd" else "scaleWidth"
    step = _SEQUENCE_MULTIPLE
    load = max(step, min(LOAD_SIZES[system], width) // step * step)
    return [
        Line("data", "resize_or_crop", kind, "the whole picture, scaled to load_size"),
        Line("data", "load_size", load, f"width; {stored}"),
    ]


def _unet_size(side: int) -> int:
    """The largest U-Net that fits into pictures of this side."""
    return next((size for size in (256, 128, 64) if size <= side), 32)


def _sequence_lines(layout: Layout, width: int) -> list[Line]:
    lengths = sorted(map(len, layout.sequences))
    visits = 1
    if len(lengths) < _FEW_SEQUENCES:
        visits = max(1, round(layout.frames / (len(lengths) * _FRAMES_TOTAL)))
    teacher = "exact" if layout.has_flow else "dis"
    return [
        Line("data", "visits", visits, "an epoch visits each sequence so often"),
        Line("data", "flow", teacher, "exact, dis (OpenCV) or raft (needs torchvision)"),
    ]


_TOLD_VGG = "VGG19's weights are downloaded once, or named by run.vgg"
_FRAMES_TOTAL = 6
"""Frames of a sequence at first, as published for one GPU."""


def _network_lines(system: System, layout: Layout, side: int) -> list[Line]:
    if system == "pix2pix":
        return [
            Line("options", "netG", f"unet_{_unet_size(side)}", "halves its input to one pixel"),
            Line("options", "n_epochs", 100, "epochs at full rate"),
            Line("options", "n_epochs_decay", 100, "epochs in which the rate falls to zero"),
        ]
    longest = max(map(len, layout.sequences), default=0)
    epochs = [
        Line("options", "niter", 100 if system == "pix2pixhd" else 10, "epochs at full rate"),
        Line("options", "niter_decay", 100 if system == "pix2pixhd" else 10, "epochs of decay"),
    ]
    if system == "pix2pixhd":
        return [
            *epochs,
            Line(
                "options", "no_vgg_loss", False, "VGG19's weights are downloaded once, or run.vgg"
            ),
        ]
    history = 2 if system == "vid2vid" else 1
    scales = sum(longest - history > 2 * 3**scale for scale in range(2))
    return [
        *epochs,
        *(
            [Line("options", "n_downsample_G", 2, "as published for one GPU")]
            if system == "vid2vid"
            else []
        ),
        Line("options", "n_frames_total", _FRAMES_TOTAL, "frames of a sequence; doubles with time"),
        Line("options", "max_frames_per_gpu", 2, "frames of a chunk: as many as fit"),
        Line("options", "n_scales_temporal", scales, f"the longest sequence has {longest} frames"),
        Line("options", "no_vgg", False, _TOLD_VGG),
    ]


def as_toml(proposal: Proposal, *, facts: Sequence[str] = ()) -> str:
    """A commented file of settings.

    Args:
        proposal: What to write.
        facts: Further sentences for its head, such as the estimate of memory.
    """
    settings, report = proposal.settings, proposal.report
    head = [
        f"Settings of a {settings.system} run, made by vidtrans-train init. Start it with",
        f"    vidtrans-train {settings.system} --config THIS_FILE --out RUN",
        "What is not said here has its default; docs/training.md names every setting.",
        "",
        *facts,
    ]
    if report.labels is not None:
        head.append(f"Classes found in {report.labels.frames} label maps:")
        head.extend(
            f"  {entry.id:>5}  {entry.name:<24} {entry.share:>8.3%}"
            for entry in report.labels.classes
        )
    if proposal.notes:
        head.append("What was not understood, or should be known:")
        head.extend(f"  - {note}" for note in proposal.notes)
    lines = [f"# {line}".rstrip() for text in head for line in text.splitlines() or [""]]
    lines += ["", f"version = {VERSION}", f'system = "{settings.system}"']
    section = ""
    for line in proposal.lines:
        if line.section != section:
            section = line.section
            lines += ["", f"[{section}]"]
        written = f"{line.name} = {as_toml_value(line.value)}"
        lines.append(f"{written:<40} # {line.why}")
    return "\n".join(lines) + "\n"


def as_toml_value(value: Any) -> str:
    """A boolean, number, text or list as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = "".join(
            f"\\u{ord(letter):04x}" if ord(letter) < 32 or letter in '"\\' else letter
            for letter in value
        )
        return f'"{escaped}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml_value, value))}]"
    return str(value)
