"""A generator's operations recorded once as a CUDA graph, and replayed for every frame.

A frame of a generator is some hundreds of short kernels, and where the host launches them one by
one, a fast GPU waits for the host. A graph is launched as a whole. It reads and writes fixed
memory: the inputs of a frame are copied into static buffers, and what it painted is copied out, so
that paintings and states stay as they were handed out.

A graph repeats one sequence of kernels, so everything that changes shapes belongs to its key. The
classes that occur in a frame would change them from frame to frame; so a `Model` on CUDA gives all
label planes, and a picture depends on its frame and state alone, not on which graphs there are
already. The frames at the start of a sequence, which have no full history, are painted operation by
operation.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vidtrans.garbage import no_collection
from vidtrans.nets.painting import Conditioning, Generator, History, Painting

_log = logging.getLogger(__name__)

GRAPHS_KEPT = 4
"""Graphs of a model that are kept: those of a film, of a preview at another size, and of frames of
several sequences that are painted together. They share the memory of what lies between input and
output; each has buffers of its own for these."""
TOLERANCES = {"fp32": 1e-3, "fp16": 2e-2, "bf16": 1e-1}
"""How far a replay's values may be from those of the plain generator, relative to 1 plus their
size. The kernels are the same ones, so that values should be equal; where a library chooses another
algorithm while it is recorded, rounding differs. That is some ten units in the last place of the
half types over a deep network; a graph that reads the wrong memory is off by the pictures' own
range."""
_FAR_SHARE = 1e-3
"""The share of values that may be farther off: a pixel whose flow ends between two labels may take
either, and is another pixel then."""
_INPUTS = ("ids", "boundary", "image", "features")
_INDEXING = (
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
)
"""Operations whose second argument are the indices."""


class NotCapturableError(RuntimeError):
    """An operation waits for the device or reads memory of the host, and no graph can hold it."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recorded call of a generator.

    Attributes:
        painting: What it painted, in static memory that each replay writes anew.
        replay: Computes the same operations again, on what its inputs hold now.
    """

    painting: Painting
    replay: Callable[[], None]


class Capture(Protocol):
    """Records operations: `CudaCapture`."""

    def record(self, run: Callable[[], Painting]) -> Recorded:
        """Record what ``run`` does.

        Args:
            run: Paints from inputs at fixed addresses. Called several times.

        Raises:
            RuntimeError: The operations cannot be recorded, or memory is wanting.
        """
        ...

    def in_turn(self) -> AbstractContextManager[None]:
        """What is done within comes on the device after what was done within before, whichever
        stream either is on."""
        ...

    def settle(self) -> None:
        """Wait until the device has done what was done within `in_turn` before."""
        ...


class GraphedGenerator:
    """A generator whose frames with a full history are replayed from graphs.

    Args:
        generator: The generator. Everything else of it is passed on.
        capture: Records its operations.
        tolerance: See `TOLERANCES`.
    """

    def __init__(self, generator: Generator, capture: Capture, *, tolerance: float) -> None:
        self.plain = generator
        self._capture = capture
        self._tolerance = tolerance
        self._graphs: OrderedDict[Hashable, _Graph] = OrderedDict()
        self._lock = threading.Lock()
        self._failed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    @torch.inference_mode()
    def __call__(self, conditioning: Conditioning, history: History | None) -> Painting:
        """See `vidtrans.nets.painting.Generator`."""
        started = history is not None or self.plain.n_frames == 1
        # What was measured on a whole picture is of training alone.
        if started and conditioning.measured is None and not self._failed:
            with self._lock, self._capture.in_turn():
                graph = self._graph(conditioning, history)
                if graph is not None:
                    return graph.paint(_tensors(conditioning, history))
        return self.plain(conditioning, history)

    def _graph(self, conditioning: Conditioning, history: History | None) -> _Graph | None:
        """The graph for such a frame; None where there cannot be one."""
        key = _key(conditioning, history)
        graph = self._graphs.get(key)
        if graph is not None:
            self._graphs.move_to_end(key)
            return graph
        if len(self._graphs) >= GRAPHS_KEPT:
            self._capture.settle()  # whose memory is freed may still be at work
            self._graphs.popitem(last=False)
        try:
            graph = _Graph(self.plain, self._capture, conditioning, history)
            graph.check(_tensors(conditioning, history), self._tolerance)
        except RuntimeError as error:  # that of torch for want of memory is one too
            self._failed = True
            self._capture.settle()
            self._graphs.clear()
            _log.warning(
                "Frames are painted without a CUDA graph, which takes longer: %s",
                str(error).partition("\n")[0],
            )
            return None
        self._graphs[key] = graph
        return graph


class _Graph:
    """A recorded call with its static buffers."""

    def __init__(
        self,
        generator: Generator,
        capture: Capture,
        conditioning: Conditioning,
        history: History | None,
    ) -> None:
        # One layout, whatever that of the caller's tensors: a resumed state is laid out anew.
        self._inputs = [
            torch.empty_like(tensor, memory_format=torch.contiguous_format)
            for tensor in _tensors(conditioning, history)
        ]
        buffers = iter(self._inputs)
        given: dict[str, Any] = {
            name: next(buffers) for name in _INPUTS if getattr(conditioning, name) is not None
        }
        static = replace(conditioning, **given)
        static_history = None if history is None else tuple(buffers)

        def run() -> Painting:
            return generator(static, static_history)

        self._run = run
        self._fill(_tensors(conditioning, history))
        self._recorded = capture.record(run)

    def paint(self, tensors: Sequence[Tensor]) -> Painting:
        """Paint from ``tensors``, in memory of the painting's own."""
        self._fill(tensors)
        self._recorded.replay()
        return _copied(self._recorded.painting)

    def check(self, tensors: Sequence[Tensor], tolerance: float) -> None:
        """Compare replays with the plain generator, on a frame and on its mirror image: a graph
        that held on to the frame that it was recorded with would paint the mirror image wrong.

        Raises:
            RuntimeError: They differ.
        """
        mirrored = [tensor.flip(-1) for tensor in tensors]
        for example in (mirrored, tensors):
            self._fill(example)
            wanted = _unique(self._run())
            self._recorded.replay()
            for found, exact in zip(_unique(self._recorded.painting), wanted, strict=True):
                near = torch.isclose(
                    found.float(), exact.float(), rtol=tolerance, atol=tolerance, equal_nan=True
                )
                far = 1 - float(near.float().mean())
                if far > _FAR_SHARE:
                    raise RuntimeError(
                        f"replayed, {far:.1%} of the values differ by more than {tolerance}."
                    )

    def _fill(self, tensors: Sequence[Tensor]) -> None:
        for buffer, tensor in zip(self._inputs, tensors, strict=True):
            buffer.copy_(tensor)


