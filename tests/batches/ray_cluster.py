"""A batch on a Ray cluster of three nodes on this machine, of which one is killed at work.

    python ray_cluster.py INPUT OUT OPTIONS

Prints a JSON line for each event, and one for the node that was killed. A process of its own, so
that whoever starts it can set a time limit and end whatever it leaves.
"""

import json
import socket
import sys
import time
from pathlib import Path

from ray.cluster_utils import Cluster

from vidtrans.batches import on_ray
from vidtrans.batches.batch import BatchSettings, open_batch
from vidtrans.batches.plan import plan_batch
from vidtrans.media.writer import parts_folder

NODES = 3
GATE = 20
"""Frames after which jobs wait until a node was killed."""
EACH = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_log_monitor": False}


PORTS = (
    "metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)  # fmt: skip


STARTS = 6


def started(start):
    """What ``start(arguments)`` makes of a node's arguments.

    A node ends where its agents take more than 30 s to start, as on a busy machine, so it is
    started again. Given ports spare it some of the waiting.
    """
    for left in reversed(range(STARTS)):
        sockets = [socket.socket() for _ in PORTS]
        for each in sockets:
            each.bind(("", 0))
        ports = [each.getsockname()[1] for each in sockets]
        for each in sockets:
            each.close()
        try:
            return start(EACH | dict(zip(PORTS, ports, strict=True)))
        except Exception:
            if not left:
                raise
    return None


def main(source, out, options):
    gate = Path(out).parent / "gate"
    crews = []

    class Crew(on_ray._Crew):
        def __init__(self, *args, **given):
            super().__init__(*args, **given)
            crews.append(self)

    class Gated(on_ray._Actor):
        """Without it, the first actor would do all jobs before the third one has started."""

        def _progress(self, name, now):
            super()._progress(name, now)
            end = time.monotonic() + 300
            while now.done >= GATE and not gate.exists() and time.monotonic() < end:
                time.sleep(0.05)

    on_ray._Crew, on_ray._Actor = Crew, Gated
    head = {"include_dashboard": False, "no_monitor": True}
    cluster = started(lambda given: Cluster(initialize_head=True, head_node_args=given | head))
    nodes = {}
    for _ in range(NODES - 1):
        node = started(lambda given: cluster.add_node(**given))
        nodes[node.node_id] = node
    print(json.dumps({"nodes": NODES}), flush=True)
    plan = plan_batch([source], out, options=json.loads(options))
    settings = BatchSettings(out, device="cpu", ray=cluster.address)
    with open_batch(plan, settings) as opened:
        for event in opened.work():
            if event.kind != "progress":
                line = {"kind": event.kind, "job": event.name, "frames": event.frames}
                print(json.dumps({**line, "text": event.text}), flush=True)
            at_work = [hand for hand in crews[0]._hands if hand.entry is not None]
            kept = [
                hand
                for hand in at_work
                if any(parts_folder(f"{out}/{hand.entry.name}").glob("state-*"))
            ]
            if not gate.exists() and len(kept) == NODES:
                killed = next(hand for hand in kept if hand.node in nodes)
                print(json.dumps({"killed": killed.entry.name}), flush=True)
                cluster.remove_node(nodes[killed.node], allow_graceful=False)
                gate.touch()
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
