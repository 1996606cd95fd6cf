"""Data sets as people have them on disk: the published layouts, Cityscapes' own tree, films, and
the procedural street.

| kind | where the labels, pictures, instance maps and features lie |
|---|---|
| `vid2vid` | `train_A`, `train_B`, `train_inst`: one folder per sequence inside |
| `pix2pixhd` | `train_label`, `train_img`, `train_inst`, `train_feat` |
| `folders-ab` | `train_A`, `train_B`, `train_inst` with the files directly inside |
| `pix2pix` | `train/*`, both pictures side by side, A the left half |
| `pix2pix-folders` | `A/train`, `B/train`, or `A`, `B` |
| `cityscapes` | `leftImg8bit[_sequence]/train/CITY`, `gtFine/train/CITY` |
| `films` | `labels.mkv`, `real.mp4`, `instances.mkv`, in the folder or in each folder in it |
| `folders` | `labels`, `images`, `instances`, `features` |
| `world` | clips as `vidtrans-world render` writes them |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from vidtrans.errors import InputError
from vidtrans.media.naming import frame_key, resolve
from vidtrans.media.reader import open_reader
from vidtrans_training.datasets.pairing import images_in, pair
from vidtrans_training.datasets.sources import (
    FrameSources,
    Layout,
    Problem,
    SequenceSources,
    Source,
    Street,
)

Direction = Literal["AtoB", "BtoA"]
Condition = Literal["labels", "pictures"]
Kind = Literal[
    "vid2vid",
    "pix2pixhd",
    "folders-ab",
    "pix2pix",
    "pix2pix-folders",
    "cityscapes",
    "films",
    "folders",
    "world",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_FOLDERS: dict[Kind, tuple[tuple[str, str, str, str], ...]] = {
    "vid2vid": (("{phase}_A", "{phase}_B", "{phase}_inst", ""),),
    "pix2pixhd": (("{phase}_label", "{phase}_img", "{phase}_inst", "{phase}_feat"),),
    "pix2pix-folders": (("A/{phase}", "B/{phase}", "", ""), ("A", "B", "", "")),
    "folders": (
        ("labels", "images", "instances", "features"),
        ("label", "image", "instance", "feature"),
    ),
}
"""Folders of label maps, pictures, instance maps and features, for each kind; the phase (`train`)
is put in."""

_FILMS = {
    "labels": ("labels", "label", "A"),
    "picture": ("real", "picture", "rgb", "images", "B"),
    "instances": ("instances", "instance", "inst"),
}
_WORLD_SCHEME = "cityscapes"
"""What the ids of the procedural street's label maps mean."""
_FILM_SUFFIXES = frozenset({".mkv", ".mp4", ".mov", ".avi", ".webm", ".nut", ".m4v"})