class CudaCapture:
    """Records CUDA graphs on a stream of its own.

    Args:
        device: The CUDA device.
    """

    _one_at_a_time = threading.Lock()
    """A process may record one graph at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._last_use = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def record(self, run: Callable[[], Painting]) -> Recorded:
        """See `Capture.record`.

        Other threads go on copying frames to and from the device meanwhile, which is what the mode
        ``thread_local`` is for.
        """
        with self._one_at_a_time, torch.cuda.device(self._device):
            caller = torch.cuda.current_stream()
            self._stream.wait_stream(caller)
            try:
                # The outer context gives the caller's stream back where that of the graph fails.
                with torch.cuda.stream(self._stream):
                    run()  # kernels are loaded, and constants made that are kept from then on
                    watch = OperationWatch("cuda")
                    with watch:
                        run()  # a recording that fails leaves the allocator in disorder
                    graph = torch.cuda.CUDAGraph()
                    recording = torch.cuda.graph(
                        graph,
                        pool=self._pool,
                        stream=self._stream,
                        capture_error_mode="thread_local",
                    )
                    # To destroy graphs, events or memory may take calls that CUDA does not allow a
                    # thread that records.
                    with no_collection(), recording, watch:
                        painting = run()
            finally:
                # Where it fails too: the constants are still being copied, and the plain generator
                # reads them on the caller's stream.
                caller.wait_stream(self._stream)
        read = watch.read

        def replay() -> None:
            assert read is not None  # what the graph reads lives as long as the graph
            graph.replay()

        return Recorded(painting, replay)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        stream = torch.cuda.current_stream(self._device)
        stream.wait_event(self._last_use)
        try:
            yield
        finally:
            self._last_use.record(stream)

    def settle(self) -> None:
        # Not the device, which nobody may wait for while another thread records a graph.
        self._last_use.synchronize()


class OperationWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses operations that no graph can hold, and keeps the tensors that are read from outside:
    weights and constants, some of which are in caches that drop them one day.

    Args:
        device_type: The device's type.

    Attributes:
        read: The tensors from outside, by the address of their memory.
    """

    def __init__(self, device_type: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.read: dict[int, Tensor] = {}
        self._made: set[int] = set()
        self._device_type = device_type

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run ``func``.

        Raises:
            NotCapturableError: Its result must be waited for, or crosses between host and device.
        """
        kwargs = kwargs or {}
        # Without autograd, as in inference, PyTorch hands over operations that are made of others.
        with self:
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if _waits(func, args):
            raise NotCapturableError(f"{func} waits for the device.")
        copies = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        for tensor in given:
            # A number in a tensor without dimensions is an argument of the kernel.
            if self._is_foreign(tensor) and (tensor.dim() or copies):
                raise NotCapturableError(f"{func} reads the host's memory.")
            address = _address(tensor)
            if address not in self._made:
                self.read.setdefault(address, tensor)
        result = func(*args, **kwargs)
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                if self._is_foreign(leaf) and leaf.dim():
                    raise NotCapturableError(f"{func} writes the host's memory.")
                if _address(leaf) not in self.read:
                    self._made.add(_address(leaf))
        return result

    def _is_foreign(self, tensor: Tensor) -> bool:
        return tensor.device.type != self._device_type


def _waits(func: Any, args: Sequence[Any]) -> bool:
    """Whether the values of an operation's arguments decide the host's next step or a shape."""
    if func in _INDEXING:
        # Numbers pick as many values as there are numbers; masks do not.
        return any(
            index.dtype in (torch.bool, torch.uint8) for index in args[1] if index is not None
        )
    tags = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
    return any(tag in func.tags for tag in tags)


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _tensors(conditioning: Conditioning, history: History | None) -> list[Tensor]:
    """The inputs of a call that are tensors, in a fixed order."""
    given = (getattr(conditioning, name) for name in _INPUTS)
    return [*(tensor for tensor in given if tensor is not None), *(history or ())]


def _key(conditioning: Conditioning, history: History | None) -> Hashable:
    """What calls that one graph serves have in common."""
    given = conditioning
    shapes = tuple((tuple(t.shape), t.dtype, t.device) for t in _tensors(given, history))
    there = tuple(getattr(given, name) is not None for name in _INPUTS)
    return (there, shapes, given.present, given.dropout_seed, given.viewport)


def _parts(painting: Painting) -> Iterator[tuple[str, Any]]:
    return ((field.name, getattr(painting, field.name)) for field in fields(painting))


def _unique(painting: Painting) -> list[Tensor]:
    """A painting's tensors, each once."""
    found = tree_leaves([part for _, part in _parts(painting)])
    return list({id(part): part for part in found if isinstance(part, Tensor)}.values())


def _copied(painting: Painting) -> Painting:
    """A painting in memory of its own. Parts that are one tensor stay one."""
    copies = {id(tensor): tensor.clone() for tensor in _unique(painting)}

    def copied(part: Any) -> Any:
        if isinstance(part, tuple):
            return tuple(copies[id(tensor)] for tensor in part)
        return None if part is None else copies[id(part)]

    return Painting(**{name: copied(part) for name, part in _parts(painting)})
