"""A batch on a Ray cluster of three nodes on this machine, of which one is killed."""

import json
import signal
from pathlib import Path

import pytest

from vidtrans.batches.batch import BatchSettings, open_batch
from vidtrans.batches.ledger import Ledger
from vidtrans.batches.naming import RECORD
from vidtrans.batches.on_ray import _with_model
from vidtrans.batches.plan import plan_batch
from vidtrans.batches.runner import JobRunner, Order
from vidtrans.cli import main

NODES = 3


@pytest.fixture
def cluster():
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'vidtrans[cluster]'")
    from ray.cluster_utils import Cluster

    # A node that is started from here sets a handler of its own.
    handler = signal.getsignal(signal.SIGTERM)

    each = {"num_cpus": 1, "object_store_memory": 80 << 20}
    found = Cluster(initialize_head=True, head_node_args={**each, "include_dashboard": False})
    try:
        for _ in range(NODES - 1):
            found.add_node(**each)
        yield found
    finally:
        found.shutdown()
        signal.signal(signal.SIGTERM, handler)


@pytest.mark.slow  # a minute and more, and Ray's own time limits fail on a busy machine
@pytest.mark.cluster
@pytest.mark.linux
@pytest.mark.timeout(600)
def test_a_node_dies_and_nothing_is_lost(cluster, films, tiny_model, out, tmp_path, decoded):
    options = {
        "model": str(tiny_model), "labels": "cityscapes", "device": "cpu", "snapshot_every": 8
    }  # fmt: skip
    plan = plan_batch([str(films(4, frames=60))], str(out), options=options)
    settings = BatchSettings(str(out), device="cpu", ray=cluster.address)
    node = cluster.worker_nodes.copy().pop()
    at_work, kinds = set(), []
    with open_batch(plan, settings) as opened:
        for event in opened.work():
            kinds.append(event.kind)
            if event.kind == "started":
                at_work.add(event.name)
            elif event.kind != "progress":
                at_work.discard(event.name)
            if node is not None and len(at_work) == NODES and any(out.rglob("state-*")):
                cluster.remove_node(node, allow_graceful=False)
                node = None
    assert node is None, "all three nodes were never at work at once"
    assert kinds.count("retried") == 1
    assert (kinds.count("done"), kinds.count("failed")) == (4, 0)
    with Ledger(out / RECORD) as record:
        entries = record.entries()
    assert [entry.state for entry in entries] == ["done"] * 4
    alone = JobRunner(device="cpu", threads=1)
    for job in plan.jobs:
        assert alone.run(Order(job, str(tmp_path / "alone"))).state == "done"
        theirs, ours = decoded(out / job.name), decoded(tmp_path / "alone" / job.name)
        assert (theirs == ours).all()


def test_no_cluster_at_the_address(films, out, tiny_model, capfd, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "")
    words = ["batch", str(films(1)), str(out), "--ray", "nowhere", "--model", str(tiny_model)]
    assert main(words) == 2
    assert "there is no Ray cluster at 'nowhere'" in capfd.readouterr().err


def test_without_ray(films, out, tiny_model, capfd, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["batch", str(films(1)), str(out), "--ray", "auto", "--model", str(tiny_model)]
    assert main(words) == 2
    assert "pip install 'vidtrans[cluster]'" in capfd.readouterr().err


def test_a_model_that_a_node_lacks_keeps_its_name(tiny_model, tmp_path):
    from vidtrans.batches.job import Job

    order = Order(Job("a.mp4", "/a.mkv", json.dumps({"model": "/elsewhere/tiny.safetensors"})), "")
    place = json.loads(_with_model(order, tiny_model.read_bytes()).job.options)["model"]
    assert place.endswith("/tiny.safetensors")
    assert Path(place).read_bytes() == tiny_model.read_bytes()
