"""The same batch on a Ray cluster: an actor for each GPU, or for each share of the CPUs.

The record stays with the process that gives the orders, which alone writes it. Inputs and outputs
lie on a disk that all nodes share under one path, or are URLs. A job of a node that dies is taken
up by another from its last snapshot, where the disk is shared.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import signal
import tempfile
import threading
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vidtrans.atomic_write import whole_file
from vidtrans.batches.ledger import Entry, Ledger
from vidtrans.batches.owners import Owner
from vidtrans.batches.run import Event, Flag, Never, conclude, order_of, recover
from vidtrans.batches.runner import Order, Outcome
from vidtrans.errors import UsageError, VidtransError
from vidtrans.model import find_bundle, model_digest

_POLL_S = 0.5
"""How often actors are asked for their progress."""
_CPUS_EACH = 2
"""CPUs of an actor without a GPU, where the nodes have them: two threads paint the embedded model
faster than one, and a third adds little (docs/performance.md)."""
_MAX_LOST = 20
"""Actors that may be lost in a row without a finished job, before the batch gives up."""


class _Actor:
    """Runs jobs on a node. It is made a Ray actor with a thread for each job at a time, and one so
    that ``progress`` and ``stop`` answer while they are at work.

    Args:
        device: For jobs that name none.
        threads: Of the CPU.
        together: Jobs at a time.
    """

    def __init__(self, device: str, threads: int, together: int = 1) -> None:
        import threading

        os.environ["OMP_NUM_THREADS"] = str(threads)
        from vidtrans.batches.runner import JobRunner

        self._runner = JobRunner(device=device, threads=threads, together=together)
        self._cancel = threading.Event()
        self._now: dict[str, dict[str, Any]] = {}
        self._frames = _frames_counter()

    def ready(self) -> tuple[str, str]:
        """The identifier and the host name of the actor's node, once the actor works."""
        import socket

        import ray

        return ray.get_runtime_context().get_node_id(), socket.gethostname()

    def run(self, order: dict[str, Any], model: bytes | None) -> dict[str, Any]:
        """Do a job. ``model``: the content of its model's file, where the node may lack it."""
        found = Order.from_json(order)
        if model is not None:
            found = _with_model(found, model)
        name = found.job.name
        try:
            outcome = self._runner.run(
                found,
                on_progress=lambda now: self._progress(name, now),
                cancel=self._cancel,
            )
        finally:
            self._now.pop(name, None)
        return asdict(outcome)

    def progress(self, name: str) -> dict[str, Any] | None:
        """How far a job at work is."""
        return self._now.get(name)

    def stop(self) -> None:
        """Let the job at work keep its finished frames and end."""
        self._cancel.set()

    def _progress(self, name: str, now: Any) -> None:
        self._now[name] = {"done": now.done, "frames": now.total, "fps": now.fps}
        if self._frames is not None:
            self._frames.inc(1)


def _nodes() -> list[dict[str, Any]]:
    """What Ray tells of the cluster's nodes."""
    import ray

    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found


def _is_alive(node: str) -> bool:
    """Whether Ray takes a node for alive. It hears of a death within seconds, and a job that is
    lost before that is one of the tries."""
    return any(each["NodeID"] == node and each["Alive"] for each in _nodes())


def _frames_counter() -> Any:
    """A counter of painted frames, which Ray's dashboard shows as ``vidtrans_frames``."""
    from ray.util.metrics import Counter

    return Counter("vidtrans_frames", description="Frames that vidtrans has painted.")


def _with_model(order: Order, content: bytes) -> Order:
    """The order with its model as a local file of the same name, which resuming compares."""
    options = json.loads(order.job.options)
    name = Path(str(options["model"])).name
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"vidtrans-models-{getpass.getuser()}" / digest
    place = folder / name
    if not place.is_file():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with whole_file(place, what="the model") as temporary:
            temporary.write_bytes(content)
    text = json.dumps({**options, "model": str(place)}, sort_keys=True, ensure_ascii=False)
    return replace(order, job=replace(order.job, options=text))


@dataclass(eq=False)
class _Hand:
    """An actor, or one of its places where it does several jobs at a time, and the job.

    Attributes:
        actor: Ray's handle.
        pending: What it will answer: that it is ready, or a job's outcome.
        number: From 1.
        node: The identifier of its node; empty until it is ready.
        host: The name of its node's machine.
        entry: The job at work.
        asked: Its answer about progress.
    """

    actor: Any
    pending: Any
    number: int
    node: str = ""
    host: str = ""
    entry: Entry | None = None
    asked: Any = None


