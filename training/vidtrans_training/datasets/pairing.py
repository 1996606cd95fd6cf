"""Files of several kinds matched to one another: by order, as published, with names compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidtrans.media.naming import frame_key, is_image_name, natural_key
from vidtrans_training.datasets.sources import Problem


@dataclass(frozen=True, slots=True)
class Pairing:
    """``partners``: for each of the first files its partner, None where there is none."""

    partners: tuple[Path | None, ...]
    problems: tuple[Problem, ...] = ()


def images_in(folder: Path) -> list[Path]:
    """The images directly in ``folder``, in natural order; empty where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(
        (path for path in folder.iterdir() if is_image_name(path) and path.is_file()),
        key=natural_key,
    )


def pair(firsts: Sequence[Path], others: Sequence[Path], what: str, folder: Path) -> Pairing:
    """Match ``firsts`` to ``others``, both sorted.

    Equally many files are matched by their order, as the published programs do; partners whose
    names tell different frames are reported and not fatal. Otherwise every file without a partner
    of the same frame is reported by name, which is fatal.

    Args:
        firsts: The label maps.
        others: The files of another kind.
        what: What the others are, for messages: ``picture``, ``instance map``.
        folder: Where the others were looked for.
    """
    if len(firsts) == len(others):
        problems = tuple(
            Problem(
                "names",
                f"is matched by order to {other.name}, but the names tell different frames.",
                first,
                fatal=False,
            )
            for first, other in zip(firsts, others, strict=True)
            if first.stem != other.stem and frame_key(first) != frame_key(other)
        )
        return Pairing(tuple(others), problems)
    by_key = {frame_key(path): path for path in others}
    wanted = {frame_key(path) for path in firsts}
    missing = [path for path in firsts if frame_key(path) not in by_key]
    spare = [path for path in others if frame_key(path) not in wanted]
    problems = (
        *(
            Problem("unpaired", f"has no {what} in {folder} of the same frame.", path)
            for path in missing
        ),
        *(Problem("unpaired", f"this {what} has no label map.", path) for path in spare),
    )
    if not problems:  # the same frame several times
        problems = (
            Problem(
                "unpaired",
                f"holds {len(others)} {what}s for {len(firsts)} label maps, and the names tell no"
                " partners.",
                folder,
            ),
        )
    return Pairing(tuple(by_key.get(frame_key(path)) for path in firsts), problems)
