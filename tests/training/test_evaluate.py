"""Pictures of a run compared with the real ones."""

import json

import pytest
import torch
from typer.testing import CliRunner
from vidtrans_training.cli import app
from vidtrans_training.clip import Clip
from vidtrans_training.evaluate import evaluate, warping_errors
from vidtrans_training.loop import train

from vidtrans.errors import ModelError

pytestmark = pytest.mark.usefixtures("one_thread")


def moving(values: list[float]) -> torch.Tensor:
    """Pictures [T,3,4,4], each of one value."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 3, 4, 4).contiguous()


def clip_of(count: int, trusted: torch.Tensor) -> Clip:
    flow = torch.zeros(count, 2, 4, 4)
    labels = torch.zeros(count, 4, 4, dtype=torch.uint8)
    real = torch.zeros(count, 3, 4, 4)
    return Clip(real=real, labels=labels, flow={1: flow}, confidence={1: trusted})


def test_warping_errors_are_means_over_the_trusted_pixels():
    trusted = torch.ones(3, 1, 4, 4)
    trusted[2, :, 2:] = 0
    pictures = moving([0.0, 0.5, 0.25])
    pictures[2, :, 2:] = -1.0  # not trusted, so it does not count
    found = warping_errors(pictures, clip_of(3, trusted))
    assert found.tolist() == pytest.approx([0.5, 0.25])


def test_warping_follows_the_flow():
    ramp = torch.arange(4.0).expand(1, 3, 4, 4) / 10
    moved = torch.cat([ramp, ramp + 0.1])  # each pixel has what lay one pixel to its right
    clip = clip_of(2, torch.ones(2, 1, 4, 4))
    clip.flow[1][1, 0] = 1.0
    trusted = clip.confidence[1]
    trusted[..., 3] = 0  # beyond the border
    assert warping_errors(moved, clip).tolist() == pytest.approx([0.0], abs=1e-6)


def test_a_frame_without_trusted_flow_is_left_out():
    trusted = torch.ones(3, 1, 4, 4)
    trusted[1] = 0
    assert len(warping_errors(moving([0.0, 1.0, 1.0]), clip_of(3, trusted))) == 1


@pytest.mark.parametrize("system", ["pix2pix", "pix2pixhd", "vid2vid", "street"])
def test_every_system_is_evaluated(system, tiny_settings, tmp_path):
    settings = tiny_settings(system, run={"steps": 2, "checkpoint_steps": 1})
    train(settings, tmp_path / "run")
    first, last = evaluate(tmp_path / "run", most_frames=3, all_checkpoints=True)
    assert (first.step, last.step) == (1, 2)
    assert last.frames > 0
    assert 0 < last.l1 < 2
    if system in ("vid2vid", "street"):
        assert 0 <= last.warping_error < 2
        assert 0 <= last.real_warping_error < 2


def test_the_command_prints_json(tiny_settings, tmp_path):
    train(tiny_settings("pix2pix", run={"steps": 1}), tmp_path / "run")
    result = CliRunner().invoke(app, ["evaluate", str(tmp_path / "run")])
    assert json.loads(result.stdout)["step"] == 1


def test_a_run_without_checkpoints(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(ModelError, match="no folder of a training run"):
        next(evaluate(tmp_path / "run"))
