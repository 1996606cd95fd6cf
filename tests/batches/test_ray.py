"""A batch on a Ray cluster of three nodes on this machine, of which one is killed."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from vidtrans.batches import on_ray
from vidtrans.batches.job import Job
from vidtrans.batches.ledger import Ledger
from vidtrans.batches.naming import RECORD
from vidtrans.batches.plan import plan_batch
from vidtrans.batches.run import MAX_TRIES, order_of
from vidtrans.batches.runner import JobRunner, Order
from vidtrans.cli import main

SCRIPT = Path(__file__).with_name("ray_cluster.py")
LIMIT_S = 480
"""Of the cluster and its batch: 62 s where seven programs wanted two cores, minutes where sixteen
did."""


@pytest.fixture
def cluster_run(tmp_path):
    """``cluster_run(input, out, options)``: the lines of the script, of which nothing is left."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'vidtrans[cluster]'")
    mark = secrets.token_hex(8)
    # Nodes and agents that hear nothing of one another for a while, because others use the
    # processor, live.
    patient = {
        "RAY_health_check_period_ms": "5000",
        "RAY_health_check_timeout_ms": "60000",
        "RAY_agent_register_timeout_ms": "300000",
        "RAY_gcs_server_request_timeout_seconds": "45",
        "RAY_worker_register_timeout_seconds": "300",
        "RAY_USAGE_STATS_ENABLED": "0",
    }

    def run(*words):
        with (tmp_path / "cluster.log").open("w") as log:
            done = subprocess.run(
                [sys.executable, str(SCRIPT), *map(str, words)],
                env=os.environ | patient | {"VIDTRANS_TEST_CLUSTER": mark},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
        assert done.returncode == 0, (tmp_path / "cluster.log").read_text()[-4000:]
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    yield run
    for process in psutil.process_iter():
        try:
            if process.environ().get("VIDTRANS_TEST_CLUSTER") == mark:
                process.kill()
        except psutil.Error:
            continue


@pytest.mark.cluster
@pytest.mark.linux
@pytest.mark.timeout(LIMIT_S + 60)
def test_a_node_dies_and_nothing_is_lost(cluster_run, films, tiny_model, out, tmp_path, decoded):
    options = {
        "model": str(tiny_model), "labels": "cityscapes", "device": "cpu", "snapshot_every": 8
    }  # fmt: skip
    source = films(4, frames=40)
    lines = cluster_run(source, out, json.dumps(options))
    (killed,) = [line["killed"] for line in lines if "killed" in line]
    retried = [line for line in lines if line.get("kind") == "retried"]
    assert [line["job"] for line in retried] == [killed]
    assert not [line for line in lines if line.get("kind") == "failed"]
    with Ledger(out / RECORD) as record:
        entries = record.entries()
    assert [entry.state for entry in entries] == ["done"] * 4
    alone = JobRunner(device="cpu", threads=1)
    for job in plan_batch([str(source)], str(out), options=options).jobs:
        assert alone.run(Order(job, str(tmp_path / "alone"))).state == "done"
        theirs, ours = decoded(out / job.name), decoded(tmp_path / "alone" / job.name)
        assert (theirs == ours).all()


@pytest.fixture
def lose(tmp_path, monkeypatch):
    """``lose(errors)``: what is told of a job whose actors end with them, and its record."""
    ray = pytest.importorskip("ray")

    def tell(errors, *, alive=True):
        found = []
        nodes = [{"NodeID": "n", "Alive": alive, "Resources": {}}]
        monkeypatch.setattr(on_ray, "_nodes", lambda: nodes)
        monkeypatch.setattr(ray, "kill", lambda actor: None)
        with Ledger(tmp_path) as record:
            record.enter([Job("a.mp4", "/a.mkv")], {"street": ""}, exists=bool)
            crew = on_ray._Crew(record, tmp_path, str(tmp_path), "me", "cpu", 1, overwrite=False)
            monkeypatch.setattr(crew, "_hire", lambda make: None)
            for error in errors:
                entry = record.claim("me")
                order_of(record, entry, str(tmp_path), "", overwrite=False)
                hand = on_ray._Hand(None, None, 1, node="n", host="node-7", entry=entry)
                crew._hands.append(hand)

                def get(_, error=error):
                    raise error

                monkeypatch.setattr(ray, "get", get)
                found += crew._hear(hand, None)
            return found, record.entry("a.mp4")

    return tell


@pytest.mark.parametrize(
    "name",
    [
        "ActorDiedError", "ActorUnavailableError", "WorkerCrashedError", "NodeDiedError",
        "ObjectLostError", "OwnerDiedError", "RaySystemError", "GetTimeoutError",
        "LocalRayletDiedError",
    ],
)  # fmt: skip
def test_what_ray_loses_is_not_the_job_s_failure(lose, name):
    from ray import exceptions

    kind = getattr(exceptions, name)
    given = {
        "ActorUnavailableError": ("gone", b"0" * 16),
        "ObjectLostError": ("0" * 56, None, ""),
        "OwnerDiedError": ("0" * 56, None, ""),
        "RaySystemError": ("broken",),
        "NodeDiedError": ("gone",),
    }
    events, entry = lose([kind(*given.get(name, ()))])
    assert [event.kind for event in events] == ["retried"]
    assert events[0].text == "its actor on node-7 was lost."
    assert (entry.state, entry.tries, entry.before) == ("waiting", 1, "")


def test_the_death_of_nodes_is_none_of_a_job_s_tries(lose):
    from ray.exceptions import ActorDiedError

    events, entry = lose([ActorDiedError()] * 10, alive=False)
    assert {event.text for event in events} == {"its node node-7 died."}
    assert (entry.state, entry.tries) == ("waiting", 0)


def test_a_job_that_takes_every_actor_is_given_up(lose):
    from ray.exceptions import ActorDiedError

    events, entry = lose([ActorDiedError()] * MAX_TRIES)
    assert [event.kind for event in events] == ["retried"] * (MAX_TRIES - 1) + ["failed"]
    assert entry.error == "its actor on node-7 was lost. This was try 3."


def test_what_an_actor_raises_is_a_try_of_its_job(lose):
    from ray.exceptions import RayTaskError

    raised = RayTaskError("run", "", OSError("no space left"))
    events, entry = lose([raised])
    assert (events[0].kind, events[0].text) == ("retried", "its actor failed: no space left.")
    assert entry.before is None


def test_no_cluster_at_the_address(films, out, tiny_model, capfd, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "")
    words = ["batch", str(films(1)), str(out), "--ray", "nowhere", "--model", str(tiny_model)]
    assert main(words) == 2
    assert "there is no Ray cluster at 'nowhere'" in capfd.readouterr().err


@pytest.mark.parametrize("device", ["xpu", "mps", "gpu"])
def test_devices_that_ray_does_not_hand_out(films, out, tiny_model, capfd, device):
    words = ["batch", str(films(1)), str(out), "--model", str(tiny_model), "--device", device]
    assert main([*words, "--ray", "local"]) == 2
    told = capfd.readouterr().err
    assert f"not on {device!r}. Use the device auto, cpu or cuda." in told


def test_without_ray(films, out, tiny_model, capfd, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["batch", str(films(1)), str(out), "--ray", "auto", "--model", str(tiny_model)]
    assert main(words) == 2
    assert "pip install 'vidtrans[cluster]'" in capfd.readouterr().err


def test_a_model_that_a_node_lacks_keeps_its_name(tiny_model, tmp_path):
    order = Order(Job("a.mp4", "/a.mkv", json.dumps({"model": "/elsewhere/tiny.safetensors"})), "")
    place = json.loads(on_ray._with_model(order, tiny_model.read_bytes()).job.options)["model"]
    assert place.endswith("/tiny.safetensors")
    assert Path(place).read_bytes() == tiny_model.read_bytes()
