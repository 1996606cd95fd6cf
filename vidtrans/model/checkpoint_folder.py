"""The files of a published checkpoint folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vidtrans.errors import ModelError, Remedy
from vidtrans.model.infer_options import Shapes
from vidtrans.model.pth_file import read_pth

_CONTENTS = r"G\d{0,2}|E|G_single|G_512|G_1024|G_2048"


@dataclass(frozen=True, eq=False)
class CheckpointFolder:
    """One epoch of a published checkpoint folder.

    Files are known by what they hold: ``G``; ``G0``, ``G1`` and so on, vid2vid's scales; ``E``,
    pix2pixHD's encoder; ``G_single``, ``G_512``, ``G_1024`` or ``G_2048``, vid2vid's single-image
    generator.

    Attributes:
        directory: the folder.
        epoch: the epoch in its files' names, such as ``latest``.
        files: the path of each file.
        tensors: the tensors of each file but single-image generators, by name.
        shapes: their shapes.
    """

    directory: Path
    epoch: str
    files: Mapping[str, Path]
    tensors: Mapping[str, Mapping[str, Tensor]]
    shapes: Mapping[str, Shapes]

    @classmethod
    def read(cls, directory: Path, epoch: str) -> CheckpointFolder:
        """Reads the files of one epoch. Single-image generators are found and not read.

        Raises:
            ModelError: there is no such folder, it holds no file of this epoch, or a file cannot
                be read.
        """
        if not directory.is_dir():
            what = (
                "is a file, and a folder of checkpoints is needed"
                if directory.exists()
                else "does not exist"
            )
            raise ModelError(f"{what}.", where=directory)
        name = re.compile(rf"{re.escape(epoch)}_net_({_CONTENTS})\.pth")
        matches = ((name.fullmatch(path.name), path) for path in sorted(directory.iterdir()))
        files = {match[1]: path for match, path in matches if match}
        if not files:
            raise ModelError(
                f"holds no {epoch}_net_G.pth, {epoch}_net_G0.pth or the like.{_others(directory)}",
                where=directory,
                remedy=Remedy("Another epoch's files are taken with {which_epoch}."),
            )
        tensors = {held: read_pth(path) for held, path in files.items() if held[:2] != "G_"}
        shapes = {
            held: {name: tuple(tensor.shape) for name, tensor in named.items()}
            for held, named in tensors.items()
        }
        return cls(directory, epoch, files, tensors, shapes)

    def __str__(self) -> str:
        """The names of its files."""
        return ", ".join(path.name for path in self.files.values())


def single_image_files(checkpoint: CheckpointFolder) -> list[Path]:
    """The single-image generators in the sibling folder of a published vid2vid model.

    They lie in ``label2city_single`` beside ``label2city_1024_g1``: of several sizes the one that
    the folder's name has comes first.
    """
    directory = checkpoint.directory.resolve()
    name = re.compile(rf"{re.escape(checkpoint.epoch)}_net_(G_single|G_512|G_1024|G_2048)\.pth")
    found = [
        path
        for sibling in sorted(directory.parent.glob("*_single"))
        if sibling.is_dir() and directory.name.startswith(sibling.name.removesuffix("single"))
        for path in sorted(sibling.iterdir())
        if name.fullmatch(path.name)
    ]
    sizes = set(re.findall(r"\d+", directory.name))
    named = [path for path in found if sizes & set(re.findall(r"\d+", path.stem))]
    return named or found


def _others(directory: Path) -> str:
    """What is said of checkpoints of other systems in a folder."""
    files = sorted(path.name for path in directory.iterdir() if path.is_file())
    imaginaire = [name for name in files if re.fullmatch(r"epoch_\d+_iteration_\d+.*\.pt", name)]
    if imaginaire:
        return (
            f" {imaginaire[0]} is a training checkpoint of imaginaire (SPADE, GauGAN, the vid2vid"
            " of 2020), whose networks are others."
        )
    checkpoints = [name for name in files if name.endswith((".pt", ".pth", ".ckpt"))]
    return f" {checkpoints[0]} has another name." if checkpoints else ""
