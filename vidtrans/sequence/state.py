"""Everything a translation remembers between two frames, as one value: copy it, save it, give it
back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from vidtrans.atomic_write import whole_file
from vidtrans.errors import InputError
from vidtrans.nets.painting import History
from vidtrans.untrusted import parse_json

_FORMAT = "vidtrans-state"


@dataclass(frozen=True, eq=False)
class State:
    """What ``Model.step`` needs of the frames before.

    Nothing else in the engine remembers anything. Tensors have the padded size that the networks
    take; parts that a model does not use are None.

    Attributes:
        size_hw: Height and width of the frames.
        frames: Frames painted since the start or the last ``Model.reset``.
        index: Frames painted since the start.
        ids: Classes of the last t <= n_frames - 1 frames, oldest first, uint8 [1,t,H,W].
        boundary: Their instance boundaries, bool [1,t,H,W].
        image: Their pictures, float [1,t,C,H,W].
        present: The classes that occur in each of them.
        history: What the generator remembers; None before the first frame.
        given: Pictures to begin with, float [k,3,H,W], shown as frames 0 .. k-1.
        least_hw: The networks see pictures of at least this size.
    """

    size_hw: tuple[int, int]
    frames: int = 0
    index: int = 0
    ids: Tensor | None = None
    boundary: Tensor | None = None
    image: Tensor | None = None
    present: tuple[tuple[int, ...], ...] = ()
    history: History | None = None
    given: Tensor | None = None
    least_hw: tuple[int, int] = (1, 1)

    def to(self, device: torch.device | str) -> State:
        """The same state with its tensors on ``device``."""

        def move(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        return replace(
            self,
            ids=move(self.ids),
            boundary=move(self.boundary),
            image=move(self.image),
            history=None if self.history is None else tuple(h.to(device) for h in self.history),
            given=move(self.given),
        )

    def to_bytes(self) -> bytes:
        """The state in safetensors' format; ``from_bytes`` gives back the same bits."""
        tensors = {
            name: value.cpu().contiguous()
            for name, value in self._tensors().items()
            if value is not None
        }
        for i, pictures in enumerate(self.history or ()):
            tensors[f"history.{i}"] = pictures.cpu().contiguous()
        facts = {
            "size_hw": self.size_hw,
            "frames": self.frames,
            "index": self.index,
            "least_hw": self.least_hw,
            "present": self.present,
            "scales": None if self.history is None else len(self.history),
        }
        # One entry: safetensors writes several in any order, and equal states shall be equal bytes.
        return bytes(tensors_to_bytes(tensors, metadata={_FORMAT: json.dumps(facts)}))

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "state") -> State:
        """Raises InputError where ``data`` is not a whole state."""
        try:
            header = parse_json(data[8 : 8 + int.from_bytes(data[:8], "little")])
            metadata = header.get("__metadata__", {})
            if _FORMAT not in metadata:
                raise InputError("is not a saved state of a translation.", where=source)
            facts = parse_json(metadata[_FORMAT])
            tensors = tensors_from_bytes(data)
            scales = facts["scales"]
            return cls(
                size_hw=(int(facts["size_hw"][0]), int(facts["size_hw"][1])),
                frames=int(facts["frames"]),
                index=int(facts["index"]),
                least_hw=(int(facts["least_hw"][0]), int(facts["least_hw"][1])),
                ids=tensors.get("ids"),
                boundary=tensors.get("boundary"),
                image=tensors.get("image"),
                present=tuple(tuple(int(c) for c in classes) for classes in facts["present"]),
                history=None
                if scales is None
                else tuple(tensors[f"history.{i}"] for i in range(scales)),
                given=tensors.get("given"),
            )
        except InputError:
            raise
        except (
            SafetensorError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
        ) as error:
            raise InputError(
                f"is not a whole saved state of a translation ({error}).", where=source
            ) from error

    def save(self, path: str | PathLike[str]) -> None:
        """Write the state to ``path``, which afterwards holds either all of it or what it held
        before.

        Raises OutputError where it cannot be written.
        """
        with whole_file(path, what="the state") as temporary:
            temporary.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> State:
        """Raises InputError where ``path`` cannot be read or does not hold a whole state."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise InputError(
                f"the state cannot be read: {error.strerror or error}.", where=path
            ) from error
        return cls.from_bytes(data, source=str(path))

    def _tensors(self) -> dict[str, Tensor | None]:
        return {
            "ids": self.ids,
            "boundary": self.boundary,
            "image": self.image,
            "given": self.given,
        }
