"""Training a vid2vid generator (Wang et al. 2018, "Video-to-Video Synthesis") on clips with exact
flow.

A step samples crops of consecutive frames, paints them one after another from the generator's own
pictures, and compares them with the real ones: by pixels and gradients, by two discriminators (one
sees a picture with its labels, one sees three pictures with the flow between them), by the flow,
and by how steady a picture is against the one before it.
"""

from __future__ import annotations

import copy
import json
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidtrans.errors import InputError, ModelError, UsageError
from vidtrans.model.bundle import read_bundle
from vidtrans.model.street_classes import street_classes
from vidtrans.nets.painting import Painting
from vidtrans.nets.street import StreetConfig, StreetGenerator
from vidtrans.nets.warp import warp
from vidtrans_training import checkpoint
from vidtrans_training import street_losses as losses
from vidtrans_training.config import LossSettings, TrainingConfig
from vidtrans_training.data import ClipPool, Sequences
from vidtrans_training.parallel import Workers
from vidtrans_training.rollout import paint, roll_out
from vidtrans_training.sheet import write_sheet
from vidtrans_training.street_discriminators import (
    TEMPORAL_FRAMES,
    MultiscaleDiscriminator,
    temporal_planes,
)
from vidtrans_training.textures import mean_textures, set_textures

LOG_EVERY = 20
# Losses that come from the discriminators.
JUDGED = ("adversarial", "temporal", "features")
# Share of the steps that learn the very first frames, on which all the others build.
FROM_THE_START = 0.25


@dataclass(frozen=True, eq=False)
class Trainee:
    """The networks and optimisers of a run. ``average`` is the generator's moving average, the
    one to use."""

    generator: StreetGenerator
    average: StreetGenerator
    judge: MultiscaleDiscriminator
    judge_motion: MultiscaleDiscriminator
    optimiser: torch.optim.Adam
    optimiser_judges: torch.optim.Adam

    def parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def new_trainee(config: TrainingConfig, device: torch.device) -> Trainee:
    torch.manual_seed(config.seed)
    model, judges = config.model, config.discriminator
    generator = StreetGenerator(StreetConfig(**model.model_dump()), street_classes()).to(device)
    average = copy.deepcopy(generator).requires_grad_(False)
    judge = MultiscaleDiscriminator(
        3, judges.channels, judges.layers, judges.scales, model.label_nc
    ).to(device)
    planes = TEMPORAL_FRAMES * 3 + (TEMPORAL_FRAMES - 1) * 2
    motion = MultiscaleDiscriminator(
        planes, judges.temporal_channels, judges.layers, judges.temporal_scales
    ).to(device)
    betas = (0.5, 0.999)
    optimiser = torch.optim.Adam(generator.parameters(), betas=betas)
    optimiser_judges = torch.optim.Adam([*judge.parameters(), *motion.parameters()], betas=betas)
    return Trainee(generator, average, judge, motion, optimiser, optimiser_judges)


def load_weights(generator: StreetGenerator, path: Path) -> None:
    """Puts the weights of a bundle into the generator. Layers that only the generator has stay as
    they are: they begin.

    Raises ModelError where the bundle cannot be read, or holds another network.
    """
    tensors = {
        name.removeprefix("G."): tensor.float()
        for name, tensor in read_bundle(path).tensors.items()
    }
    own = generator.state_dict()
    unfit = [
        f"its {name} has the shape {list(tensor.shape)}, and the network's {list(own[name].shape)}"
        if name in own
        else f"the network has no {name}"
        for name, tensor in tensors.items()
        if name not in own or own[name].shape != tensor.shape
    ]
    if unfit or not tensors:
        found = unfit[0] if unfit else "the file holds none"
        raise ModelError(
            f"The run cannot begin with these weights: {found}.", where=path, hint="Is [model] its?"
        )
    generator.load_state_dict(own | tensors)