def find_layout(
    root: Path,
    *,
    kind: Literal["auto", Kind] = "auto",
    phase: str = "train",
    direction: Direction = "AtoB",
    condition: Condition = "labels",
) -> Layout:
    """Find what lies under ``root``, without reading a pixel.

    Args:
        root: The data set's folder.
        kind: The layout, ``auto`` to find it out.
        phase: The part of the data set that is in the folders' names.
        direction: ``BtoA`` translates the pictures B into A.
        condition: ``pictures`` takes Cityscapes' colour pictures in place of its ids, and the
            procedural street's ids in Cityscapes' colours.

    Returns:
        The layout; what does not fit together is in its ``problems``.

    Raises:
        InputError: The folder is missing, holds no known layout or no images.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError("is no folder." if root.exists() else "does not exist.", where=root)
    finders: dict[Kind, Callable[[], Layout | None]] = {
        "world": lambda: _world(root, condition),
        "cityscapes": lambda: _cityscapes(root, phase, condition),
        "vid2vid": lambda: _folders(root, "vid2vid", phase),
        "pix2pixhd": lambda: _folders(root, "pix2pixhd", phase),
        "pix2pix-folders": lambda: _folders(root, "pix2pix-folders", phase),
        "films": lambda: _films(root),
        "folders": lambda: _folders(root, "folders", phase),
        "pix2pix": lambda: _side_by_side(root, phase),
    }
    finders["folders-ab"] = finders["vid2vid"]
    found = (
        next(filter(None, (finders[each]() for each in finders)), None)
        if (kind == "auto")
        else finders[kind]()
    )
    if found is None:
        wanted = "no known layout" if kind == "auto" else f"no data in the layout '{kind}'"
        inside = ", ".join(sorted(path.name for path in root.iterdir())[:12]) or "nothing"
        raise InputError(
            f"holds {wanted} (phase '{phase}'); it holds {inside}.",
            where=root,
            hint=(
                f"Expected for example {phase}_A and {phase}_B, {phase}_label and {phase}_img,"
                f" {phase}/ with pictures side by side, leftImg8bit and gtFine, labels and images,"
                " labels.mkv and real.mp4, or clips of vidtrans-world."
            ),
        )
    if not found.frames and not found.problems:
        raise InputError(f"holds no images in the layout '{found.kind}'.", where=root)
    return found if direction == "AtoB" else _turned(found)


def rendered_streets(
    folder: Path,
    *,
    streets: int,
    frames: int,
    size_hw: tuple[int, int],
    first_seed: int = 0,
    kind: Literal["varied", "terrace"] = "varied",
    condition: Condition = "labels",
) -> Layout:
    """Streets of `vidtrans_world`, each rendered into ``folder`` when it is first read."""
    from vidtrans_world.clip import clip_folder

    clips = []
    for seed in range(first_seed, first_seed + streets):
        street = Street(clip_folder(folder, seed), seed, frames, size_hw, kind)
        clips.append(replace(_world_clip(street.folder, frames, condition), street=street))
    return Layout("world", folder, tuple(clips))


def _turned(layout: Layout) -> Layout:
    """The layout with label and picture exchanged (``direction`` BtoA)."""
    clips = tuple(
        replace(
            clip,
            frames=tuple(replace(f, label=f.picture, picture=f.label) for f in clip.frames),
        )
        for clip in layout.sequences
    )
    return replace(layout, sequences=clips)


# --- folders of images ----------------------------------------------------------------------------


def _folders(root: Path, kind: Kind, phase: str) -> Layout | None:
    for names in _FOLDERS[kind]:
        label, picture, instances, features = (
            root / name.format(phase=phase) if name else None for name in names
        )
        if label is None or picture is None or not (label.is_dir() and picture.is_dir()):
            continue
        inside = sorted(path for path in label.iterdir() if path.is_dir())
        nested = [path.name for path in inside if images_in(path)]
        if nested and not images_in(label):
            return _nested(root, kind, nested, (label, picture, instances, features))
        found = "folders-ab" if kind == "vid2vid" else kind
        frames, problems = _matched(label, picture, instances, features)
        clips, more = _sequences(label, frames)
        return Layout(found, root, clips, (*problems, *more))
    return None


def _nested(root: Path, kind: Kind, names: Sequence[str], folders: Sequence[Path | None]) -> Layout:
    label, picture, instances, features = folders
    assert label is not None
    assert picture is not None
    clips: list[SequenceSources] = []
    problems: list[Problem] = []
    for name in names:
        if not (picture / name).is_dir():
            problems.append(
                Problem("unpaired", f"has no folder of pictures {picture / name}.", label / name)
            )
            continue
        frames, wrong = _matched(
            label / name,
            picture / name,
            instances and instances / name,
            features and features / name,
            # One sequence may not lack what the others have.
            wanted=(
                instances is not None and instances.is_dir(),
                features is not None and features.is_dir(),
            ),
        )
        clips.append(SequenceSources(name, tuple(frames)))
        problems.extend(wrong)
    spare = sorted(p.name for p in picture.iterdir() if p.is_dir() and p.name not in names)
    problems.extend(
        Problem("unpaired", "this sequence of pictures has no label maps.", picture / name)
        for name in spare
    )
    return Layout(kind, root, tuple(clips), tuple(problems))


def _matched(
    label: Path,
    picture: Path,
    instances: Path | None,
    features: Path | None,
    wanted: tuple[bool, bool] | None = None,
) -> tuple[list[FrameSources], list[Problem]]:
    """The frames of one folder of label maps, and what has no partner."""
    labels = images_in(label)
    parts = [("picture", picture, True)]
    for what, folder, need in zip(
        ("instance map", "feature picture"),
        (instances, features),
        wanted or (False, False),
        strict=True,
    ):
        if folder is not None and (need or images_in(folder)):
            parts.append((what, folder, True))
        else:
            parts.append((what, picture, False))
    columns: list[tuple[Path | None, ...]] = []
    problems: list[Problem] = []
    for what, folder, there in parts:
        if not there:
            columns.append((None,) * len(labels))
            continue
        matched = pair(labels, images_in(folder), what, folder)
        columns.append(matched.partners)
        problems.extend(matched.problems)
    frames = [
        FrameSources(
            Source(path),
            Source(partner),
            instances and Source(instances),
            features and Source(features),
        )
        for path, partner, instances, features in zip(labels, *columns, strict=True)
        if partner is not None
    ]
    return frames, problems


def _sequences(
    folder: Path, frames: Sequence[FrameSources]
) -> tuple[tuple[SequenceSources, ...], tuple[Problem, ...]]:
    """Frames of one folder, cut into sequences by the names of their files."""
    if not frames:
        return (), ()
    by_path = {frame.label.path: frame for frame in frames}
    try:
        found = resolve(folder, allow_gaps=True)
    except InputError as error:
        # Numbers that tell no order are no fault for single pictures; each is a sequence then.
        alone = tuple(SequenceSources(path.stem, (by_path[path],)) for path in by_path)
        told = f"tells no sequences: {error.message}"
        return alone, (Problem("names", told, folder, fatal=False),)
    clips = []
    for sequence in found:
        here = [path for path in sequence.files if path in by_path]
        for at, part in enumerate(_without_holes(here)):
            name = Path(sequence.name).name.strip("_-. ") or folder.name
            clips.append(
                SequenceSources(f"{name}.{at}" if at else name, tuple(by_path[p] for p in part))
            )
    return tuple(clips), ()


def _without_holes(files: Sequence[Path]) -> Iterator[list[Path]]:
    """``files`` cut where the numbers jump by more than they usually do."""
    keys = [frame_key(path)[1] for path in files]
    numbers = [key for key in keys if isinstance(key, int)]
    if len(numbers) < len(files) or len(files) < 2:
        if files:
            yield list(files)
        return
    steps = [b - a for a, b in pairwise(numbers)]
    usual = min(set(steps), key=lambda step: (-steps.count(step), step))
    part = [files[0]]
    for path, step in zip(files[1:], steps, strict=True):
        if step != usual:
            yield part
            part = []
        part.append(path)
    yield part


def _side_by_side(root: Path, phase: str) -> Layout | None:
    folder = root / phase
    if not folder.is_dir():
        return None
    frames = [
        FrameSources(Source(path, half="left"), Source(path, half="right"))
        for path in images_in(folder)
    ]
    clips, problems = _sequences(folder, frames)
    return Layout("pix2pix", root, clips, problems)


# --- Cityscapes -----------------------------------------------------------------------------------


def _cityscapes(root: Path, phase: str, condition: Condition) -> Layout | None:
    labels_at = root / "gtFine" / phase
    picture_at = next(
        (
            root / name / phase
            for name in ("leftImg8bit_sequence", "leftImg8bit")
            if (root / name / phase).is_dir()
        ),
        None,
    )
    if picture_at is None or not labels_at.is_dir():
        return None
    suffix = "_color" if condition == "pictures" else "_labelIds"
    pictures = {frame_key(path): path for path in sorted(picture_at.glob("*/*_leftImg8bit.*"))}
    labels = {frame_key(path): path for path in sorted(labels_at.glob(f"*/*{suffix}.png"))}
    instances = {frame_key(path): path for path in sorted(labels_at.glob("*/*_instanceIds.png"))}
    problems = [
        Problem("unpaired", f"has no picture in {picture_at}.", path)
        for key, path in labels.items()
        if key not in pictures
    ]
    if instances:
        problems.extend(
            Problem("unpaired", "has no instance map (_instanceIds.png) beside it.", path)
            for key, path in labels.items()
            if key not in instances
        )
    runs: dict[str, list[tuple[Path, FrameSources]]] = defaultdict(list)
    for key, path in labels.items():
        if key in pictures:
            beside = instances.get(key)
            frame = FrameSources(
                Source(path), Source(pictures[key]), None if beside is None else Source(beside)
            )
            runs[key[0]].append((path, frame))
    clips = []
    for name, members in runs.items():
        by_path = dict(members)
        for part in _consecutive(list(by_path)):
            first = frame_key(part[0])[1]
            clips.append(SequenceSources(f"{name}_{first:06}", tuple(by_path[p] for p in part)))
    unlabelled = sum(key not in labels for key in pictures)
    notes = (
        (f"{unlabelled} of {len(pictures)} pictures have no label map and are left out.",)
        if unlabelled
        else ()
    )
    return Layout("cityscapes", root, tuple(clips), tuple(problems), notes)


def _consecutive(files: Sequence[Path]) -> Iterator[list[Path]]:
    """Cityscapes' files cut where frame numbers do not follow one another."""
    part: list[Path] = []
    for path in files:
        if part and frame_key(path)[1] != int(frame_key(part[-1])[1]) + 1:
            yield part
            part = []
        part.append(path)
    if part:
        yield part


