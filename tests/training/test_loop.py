"""The loop on toy data: it trains every system, shows itself, and a run that was killed goes on as
if nothing had happened."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from vidtrans_training import checkpoint
from vidtrans_training.checkpoint import checkpoints, read_checkpoint
from vidtrans_training.datasets.feed import WorkerKilled
from vidtrans_training.loop import Trainer, train
from vidtrans_training.run_folder import settings_json
from vidtrans_training.update import Diverged, Updater

from vidtrans.errors import InputError, Interrupted, ModelError, OutputError, UsageError

pytestmark = pytest.mark.usefixtures("one_thread")
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SYSTEMS = ("pix2pix", "pix2pixhd", "vid2vid", "street")


def log_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def newest(out: Path) -> dict:
    return read_checkpoint(checkpoints(out / "checkpoints")[-1])


def differences(one: dict, other: dict) -> list[str]:
    """The places in two checkpoints that differ by a bit."""
    found, same = (dict(torch.utils._pytree.tree_flatten_with_path(s)[0]) for s in (one, other))
    assert found.keys() == same.keys()
    return [
        torch.utils._pytree.keystr(place)
        for place, value in found.items()
        if not (
            torch.equal(value, same[place])
            if isinstance(value, torch.Tensor)
            else value == same[place]
        )
    ]


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "training"), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@contextlib.contextmanager
def stepping(program: list, folder: Path) -> Iterator[subprocess.Popen]:
    """A run with the settings of ``folder`` in processes of its own, which has done its first
    steps. None of them is left afterwards."""
    process = subprocess.Popen(
        [sys.executable, *program, folder / "settings.json", folder / "run"],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        while not (line := process.stderr.readline()).startswith("step"):
            assert line, "the run ended before its first steps"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_leaves_log_checkpoint_samples_and_board(system, tiny_settings, tmp_path):
    settings = tiny_settings(system, run={"steps": 3})
    assert train(settings, tmp_path / "run") == 3
    (line,) = log_of(tmp_path / "run")
    assert line["step"] == 3
    assert {"G_GAN", "D_real", "D_fake"} <= set(line)
    assert line["lr"]["G"] == pytest.approx(2e-4)
    assert line["s"] >= 0
    assert line["cpu_s"] > 0
    assert 100 < line["peak_mb"] < psutil.virtual_memory().total / 1e6
    assert [path.name for path in checkpoints(tmp_path / "run" / "checkpoints")] == [
        "step_00000003.pt"
    ]
    assert list((tmp_path / "run" / "samples").iterdir())
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["system"] == system
    assert facts["versions"]["python"] == sys.version.split()[0]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_run_killed_after_ten_steps_goes_on_to_the_bit(system, tiny_settings, tmp_path):
    """20 steps are 10, kill -9 and 10 more."""
    settings = tiny_settings(system, run={"steps": 20, "checkpoint_steps": 10, "keep": 9})
    whole, part = tmp_path / "whole", tmp_path / "part"
    train(settings, whole)
    (tmp_path / "settings.json").write_text(json.dumps(settings_json(settings)))
    killed = subprocess.run(
        [sys.executable, HERE / "killed_run.py", tmp_path / "settings.json", part, "10"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in checkpoints(part / "checkpoints")] == ["step_00000010.pt"]
    assert train(settings, part, resume=True) == 20
    assert differences(newest(whole), newest(part)) == []
    assert [line["step"] for line in log_of(part)] == [line["step"] for line in log_of(whole)]


def test_sigterm_saves_and_ends(tiny_settings, tmp_path):
    settings = tiny_settings("pix2pix", run={"steps": 5000})
    timer = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    with pytest.raises(Interrupted, match="stopped after step"):
        train(settings, tmp_path / "run")
    timer.join()
    assert newest(tmp_path / "run")["step"] >= 1
    # The handlers are those from before again.
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_to_the_whole_group_is_saved_too(tiny_settings, tmp_path):
    """As ``timeout`` and systemd send it: to the workers as well."""
    settings = tiny_settings("pix2pix", run={"steps": 100000}, data={"workers": 1})
    (tmp_path / "settings.json").write_text(json.dumps(settings_json(settings)))
    with stepping([HERE / "whole_run.py"], tmp_path) as process:
        os.killpg(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert "stopped after step" in said
    assert "DataLoader" not in said
    assert newest(tmp_path / "run")["step"] >= 20


@pytest.mark.posix
def test_a_killed_worker_is_a_sentence(tiny_settings, tmp_path):
    """As the system kills one when memory runs out."""
    settings = tiny_settings("pix2pix", run={"steps": 100000}, data={"workers": 2})
    (tmp_path / "settings.json").write_text(json.dumps(settings_json(settings)))
    with stepping(["-c", COMMAND], tmp_path) as process:
        psutil.Process(process.pid).children()[0].kill()
        _, said = process.communicate(timeout=120)
    assert process.returncode == WorkerKilled.exit_code == 1
    assert "Traceback" not in said
    assert "DataLoader" not in said
    (error,) = (line for line in said.splitlines() if "vidtrans-train: error" in line)
    assert "one of the 2 processes that read and decode the data was killed (SIGKILL)" in error
    assert "Give fewer workers" in error
    assert error.endswith("go on from the newest checkpoint with --resume.")


COMMAND = """
import json, sys
from pathlib import Path
from vidtrans_training import cli
from vidtrans_training.loop import train
from vidtrans_training.settings import parse_settings
settings = parse_settings(json.loads(Path(sys.argv[1]).read_text()))
cli.app = lambda: train(settings, Path(sys.argv[2]))
cli.main()
"""


@pytest.mark.parametrize(
    ("system", "options"),
    [
        ("pix2pix", {"no_dropout": True}),  # every process draws random numbers of its own
        ("pix2pixhd", {"pool_size": 0}),
        ("vid2vid", {}),
    ],
)
def test_two_processes_are_one_with_the_same_global_batch(system, options, tiny_settings, tmp_path):
    alone = tiny_settings(system, run={"steps": 5, "accumulate": 2}, options=options)
    both = alone.model_copy(update={"run": alone.run.model_copy(update={"accumulate": 1})})
    (tmp_path / "settings.json").write_text(json.dumps(settings_json(both)))
    found = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2"),
            *(HERE / "whole_run.py", tmp_path / "settings.json", tmp_path / "both"),
        ],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    train(alone, tmp_path / "alone")
    (one,), (two,) = log_of(tmp_path / "alone"), log_of(tmp_path / "both")
    losses = [name for name in one if name not in ("step", "s", "cpu_s", "peak_mb", "lr")]
    assert {name: two[name] for name in losses} == pytest.approx(
        {name: one[name] for name in losses}, rel=1e-5, abs=1e-6
    )


def test_a_run_is_not_begun_over_another(tiny_settings, tmp_path):
    settings = tiny_settings("pix2pix", run={"steps": 1})
    train(settings, tmp_path / "run")
    with pytest.raises(UsageError, match="--resume"):
        train(settings, tmp_path / "run")


def test_a_run_that_cannot_begin_leaves_its_folder_free(tiny_settings, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    with_vgg = tiny_settings("pix2pixhd", options={"no_vgg_loss": False}, run={"steps": 1})
    with pytest.raises(InputError, match="VGG19's weights"):
        train(with_vgg, tmp_path / "run")
    assert train(tiny_settings("pix2pixhd", run={"steps": 1}), tmp_path / "run") == 1


def test_a_run_of_another_system_is_not_gone_on_with(tiny_settings, tmp_path):
    train(tiny_settings("pix2pix", run={"steps": 1}), tmp_path / "run")
    with pytest.raises(UsageError, match="one of pix2pix, not of pix2pixhd"):
        train(tiny_settings("pix2pixhd", run={"steps": 2}), tmp_path / "run", resume=True)


def test_another_order_of_the_data_is_refused(tiny_settings, tmp_path):
    train(tiny_settings("pix2pix", run={"steps": 1}), tmp_path / "run")
    with pytest.raises(UsageError, match="seed"):
        train(tiny_settings("pix2pix", run={"steps": 2, "seed": 5}), tmp_path / "run", resume=True)


def test_networks_of_another_shape_are_refused(tiny_settings, tmp_path):
    train(tiny_settings("pix2pix", run={"steps": 1}), tmp_path / "run")
    other = tiny_settings("pix2pix", options={"ngf": 4}, run={"steps": 2})
    with pytest.raises(ModelError, match="does not fit these settings"):
        train(other, tmp_path / "run", resume=True)


def test_a_folder_without_a_run_is_refused(tiny_settings, tmp_path):
    with pytest.raises(ModelError, match="no folder of a training run"):
        train(tiny_settings("pix2pix"), tmp_path, resume=True)


def test_a_checkpoint_cut_off_is_refused_and_the_one_before_named(tiny_settings, tmp_path):
    settings = tiny_settings("pix2pix", run={"steps": 2, "checkpoint_steps": 1})
    train(settings, tmp_path / "run")
    before, last = checkpoints(tmp_path / "run" / "checkpoints")
    last.write_bytes(last.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=f"Remove it to go on from {before.name}"):
        train(settings, tmp_path / "run", resume=True)
    last.unlink()
    assert train(settings, tmp_path / "run", resume=True) == 2


def test_a_run_of_a_newer_version_is_refused(tiny_settings, tmp_path):
    settings = tiny_settings("pix2pix", run={"steps": 1})
    train(settings, tmp_path / "run")
    facts = tmp_path / "run" / "run.json"
    content = json.loads(facts.read_text())
    facts.write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(ModelError, match="newer vidtrans"):
        train(settings, tmp_path / "run", resume=True)


def test_only_so_many_checkpoints_are_kept(tiny_settings, tmp_path):
    train(tiny_settings("pix2pix", run={"steps": 4, "checkpoint_steps": 1, "keep": 2}), tmp_path)
    assert [path.name for path in checkpoints(tmp_path / "checkpoints")] == [
        "step_00000003.pt",
        "step_00000004.pt",
    ]


def test_a_full_disk_keeps_the_last_good_checkpoint(tiny_settings, tmp_path, monkeypatch):
    settings = tiny_settings("pix2pix", run={"steps": 2, "checkpoint_steps": 1, "keep": 1})
    save = torch.save

    def full(state, path):
        if state["step"] == 2:
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(state, path)

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(OutputError, match="no space left"):
        train(settings, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    assert [path.name for path in folder.iterdir()] == ["step_00000001.pt"]
    monkeypatch.setattr(checkpoint.torch, "save", save)
    assert train(settings, tmp_path / "run", resume=True) == 2


def test_a_loss_that_is_no_number_stops_with_step_term_and_frame(
    tiny_settings, tmp_path, monkeypatch
):
    learn = Updater.learn

    def spoil(self, clips, *, step=0):
        if step == 2:
            clips[0].real[-1, 0, 3, 3] = float("nan")
        return learn(self, clips, step=step)

    monkeypatch.setattr(Updater, "learn", spoil)
    with pytest.raises(Diverged, match=r"in step 2: \w+ is nan at .*\.png"):
        train(tiny_settings("vid2vid", run={"steps": 3, "checkpoint_steps": 1}), tmp_path / "run")
    assert newest(tmp_path / "run")["step"] == 1


@pytest.mark.parametrize("system", ["pix2pixhd", "vid2vid", "street"])
def test_recomputed_activations_give_the_same_steps(system, tiny_settings, tmp_path):
    for name, recompute in (("kept", False), ("again", True)):
        settings = tiny_settings(system, run={"steps": 3, "checkpointing": recompute})
        train(settings, tmp_path / name)
    assert differences(newest(tmp_path / "kept"), newest(tmp_path / "again")) == []


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_with_weights_in_full(precision, tiny_settings, tmp_path):
    train(tiny_settings("pix2pixhd", run={"steps": 2, "precision": precision}), tmp_path)
    state = newest(tmp_path)
    assert bool(state["scaler"]) is (precision == "fp16")
    weights = [t for t in state["state"]["networks"]["G"].values() if t.is_floating_point()]
    assert {t.dtype for t in weights} == {torch.float32}


def test_samples_change_nothing(tiny_settings, tmp_path):
    whole = {"steps": 4, "sample_minutes": 1e-9}
    train(tiny_settings("pix2pix", run=whole), tmp_path / "often")
    train(tiny_settings("pix2pix", run={"steps": 4}), tmp_path / "seldom")
    assert len(list((tmp_path / "often" / "samples").iterdir())) == 4
    assert differences(newest(tmp_path / "often"), newest(tmp_path / "seldom")) == []


def test_the_schedule_ends_the_run(tiny_settings, tmp_path):
    options = {"n_epochs": 1, "n_epochs_decay": 2}
    steps = train(tiny_settings("pix2pix", options=options), tmp_path / "run")
    assert steps == 3 * 4
    state = newest(tmp_path / "run")["state"]
    assert state["epoch"] == 3
    # After three steps of the scheduler the rate is 1 - 3 / (2 + 1) of lr.
    assert state["optimisers"]["G"]["param_groups"][0]["lr"] == pytest.approx(0)


def test_mean_textures_are_what_the_pictures_show(tiny_settings, tmp_path, monkeypatch):
    trainers = []
    run = Trainer.run
    monkeypatch.setattr(Trainer, "run", lambda self: trainers.append(self) or run(self))
    train(tiny_settings("street", run={"steps": 1}, options={"lr": 0.0}), tmp_path / "run")
    texels = dict(trainers[0].system.generator.named_parameters())
    shown = next(value for name, value in texels.items() if name.startswith("things"))
    assert shown.detach()[:, 0].max() > 0.3  # the post is red
