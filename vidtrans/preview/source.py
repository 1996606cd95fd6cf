"""Random access to the label frames of a film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from vidtrans.errors import InputError
from vidtrans.frame import Frame, FrameTime, LabelFrame
from vidtrans.labels.encodings import WITH_INSTANCES
from vidtrans.labels.reader import LabelReader
from vidtrans.media.reader import Reader
from vidtrans.pipeline.setup import check_instances
from vidtrans.preview.cache import ByteCache


@dataclass(frozen=True, slots=True, eq=False)
class SourceFrame:
    """A decoded frame and its labels.

    Attributes:
        frame: The decoded frame.
        labels: Its labels in the model's planes, without edits, at the input's size.
    """

    frame: Frame
    labels: LabelFrame

    @property
    def bytes(self) -> int:
        """Memory taken, in bytes."""
        parts = (self.frame.pixels, self.labels.ids, self.labels.instances, self.labels.image)
        return sum(part.nbytes for part in parts if part is not None)


class LabelSource:
    """The label frames of an open input, read in any order.

    ``read`` must be called from one thread; ``cached`` may be called from any.
    """

    def __init__(
        self,
        reader: Reader,
        label_reader: LabelReader,
        *,
        instances: Reader | None = None,
        budget: int,
    ) -> None:
        """Make the source; the caller closes ``reader`` and ``instances``.

        Args:
            reader: The open label film.
            label_reader: Turns its frames into the model's planes.
            instances: The open instance maps; None where there are none.
            budget: Memory for decoded frames, in bytes.

        Raises:
            InputError: The lengths or sizes of the two differ.
        """
        self._reader = reader
        self._instances = instances
        self._label_reader = label_reader
        self._cache: ByteCache[int, SourceFrame] = ByteCache(budget)
        self._times: dict[int, FrameTime] = {}
        self._frames: Iterator[Frame] = iter(())
        self._instance_frames: Iterator[Frame] = iter(())
        self._next: int | None = None
        self.frames = reader.count()
        """The exact number of frames."""
        if instances is not None:
            check_instances(
                replace(reader.info, frames=self.frames),
                replace(instances.info, frames=instances.count()),
            )

    @property
    def has_instances(self) -> bool:
        """Whether label frames have instance maps."""
        return self._instances is not None or self._label_reader.encoding in WITH_INSTANCES

    @property
    def bytes(self) -> int:
        """Memory of the cached decoded frames, in bytes."""
        return self._cache.bytes

    def cached(self, index: int) -> SourceFrame | None:
        """Frame ``index`` if it is cached."""
        return self._cache.get(index)

    def time(self, index: int) -> FrameTime | None:
        """The timestamp of frame ``index`` if it was read before."""
        return self._times.get(index)

    def read(self, index: int) -> SourceFrame:
        """Frame ``index``, from the cache or decoded.

        Raises:
            InputError: It cannot be read.
        """
        found = self._cache.get(index)
        if found is None:
            found = self._decode(index)
            self._cache.put(index, found, found.bytes)
        return found

    def _decode(self, index: int) -> SourceFrame:
        if index != self._next:
            self._seek(index)
        # After an error the position in the files is unknown: the next call seeks.
        self._next = None
        frame = self._one(self._frames, self._reader, index)
        instances = (
            None
            if self._instances is None
            else self._one(self._instance_frames, self._instances, index)
        )
        self._times[index] = frame.time
        labels, _ = self._label_reader.read(frame, instances)
        self._next = index + 1
        return SourceFrame(frame, labels)

    def _seek(self, index: int) -> None:
        self._reader.seek(index, self._times.get(index))
        self._frames = iter(self._reader)
        if self._instances is not None:
            self._instances.seek(index)
            self._instance_frames = iter(self._instances)

    @staticmethod
    def _one(frames: Iterator[Frame], reader: Reader, index: int) -> Frame:
        frame = next(frames, None)
        if frame is None:
            raise InputError(
                "the film ends here, earlier than it said.", where=reader.info.source, frame=index
            )
        return frame