# --- films ----------------------------------------------------------------------------------------


def _films(root: Path) -> Layout | None:
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    clips: list[SequenceSources] = []
    problems: list[Problem] = []
    found = False
    for folder in folders:
        films = {part: _film(folder, names) for part, names in _FILMS.items()}
        labels, picture, instances = films["labels"], films["picture"], films["instances"]
        if labels is None or picture is None:
            continue
        found = True
        counts = {path: _count(path) for path in (labels, picture, instances) if path is not None}
        frames = min(counts.values())
        problems.extend(
            Problem(
                "unpaired",
                f"has {count} frames, the shortest of the films beside it has {frames}.",
                path,
            )
            for path, count in counts.items()
            if count != frames
        )
        clips.append(
            SequenceSources(
                folder.name,
                tuple(
                    FrameSources(
                        Source(labels, index),
                        Source(picture, index),
                        None if instances is None else Source(instances, index),
                    )
                    for index in range(frames)
                ),
            )
        )
    return Layout("films", root, tuple(clips), tuple(problems)) if found else None


def _film(folder: Path, names: Sequence[str]) -> Path | None:
    for name in names:
        for path in sorted(folder.glob(f"{name}.*")):
            if path.suffix.lower() in _FILM_SUFFIXES and path.is_file():
                return path
    return None


