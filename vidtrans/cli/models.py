"""``vidtrans models``: list, describe, import and export models, and make styles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from vidtrans.cli.wording import size_option
from vidtrans.errors import OutputError, UsageError
from vidtrans.untrusted import UntrustedTextError, parse_json

app = typer.Typer(
    help="List, describe, import and export models, and make styles.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models that convert knows by name: those that come with vidtrans, and your own."""
    from vidtrans.model import list_bundles, models_folder

    entries = list_bundles()
    if as_json:
        rows = [
            {
                "name": entry.name,
                "path": str(entry.path),
                "embedded": entry.embedded,
                "system": entry.card.system if entry.card else None,
                "label_scheme": entry.card.label_scheme if entry.card else None,
                "licence": entry.card.licence if entry.card else None,
                "problem": entry.problem,
            }
            for entry in entries
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    for entry in entries:
        if entry.card is None:
            typer.echo(f"{entry.name:<20} unusable: {entry.problem}")
            continue
        size = (
            ""
            if entry.card.training_hw is None
            else f", trained at {entry.card.training_hw[1]}x{entry.card.training_hw[0]}"
        )
        where = "comes with vidtrans" if entry.embedded else str(entry.path)
        typer.echo(
            f"{entry.name:<20} {entry.card.system}, {entry.card.label_scheme or 'pictures'}{size} "
            f" ({where})"
        )
    typer.echo(f"Your own bundles (.safetensors) go into {models_folder()}.")


@app.command()
def info(
    model: Annotated[
        str,
        typer.Argument(
            help="A model's name, a .safetensors file, or a published checkpoint folder."
        ),
    ],
    as_json: AsJson = False,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Count the cost of a frame of this size.")
    ] = None,
) -> None:
    """Describe a model: system, sizes, classes, parameters, cost of a frame, origin, licence."""
    from vidtrans.model import describe, find_bundle, read_folder

    path = find_bundle(model)
    facts = describe(read_folder(path) if path.is_dir() else path, size_hw=size_option(size))
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    typer.echo("\n".join(f"{label:<16} {text}" for label, text in _rows(facts, path)))


@app.command("import")
def import_model(
    folder: Annotated[
        Path, typer.Argument(help="Folder of latest_net_G.pth, latest_net_G0.pth ..., opt.txt.")
    ],
    out: Annotated[Path, typer.Argument(help="The bundle to write, OUT.safetensors.")],
    system: Annotated[
        str | None,
        typer.Option(help="vid2vid, pix2pixHD or pix2pix (default: detected from the files)."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A published option that opt.txt and the tensors leave open; repeatable.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name (default: the file's).")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help="Under which the weights may be used, for the card.")
    ] = None,
    half: Annotated[
        bool, typer.Option("--half", help="Store float16: half the size, rounded to 11 bits.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing bundle.")
    ] = False,
) -> None:
    """Make a bundle of a published checkpoint folder. Nothing in the folder is run."""
    import torch

    from vidtrans.model import build, describe, read_folder, write_bundle

    _check_out(out, overwrite)
    bundle = read_folder(folder, system=system, options=_options(option or []))
    card = bundle.card.model_copy(
        update={"name": name or out.stem} | ({} if licence is None else {"licence": licence})
    )
    networks = build(card, bundle.tensors, where=bundle.where)
    write_bundle(out, card, networks.tensors(), storage=torch.float16 if half else None)
    facts = describe(networks)
    typer.echo(f"{out}: {facts['system']}, {facts['parameters'] / 1e6:.1f} million parameters")


@app.command("export")
def export_model(
    model: Annotated[str, typer.Argument(help="A model's name or a .safetensors file.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write; made where it is missing.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace checkpoint files that are there.")
    ] = False,
) -> None:
    """Write a bundle as the published code's checkpoint folder: .pth files, opt.txt, cluster
    centres."""
    from vidtrans.model import Bundle, build, find_bundle, read_bundle, write_folder

    bundle = read_bundle(find_bundle(model))
    # Built as networks, which checks that no tensor is missing; float32, as the published code
    # stores them.
    tensors = build(bundle.card, bundle.tensors, where=bundle.where).tensors()
    for file in write_folder(
        folder, Bundle(bundle.card, tensors, bundle.where), overwrite=overwrite
    ):
        typer.echo(str(file))


@app.command("styles")
def make_styles(
    model: Annotated[
        str,
        typer.Argument(
            help="A pix2pixHD with a feature encoder: name, bundle or published folder."
        ),
    ],
    pictures: Annotated[str, typer.Argument(help="Real pictures: film, folder or pattern.")],
    labels: Annotated[str, typer.Argument(help="Their labels, frame by frame.")],
    out: Annotated[Path, typer.Argument(help="The bundle to write, OUT.safetensors.")],
    instances: Annotated[
        str | None, typer.Option(help="Their 16-bit instance maps; without, a class is one thing.")
    ] = None,
    scheme: Annotated[
        str, typer.Option("--labels", help="How labels are read, as in convert.")
    ] = "auto",
    clusters: Annotated[int, typer.Option(min=1, max=255, help="Styles of a class, at most.")] = 10,
    every: Annotated[int, typer.Option(min=1, help="Use one frame in so many.")] = 1,
    least_share: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Leave out things that cover less of their picture."),
    ] = 1e-4,
    seed: Annotated[int, typer.Option(min=0, help="Where k-means begins.")] = 0,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:N, mps, xpu or xpu:N.")
    ] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing bundle.")
    ] = False,
) -> None:
    """Make a model's styles: k-means, class by class, on the features that its encoder
    gives for instances of real pictures."""
    from vidtrans.model import write_bundle
    from vidtrans.model.card_styles import style_counts
    from vidtrans.styles.sources import StyleSources, bundle_with_styles

    _check_out(out, overwrite)
    sources = StyleSources(pictures, labels, instances, scheme, every)
    bundle = bundle_with_styles(
        model, sources, clusters=clusters, seed=seed, least_share=least_share, device=device
    )
    write_bundle(out, bundle.card, bundle.tensors)
    listed = ", ".join(f"{name} ({count})" for name, count in style_counts(bundle.card).items())
    typer.echo(f"{out}: styles of {listed}")