def work_on_ray(
    ledger: Ledger,
    folder: Path,
    out: str,
    *,
    address: str,
    workers: int | None = None,
    device: str = "auto",
    together: int = 1,
    overwrite: bool = False,
    drain: Flag | None = None,
    cancel: Flag | None = None,
) -> Generator[Event, None, None]:
    """Do the jobs that wait on a cluster; as ``run.work``.

    Args:
        ledger: The record.
        folder: Its folder.
        out: The batch's folder, shared by all nodes, or a URL.
        address: Of the cluster: ``auto``, ``ray://HOST:PORT``; ``local`` starts one here.
        workers: Actors; None for one for each GPU, or for each two CPUs.
        device: ``auto``, ``cpu`` or ``cuda``.
        together: Jobs that each does at the same time.
        overwrite: Whether outputs that the batch did not make may be replaced.
        drain: Once set, jobs at work are finished and no other one begins.
        cancel: Once set, jobs at work end with the frame at work.

    Raises:
        UsageError: Ray is not installed, there is no cluster at the address, or its actors cannot
            be given such a device.
        VidtransError: Actors are lost again and again.
    """
    if device not in ("auto", "cpu") and not device.startswith("cuda"):
        raise UsageError(
            f"a batch on Ray runs on the CPU or on GPUs of NVIDIA, not on {device!r}.",
            hint="Use the device auto, cpu or cuda.",
        )
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "Ray is not installed.", hint="pip install 'vidtrans[cluster]' installs it."
        ) from error
    ours = not ray.is_initialized()
    if ours:
        try:
            with _kept_handlers():
                ray.init(
                    address=None if address == "local" else address,
                    log_to_driver=False,
                    configure_logging=False,
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            what = " ".join(str(error).split()).rstrip(".")
            raise UsageError(f"there is no Ray cluster at {address!r} ({what}).") from error
    try:
        with Owner(folder) as owner:
            crew = _Crew(ledger, folder, out, owner.id, device, together, overwrite=overwrite)
            try:
                yield from crew.work(workers, drain or Never(), cancel or Never())
            finally:
                crew.close()
    finally:
        if ours:
            ray.shutdown()


@contextlib.contextmanager
def _kept_handlers() -> Iterator[None]:
    """Ray sets a handler of its own for SIGTERM, which would end the batch instead of draining
    it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Crew:
    """The actors of a batch, and the jobs that they are at."""

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        out: str,
        owner: str,
        device: str,
        together: int,
        *,
        overwrite: bool,
    ) -> None:
        self._together = together
        self._ledger = ledger
        self._folder = folder
        self._out = out
        self._owner = owner
        self._device = device
        self._overwrite = overwrite
        self._hands: list[_Hand] = []
        self._idle: list[_Hand] = []
        self._number = 0
        self._lost = 0
        self._models: dict[str, Any] = {}

    def work(self, workers: int | None, drain: Flag, cancel: Flag) -> Iterator[Event]:
        import ray

        recover(self._ledger, self._folder, self._out)
        waiting = self._ledger.waiting()
        if not waiting:
            return
        make = self._maker()
        count = min(workers or self._places(), -(-waiting // self._together))
        for _ in range(count):
            self._hire(make)
        stopped = False
        while True:
            draining = drain.is_set() or cancel.is_set()
            busy = [hand for hand in self._hands if hand.entry is not None]
            if cancel.is_set() and not stopped:
                stopped = True
                for hand in busy:
                    hand.actor.stop.remote()
            if not draining:
                yield from self._give_out()
                busy = [hand for hand in self._hands if hand.entry is not None]
            if not busy and (draining or not self._ledger.waiting()):
                return
            pending = {hand.pending: hand for hand in self._hands if hand not in self._idle}
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=_POLL_S)
            for answer in ready:
                yield from self._hear(pending[answer], make)
            yield from self._ask()

    def _places(self) -> int:
        """How many actors the cluster has room for."""
        import ray

        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        if self._on_gpu(there):
            return max(1, int(there.get("GPU", 1)))
        return max(1, int(there.get("CPU", 1)) // self._cpus(there))

    def _on_gpu(self, there: dict[str, float]) -> bool:
        return self._device.startswith("cuda") or (self._device == "auto" and "GPU" in there)

    @staticmethod
    def _cpus(there: dict[str, float]) -> int:
        """CPUs of an actor: no more than the smallest node has."""
        nodes = [node["Resources"].get("CPU", 0) for node in _nodes() if node["Alive"]]
        return int(max(1, min([_CPUS_EACH, *(n for n in nodes if n >= 1)])))

    def _maker(self) -> Any:
        """Makes an actor."""
        import ray

        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpu = self._on_gpu(there)
        cpus = 1 if gpu else self._cpus(there)
        kind = ray.remote(_Actor).options(
            num_cpus=cpus,
            num_gpus=1 if gpu else 0,
            max_restarts=0,
            max_concurrency=self._together + 1,
        )
        # Ray shows each actor the GPU that it may use as the only one.
        return lambda: kind.remote("cuda:0" if gpu else "cpu", cpus, self._together)

    def _hire(self, make: Any) -> None:
        self._number += 1
        actor = make()
        for _ in range(self._together):
            self._hands.append(_Hand(actor, actor.ready.remote(), self._number))

    def _give_out(self) -> Iterator[Event]:
        while self._idle:
            entry = self._ledger.claim(self._owner)
            if entry is None:
                return
            hand = self._idle.pop()
            scratch = str(Path(tempfile.gettempdir()) / "vidtrans-scratch")
            order = order_of(self._ledger, entry, self._out, scratch, self._overwrite)
            hand.entry = entry
            hand.pending = hand.actor.run.remote(order.to_json(), self._model(entry.job.model))
            yield Event(
                "started", entry.name, entry.input, entry.frames, entry.done, worker=hand.number
            )

    def _model(self, name: str) -> Any:
        """The model's file in the object store, put there once; None where every node has it."""
        import ray

        path = find_bundle(name)
        if not Path(name).is_file() or not path.is_file():
            return None  # an installed model, or a folder on the shared disk
        key = f"{path} {model_digest(name)}"
        if key not in self._models:
            self._models[key] = ray.put(path.read_bytes())
        return self._models[key]

    def _hear(self, hand: _Hand, make: Any) -> Iterator[Event]:
        import ray

        entry = hand.entry
        try:
            answer = ray.get(hand.pending)
        except ray.exceptions.RayTaskError as error:  # the actor itself raised it, and is alive
            what = " ".join(str(error.cause).split()).rstrip(".")
            if entry is None:
                self._hands.remove(hand)
                raise VidtransError(f"an actor of Ray could not start: {what}.") from error
            # The model's content may be what was lost: it is put into the store again.
            self._models.clear()
            failed = Outcome("failed", error=f"its actor failed: {what}.", exit_code=1, retry=True)
            yield self._end(hand, entry, failed)
            return
        except ray.exceptions.RayError as error:
            # The death of an actor, of its node, or of what Ray kept there: never the job's fault.
            yield from self._lose(hand, make, error)
            return
        if entry is None:
            hand.node, hand.host = answer
            self._idle.append(hand)
        else:
            self._lost = 0
            yield self._end(hand, entry, Outcome(**answer))

    def _end(self, hand: _Hand, entry: Entry, outcome: Outcome) -> Event:
        """An actor answered for its job, and takes another one."""
        hand.entry = hand.asked = None
        self._idle.append(hand)
        return conclude(self._ledger, entry, outcome, hand.number)

    def _lose(self, hand: _Hand, make: Any, error: Exception) -> Iterator[Event]:
        """An actor or its node is gone: another one takes its place and its job."""
        import ray

        self._hands.remove(hand)
        for place in [each for each in self._idle if each.actor is hand.actor]:
            self._idle.remove(place)
            self._hands.remove(place)
        # One that cannot be reached may still be at work.
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(hand.actor)
        self._lost += 1
        if self._lost > _MAX_LOST:
            what = " ".join(str(error).split())
            raise VidtransError(
                f"{self._lost} actors of Ray were lost one after the other, the last one with:"
                f" {what}"
            )
        if hand.entry is not None:
            died = not _is_alive(hand.node)
            what = f"its node {hand.host} died" if died else f"its actor on {hand.host} was lost"
            yield conclude(
                self._ledger,
                hand.entry,
                Outcome("failed", error=f"{what}.", exit_code=1, retry=True),
                hand.number,
                lost=True,
                # A job may take an actor's memory, again and again; it does not take nodes down.
                counts=not died,
            )
        if not any(other.actor is hand.actor for other in self._hands):
            self._hire(make)

    def _ask(self) -> Iterator[Event]:
        """Ask the actors at work for their progress, and take up what they answered."""
        import ray

        for hand in self._hands:
            if hand.entry is None:
                continue
            if hand.asked is not None and ray.wait([hand.asked], timeout=0)[0]:
                with contextlib.suppress(ray.exceptions.RayError):
                    now = ray.get(hand.asked)
                    if now is not None:
                        if hand.entry.anew == 1:
                            self._ledger.began_anew(hand.entry.name)
                        self._ledger.progress(hand.entry.name, **now)
                        yield Event(
                            "progress",
                            hand.entry.name,
                            hand.entry.input,
                            worker=hand.number,
                            **now,
                        )
                hand.asked = None
            if hand.asked is None:
                hand.asked = hand.actor.progress.remote(hand.entry.name)

    def close(self) -> None:
        """End the actors; the jobs at work keep their finished frames and wait."""
        import ray

        busy = [hand for hand in self._hands if hand.entry is not None]
        with contextlib.suppress(ray.exceptions.RayError):
            for hand in busy:
                hand.actor.stop.remote()
            if busy:
                ray.wait([hand.pending for hand in busy], num_returns=len(busy), timeout=20)
        for hand in self._hands:  # those of one actor kill it several times, which is allowed
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(hand.actor)
        for hand in busy:
            assert hand.entry is not None
            self._ledger.give_back(hand.entry.name, counts=False)