def _count(path: Path) -> int:
    with open_reader(path) as reader:
        return reader.count()


# --- the procedural street ------------------------------------------------------------------------


def _world(root: Path, condition: Condition) -> Layout | None:
    if (root / "world.json").is_file():
        folders = [root]
    else:
        folders = sorted(path.parent for path in root.glob("*/world.json"))
    if not folders:
        return None
    clips = [_world_clip(folder, len(images_in(folder / "rgb")), condition) for folder in folders]
    problems = [
        Problem("unpaired", f"has no {frame} of the same frame.", clip.frames[0].label.path.parent)
        for clip in clips
        if clip.frames
        for frame in _missing(clip)
    ]
    return Layout("world", root, tuple(clips), tuple(problems))


def _missing(clip: SequenceSources) -> Iterator[Path]:
    for frame in clip.frames:
        instances = None if frame.instances is None else frame.instances.path
        for path in (frame.label.path, instances, frame.flow):
            if path is not None and not path.is_file():
                yield path


def _world_clip(folder: Path, frames: int, condition: Condition) -> SequenceSources:
    colours = _WORLD_SCHEME if condition == "pictures" else None
    names = [f"{index:06d}" for index in range(frames)]
    return SequenceSources(
        folder.name,
        tuple(
            FrameSources(
                Source(folder / "labels" / f"{name}.png", colours=colours),
                Source(folder / "rgb" / f"{name}.png"),
                Source(folder / "instances" / f"{name}.png"),
                flow=folder / "flow" / f"{name}.npz",
            )
            for name in names
        ),
        world=folder / "world.json",
    )