def train(
    config: TrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    device: torch.device | None = None,
    workers: Workers | None = None,
) -> int:
    """Runs the schedule to its end, or until SIGINT or SIGTERM; returns the step reached.

    ``out`` receives ``checkpoint.pt``, ``log.jsonl`` and ``sheets/``. With ``resume`` the run goes
    on from its checkpoint. Raises UsageError where ``out`` holds another run, InputError where a
    clip cannot be read, ModelError where the weights to begin with do not fit.
    """
    torch.set_num_threads(config.threads)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    workers = workers or Workers()
    trainee = new_trainee(config, device)
    saved = out / "checkpoint.pt"
    if saved.exists() and not resume:
        raise UsageError(
            "There is a run in this folder already.",
            where=out,
            hint="Give --resume to go on with it.",
        )
    (out / "sheets").mkdir(parents=True, exist_ok=True)
    step = checkpoint.load(saved, trainee.parts()) if resume and saved.exists() else 0

    data = config.data
    pool = ClipPool(
        data.clips,
        data.max_clips // workers.count,
        data.hold_out,
        share=(workers.rank, workers.count),
    )
    _wait_for_clips(pool, max(data.min_clips // workers.count, 1))
    if step == 0:
        if config.begin_with is not None:
            load_weights(trainee.generator, config.begin_with)
        elif data.determined:
            set_textures(trainee.generator, mean_textures(pool.clips))
        workers.share(trainee.generator.parameters())
        trainee.average.load_state_dict(trainee.generator.state_dict())
    if workers.rank:
        return _assist(trainee, pool, step, config, workers)
    started = scanned = kept = shown = time.monotonic()
    sums: dict[str, list[float]] = defaultdict(list)
    with _stop_signals() as stopped, (out / "log.jsonl").open("a", encoding="utf-8") as log:
        while config.stage_at(step) is not None and not workers.any(bool(stopped)):
            for name, value in train_step(trainee, pool, step, config, workers).items():
                sums[name].append(value)
            step += 1
            now = time.monotonic()
            if step % LOG_EVERY == 0:
                means = {name: round(sum(values) / len(values), 5) for name, values in sums.items()}
                log.write(
                    json.dumps(
                        {
                            "step": step,
                            "s": round(now - started, 1),
                            "clips": len(pool.clips),
                            **means,
                        }
                    )
                    + "\n"
                )
                log.flush()
                sums.clear()
            if now - scanned > config.data.rescan_s:
                pool.refresh()
                scanned = time.monotonic()
            if now - kept > config.checkpoint_minutes * 60:
                checkpoint.save(saved, trainee.parts(), step, config)
                kept = time.monotonic()
            if now - shown > config.sheet_minutes * 60 or step == 200:
                show(trainee, pool, out, step, log)
                shown = time.monotonic()
        checkpoint.save(saved, trainee.parts(), step, config)
        show(trainee, pool, out, step, log)
    return step


def _assist(
    trainee: Trainee, pool: ClipPool, step: int, config: TrainingConfig, workers: Workers
) -> int:
    """The part of a worker that writes nothing: the same steps on other crops."""
    scanned = time.monotonic()
    with _stop_signals() as stopped:
        while config.stage_at(step) is not None and not workers.any(bool(stopped)):
            train_step(trainee, pool, step, config, workers)
            step += 1
            if time.monotonic() - scanned > config.data.rescan_s:
                pool.refresh()
                scanned = time.monotonic()
    return step


def train_step(
    trainee: Trainee,
    pool: ClipPool,
    step: int,
    config: TrainingConfig,
    workers: Workers | None = None,
) -> dict[str, float]:
    """One step of the discriminators and the generator; returns the losses, unweighted.

    What is drawn by chance depends on the seed, the step and the worker alone, so that a resumed
    run is the same run.
    """
    workers = workers or Workers()
    rng = np.random.default_rng((config.seed, step, workers.rank))
    at = config.stage_at(step)
    assert at is not None, "the schedule is over"
    stage, done = at
    device = next(trainee.generator.parameters()).device
    lr = stage.lr if stage.lr_end is None else stage.lr + (stage.lr_end - stage.lr) * done
    _set_rate(trainee.optimiser, lr, stage.momentum)
    _set_rate(trainee.optimiser_judges, stage.lr_discriminator * lr / stage.lr, stage.momentum)
    past = config.model.n_frames - 1
    free = bool(rng.random() < stage.free)
    ahead = 0 if rng.random() < FROM_THE_START else int(rng.integers(stage.rollout + 1))
    count = past + ahead + stage.frames
    data = config.data
    sampled = pool.sample(
        rng,
        stage.batch,
        count,
        stage.crop,
        flip=data.flip,
        no_instances=data.no_instances,
        still=data.still,
    )
    batch = sampled.to(device)

    with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        pictures = [] if free else list(batch.real[:, :past].unbind(1))
        if ahead:
            with torch.no_grad():
                warmed = paint(trainee.generator, batch, range(past, past + ahead), pictures)
                pictures += [painting.picture for _, painting in warmed]
        painted = dict(
            paint(trainee.generator, batch, range(count - stage.frames, count), pictures)
        )
        shown = {count - stage.frames - 1: pictures[-1]} if pictures else {}
        shown |= {t: painting.picture.detach() for t, painting in painted.items()}
        before = {t: shown.get(t - 1) for t in painted}
        values = picture_losses(
            painted,
            before,
            batch,
            config.losses,
            free and stage.adversarial and not data.determined,
        )
        if stage.adversarial:
            values |= _judged(trainee, painted, batch, rng, workers)
    weights = config.losses
    total = torch.zeros((), device=device)
    for name, value in values.items():
        if name.startswith("judges"):
            continue  # the discriminators' own, already stepped
        judged = stage.judged if name.removesuffix("_motion") in JUDGED else 1.0
        total = total + judged * getattr(weights, name.removesuffix("_motion")) * value
    trainee.optimiser.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    workers.average_gradients(trainee.generator.parameters())
    norm = torch.nn.utils.clip_grad_norm_(trainee.generator.parameters(), 50.0)
    trainee.optimiser.step()
    _follow(trainee.average, trainee.generator, min(config.ema, (1 + step) / (10 + step)))
    return {name: value.item() for name, value in values.items()} | {"norm": norm.item()}


def picture_losses(
    painted: dict[int, Painting],
    before: dict[int, Tensor | None],
    batch: Sequences,
    weights: LossSettings,
    free: bool,
) -> dict[str, Tensor]:
    """The losses that need no discriminator, each the mean over the frames that have it.

    ``free``: there was no real picture to go on from, and a discriminator sees to details; then
    colours are compared and gradients are not, for the average of all possible details would be
    none.
    """
    found: dict[str, list[Tensor]] = defaultdict(list)
    for t, painting in painted.items():
        real, trusted, flow = batch.real[:, t], batch.trusted[:, t], batch.flow[:, t]
        if free:
            found["free"].append(losses.pyramid_l1(painting.picture, real, range(5)))
        else:
            found["pixels"].append(losses.pyramid_l1(painting.picture, real))
            found["gradients"].append(losses.gradient_l1(painting.picture, real))
        if painting.flow is None or painting.raw is None or painting.weight is None:
            continue
        if not free:
            pixels, gradients = (
                losses.pyramid_l1(painting.raw, real),
                losses.gradient_l1(painting.raw, real),
            )
            found["raw"].append(weights.pixels * pixels + weights.gradients * gradients)
        previous = batch.real[:, t - 1]
        found["flow"].append(losses.masked_l1(painting.flow, flow, trusted))
        found["warp"].append(losses.masked_l1(warp(previous, painting.flow), real, trusted))
        sure = losses.trusted_flow(warp(previous, flow), real, trusted)
        found["weight"].append((painting.weight * sure).mean())
        old = before[t]
        if old is not None:
            found["steady"].append(losses.masked_l1(painting.picture, warp(old, flow), trusted))
    return {name: torch.stack(values).mean() for name, values in found.items()}


def _judged(
    trainee: Trainee,
    painted: dict[int, Painting],
    batch: Sequences,
    rng: np.random.Generator,
    workers: Workers,
) -> dict[str, Tensor]:
    """A step of the discriminators, then what they say to the generator.

    A picture's discriminator sees raw and final pictures by turns: were it only for the final ones,
    nothing would keep raw ones sharp where most is carried over, and newly seen things would come
    out blurred.
    """
    times = list(painted)
    shown = [
        painting.raw if painting.raw is not None and rng.random() < 0.5 else painting.picture
        for painting in painted.values()
    ]
    fake = torch.cat(shown)
    real, ids, edges = (
        torch.cat([part[:, t] for t in times]) for part in (batch.real, batch.ids, batch.edges)
    )
    planes: tuple[Tensor, Tensor] | None = None
    if len(times) >= TEMPORAL_FRAMES:
        last = times[-TEMPORAL_FRAMES:]
        flows = batch.flow[:, last[1:]] * batch.trusted[:, last[1:]]
        fakes = torch.stack([painted[t].picture for t in last], dim=1)
        planes = temporal_planes(batch.real[:, last], flows), temporal_planes(fakes, flows)

    trainee.judge.requires_grad_(True)
    trainee.judge_motion.requires_grad_(True)
    of_real = trainee.judge(real, ids, edges)
    of_fake = trainee.judge(fake.detach(), ids, edges)
    judges = losses.hinge_discriminator(of_real.scores, of_fake.scores)
    values = {"judges": judges.detach()}
    if planes is not None:
        motion_real = trainee.judge_motion(planes[0])
        motion = losses.hinge_discriminator(
            motion_real.scores, trainee.judge_motion(planes[1].detach()).scores
        )
        values["judges_motion"] = motion.detach()
        judges = judges + motion
    trainee.optimiser_judges.zero_grad(set_to_none=True)
    judges.backward()  # type: ignore[no-untyped-call]
    workers.average_gradients([*trainee.judge.parameters(), *trainee.judge_motion.parameters()])
    trainee.optimiser_judges.step()

    trainee.judge.requires_grad_(False)
    trainee.judge_motion.requires_grad_(False)
    of_fake = trainee.judge(fake, ids, edges)
    values["adversarial"] = losses.hinge_generator(of_fake.scores)
    values["features"] = losses.feature_matching(of_fake.activations, of_real.activations)
    if planes is not None:
        of_motion = trainee.judge_motion(planes[1])
        values["temporal"] = losses.hinge_generator(of_motion.scores)
        values["features_motion"] = losses.feature_matching(
            of_motion.activations, motion_real.activations
        )
    return values


def show(trainee: Trainee, pool: ClipPool, out: Path, step: int, log: Any) -> None:
    """Writes a sample sheet of a held-out clip (of a training clip where none is held out) and
    its figures into the log."""
    clips = pool.held_out() or pool.clips[:1]
    for number, clip in enumerate(clips[:2]):
        rollout = roll_out(trainee.average, clip, 24)
        write_sheet(out / "sheets" / f"{step:06d}_{number}.png", rollout)
        figures = {
            "error": rollout.error,
            "flicker": rollout.flicker,
            "flicker_real": rollout.flicker_real,
        }
        log.write(
            json.dumps(
                {"step": step, "clip": clip.name} | {k: round(v, 5) for k, v in figures.items()}
            )
            + "\n"
        )
        log.flush()


def _set_rate(optimiser: torch.optim.Adam, lr: float, momentum: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = lr
        group["betas"] = (momentum, group["betas"][1])


@torch.no_grad()
def _follow(average: torch.nn.Module, network: torch.nn.Module, keep: float) -> None:
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        slow.lerp_(fast, 1 - keep)


def _wait_for_clips(pool: ClipPool, count: int) -> None:
    if not pool.folder.is_dir():
        raise InputError("The folder of clips does not exist.", where=pool.folder)
    while pool.refresh() < count:
        time.sleep(5)


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that fills when the run is asked to stop; the step in progress is finished first."""
    stopped: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: stopped.append(n))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
