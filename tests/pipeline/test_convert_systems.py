"""The image systems through a whole conversion: films frame by frame, styles that stay, edits,
dropout by a seed."""

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from vidtrans.errors import InputError, ModelError, UsageError
from vidtrans.labels.edit import DeleteInstance, EditList, RelabelClass, StyleClass, StyleInstance
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import ConvertSettings

CAR = 26
CENTRES = np.linspace(-1, 1, 12).reshape(4, 3).tolist()
HD = {"channels": 4, "downsamplings": 2, "blocks": 1, "feature_nc": 3}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, random_networks):
    """``bundle(name, **card)``: a random model's file."""
    from vidtrans.model import Card, write_bundle

    def make(name, **fields):
        card = Card(name=name, **fields)
        path = tmp_path_factory.mktemp("models") / f"{name}.safetensors"
        write_bundle(path, card, random_networks(card).tensors())
        return str(path)

    return make


@pytest.fixture(scope="module")
def hd(bundle):
    """A pix2pixHD with four styles of cars."""
    return bundle("hd", system="pix2pixhd", generator=HD, styles={str(CAR): CENTRES})


@pytest.fixture
def films(tmp_path, grey_film, scene):
    """Labels and instance maps of five frames, with two cars."""
    ids = [scene(n) for n in range(5)]
    maps = []
    for n, frame in enumerate(ids):
        frame[16:24, 44 - n : 52 - n] = CAR
        instances = frame.astype(np.uint16)
        instances[frame == CAR] = 26001
        instances[16:24, 44 - n : 52 - n] = 26002
        maps.append(instances)
    grey_film(tmp_path / "labels.mkv", ids)
    grey_film(tmp_path / "instances.mkv", maps)
    return np.stack(ids), np.stack(maps)


@pytest.fixture
def run(films, hd, tmp_path, decoded):
    def make(**values):
        settings = {
            "input": str(tmp_path / "labels.mkv"),
            "output": str(tmp_path / "out"),
            "model": hd,
            "labels": "cityscapes",
        }
        return decoded(
            convert(ConvertSettings.read(**settings | {"overwrite": True} | values)).output
        )

    return make


def as_bytes(pictures):
    return np.clip(np.rint((pictures + 1) * 127.5), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def test_pix2pixhd_frame_by_frame_with_styles_and_edits(run, films, hd, tmp_path):
    """The film holds what the arrays' way gives: one thing edits both, before boundaries."""
    from vidtrans import load_model

    labels, maps = films
    edits = EditList(
        (
            RelabelClass("building", "sky"),
            StyleClass("car", 1),
            StyleInstance(26002, 3),
            DeleteInstance(26001, 3),
        )
    )
    film = run(instances=str(tmp_path / "instances.mkv"), edits=edits)
    expected = load_model(hd).translate(labels=labels, instances=maps.astype(np.int32), edits=edits)
    assert np.array_equal(film, as_bytes(expected))
    assert not np.array_equal(film, run(instances=str(tmp_path / "instances.mkv")))


def test_a_seed_gives_the_same_film_again_and_other_seeds_others(run, tmp_path):
    instances = str(tmp_path / "instances.mkv")
    films = [run(instances=instances, seed=seed) for seed in (1, 1, 2, 3)]
    assert np.array_equal(films[0], films[1])
    assert any(not np.array_equal(films[0], other) for other in films[2:])


def test_pix2pix_paints_pictures_with_and_without_dropout(bundle, run, tmp_path):
    model = bundle(
        "p2p",
        system="pix2pix",
        generator={"channels": 2, "downsamplings": 5, "norm": "batch"},
        label_scheme=None,
    )
    deep = bundle(
        "deep", system="pix2pix", generator={"channels": 2, "downsamplings": 6}, label_scheme=None
    )
    (tmp_path / "pictures").mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (33, 70, 3), np.uint8)
    for n in range(3):
        cv2.imwrite(str(tmp_path / "pictures" / f"{n}.png"), picture)
    pictures = str(tmp_path / "pictures")
    plain = run(input=pictures, model=model)
    assert plain.shape == (3, 33, 70, 3)
    one, two = (run(input=pictures, model=deep, seed=seed) for seed in (1, 2))
    assert np.array_equal(one[0], one[2])
    assert not np.array_equal(one, two)
    # Five halvings leave no inner block that drops.
    with pytest.raises(UsageError, match="nothing in p2p varies"):
        run(input=pictures, model=model, seed=1)
    with pytest.raises(UsageError, match="no labels to edit"):
        run(input=pictures, model=model, edits=EditList((RelabelClass("road", "sky"),)))


# -- mistakes: one sentence, and nothing written ---------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (StyleClass("sky", 0), r"class sky has no styles\. Those with styles: car \(4\)"),
        (StyleClass("catr", 0), r"no class 'catr'\. Did you mean .*car"),
        (StyleClass("car", 4), "class car has no style 4; its styles are 0 to 3"),
        (StyleInstance(26001, 9), "no style 9 for instance 26001"),
        (RelabelClass("building", "skyy"), r"no class 'skyy'\. Did you mean sky"),
    ],
)
def test_styles_and_classes_that_there_are_not(run, tmp_path, edit, said):
    with pytest.raises(UsageError, match=said):
        run(edits=EditList((edit,)), instances=str(tmp_path / "instances.mkv"))
    assert not (tmp_path / "out").exists()


def test_instances_without_a_map(run, tmp_path):
    with pytest.raises(UsageError, match="no instance maps"):
        run(edits=EditList((StyleInstance(26001, 1),)))
    assert not (tmp_path / "out").exists()