def _check_out(out: Path, overwrite: bool) -> None:
    """Raises UsageError or OutputError where a bundle cannot be written to ``out``."""
    if out.suffix != ".safetensors":
        raise UsageError("a bundle's name ends in .safetensors.", where=out)
    if out.exists() and not overwrite:
        raise OutputError(
            "exists already.", where=out, hint="Give --overwrite to replace it, or another name."
        )


def _options(pairs: list[str]) -> dict[str, Any]:
    """Published options: numbers and booleans by type, others as text.

    Raises:
        UsageError: One of ``pairs`` is not KEY=VALUE.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or not key:
            raise UsageError(f"--option takes KEY=VALUE, as n_downsample_G=3, not {pair!r}.")
        try:
            values[key] = parse_json(text.lower() if text in ("True", "False") else text)
        except UntrustedTextError:
            values[key] = text
    return values


def _rows(facts: dict[str, Any], path: Path) -> list[tuple[str, str]]:
    """The facts of ``vidtrans.model.describe`` as (label, text)."""

    def pair(hw: Any) -> str:
        return "not known" if hw is None else f"{hw[1]}x{hw[0]}"

    classes = (
        f"{facts['label_nc']} of {facts['label_scheme']}"
        if facts["label_nc"]
        else "none: it takes pictures"
    )
    styles = ", ".join(f"{name} ({count})" for name, count in facts["styles"].items()) or (
        "none (it takes features: vidtrans models styles makes them)"
        if facts["features"]
        else "none"
    )
    past = (
        f"{facts['n_frames'] - 1} frames, {facts['scales']} scales, first frames:"
        f" {facts['first_frames']}"
    )
    return [
        ("name", facts["name"] or path.stem),
        ("file", str(path)),
        ("system", f"{facts['system']} ({facts['architecture']})"),
        ("classes", classes),
        ("instances", "used" if facts["instances"] else "not used"),
        ("history", past if facts["n_frames"] > 1 else "none: every frame by itself"),
        ("trained at", pair(facts["training_hw"])),
        ("sizes", f"multiples of {facts['size_multiple']}; others are padded"),
        ("styles", styles),
        ("parameters", f"{facts['parameters'] / 1e6:.2f} million"),
        (
            "cost",
            f"{facts['flop_per_frame'] / 1e9:.1f} GFLOP a frame at {pair(facts['flop_size_hw'])}",
        ),
        ("provenance", facts["provenance"] or "not stated"),
        ("licence", facts["licence"] or "not stated"),
    ]