def test_styles_asked_of_a_model_that_has_none(run, tiny_model, bundle, tmp_path):
    edits = EditList((StyleClass("car", 1),))
    with pytest.raises(UsageError, match=r"tiny has no styles to choose from.*first_frame"):
        run(model=str(tiny_model), edits=edits)
    bare = bundle("bare", system="pix2pixhd", generator=HD)
    with pytest.raises(UsageError, match=r"bare takes features, and its file holds no styles\.$"):
        run(model=bare, edits=edits)
    with pytest.raises(ModelError, match=r"bare.*: takes style features"):
        run(model=bare)
    with pytest.raises(UsageError, match="nothing in tiny varies"):
        run(model=str(tiny_model), seed=3)
    assert not (tmp_path / "out").exists()


# -- the commands ----------------------------------------------------------------------------------


@pytest.fixture
def vidtrans_command():
    from vidtrans.cli.app import app

    def invoke(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    return invoke


def test_the_command_line_of_all_edits(run, vidtrans_command, hd, tmp_path, decoded):
    (tmp_path / "styles.toml").write_text("seed = 5\n[classes]\ncar = 1\n[instances]\n26002 = 3\n")
    result = vidtrans_command(
        *(
            "convert",
            tmp_path / "labels.mkv",
            tmp_path / "cli",
            "--model",
            hd,
            "--labels",
            "cityscapes",
        ),
        *(
            "--instances",
            tmp_path / "instances.mkv",
            "--styles",
            tmp_path / "styles.toml",
            "--style",
            "instance:26001=2",
        ),
        *("--relabel", "building=sky", "--drop", "instance:26001@3:"),
    )
    assert result.exit_code == 0, result.output
    edits = (
        RelabelClass("building", "sky"),
        DeleteInstance(26001, 3),
        StyleClass("car", 1),
        StyleInstance(26002, 3),
    )
    edits = EditList((*edits, StyleInstance(26001, 2)))
    assert np.array_equal(
        decoded(tmp_path / "cli"),
        run(instances=str(tmp_path / "instances.mkv"), edits=edits, seed=5),
    )


def test_a_sheet_and_its_mistakes(vidtrans_command, films, hd, tiny_model, tmp_path):
    cv2.imwrite(str(tmp_path / "labels.png"), films[0][0])
    cv2.imwrite(str(tmp_path / "instances.png"), films[1][0])
    sheet = tmp_path / "sheet.png"
    words = ("styles", hd, tmp_path / "labels.png", sheet, "--labels", "cityscapes")
    result = vidtrans_command(*words, "--instances", tmp_path / "instances.png", "--class", "car")
    assert result.exit_code == 0, result.output
    picture = cv2.imread(str(sheet))
    assert picture.shape[1] > 4 * 200
    for other, kind, said in (
        (words, "OutputError", "exists already"),
        ((*words, "--overwrite", "--class", "sky"), "UsageError", "class sky has no styles"),
        (
            (*words, "--overwrite", "--frame", "3"),
            "InputError",
            "has 1 frames, and frame 3 is asked for",
        ),
        (
            ("styles", tiny_model, tmp_path / "labels.png", tmp_path / "s.png"),
            "UsageError",
            "no styles to choose from",
        ),
        (
            ("styles", hd, tmp_path / "labels.png", tmp_path / "s.gif"),
            "UsageError",
            "is a .png or .jpg",
        ),
    ):
        result = vidtrans_command(*other)
        assert type(result.exception).__name__ == kind
        assert said in str(result.exception)
    assert np.array_equal(cv2.imread(str(sheet)), picture)
    assert not (tmp_path / "s.png").exists()


def test_styles_are_made_exported_and_imported_again(vidtrans_command, films, bundle, tmp_path):
    from vidtrans.model import read_bundle

    encoder = {"channels": 4, "downsamplings": 1, "feature_nc": 3}
    model = bundle("encoded", system="pix2pixhd", generator=HD, encoder=encoder)
    (tmp_path / "rgb").mkdir()
    for n in range(5):
        picture = np.random.default_rng(n).integers(0, 256, (32, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "rgb" / f"{n}.png"), picture)
    out = tmp_path / "styled.safetensors"
    words = (
        "models",
        "styles",
        model,
        tmp_path / "rgb",
        tmp_path / "labels.mkv",
        out,
        "--labels",
        "cityscapes",
    )
    result = vidtrans_command(*words, "--instances", tmp_path / "instances.mkv", "--clusters", "3")
    assert result.exit_code == 0, result.output
    assert "car (3)" in result.output
    made = read_bundle(out)
    assert len(made.card.styles["26"]) == 3
    told = vidtrans_command("models", "info", out).output
    assert "car (3)" in told
    assert "none: every frame by itself" in told

    assert vidtrans_command("models", "export", out, tmp_path / "folder").exit_code == 0
    again = tmp_path / "again.safetensors"
    assert vidtrans_command("models", "import", tmp_path / "folder", again).exit_code == 0
    back = read_bundle(again)
    assert back.tensors.keys() == made.tensors.keys()
    assert all(
        np.array_equal(back.tensors[n].numpy(), made.tensors[n].numpy()) for n in made.tensors
    )
    for plane, centres in made.card.styles.items():
        np.testing.assert_allclose(back.card.styles[plane], centres, atol=1e-7)

    result = vidtrans_command(*words)
    assert "exists already" in str(result.exception)
    short = tmp_path / "rgb" / "4.png"
    short.unlink()
    result = vidtrans_command(*words, "--overwrite")
    assert isinstance(result.exception, InputError)
    assert "ends after 4 frames, and there are more label maps" in str(result.exception)
