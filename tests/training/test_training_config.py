"""Settings: strict about names, relative to their file, one sentence for a mistake."""

import pytest
from vidtrans_training.cli import main
from vidtrans_training.config import read_config

from vidtrans.errors import UsageError

GOOD = (
    '[data]\nclips = "clips"\n[[stages]]\nsteps = 10\n[[stages]]\nsteps = 5\nadversarial = false\n'
)


def written(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path):
    assert read_config(written(tmp_path, GOOD)).data.clips == tmp_path / "clips"


def test_stages_follow_one_another(tmp_path):
    config = read_config(written(tmp_path, GOOD))
    assert config.stage_at(9) == (config.stages[0], 0.9)
    assert config.stage_at(10) == (config.stages[1], 0.0)
    assert config.stage_at(15) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("emma = 1\n" + GOOD, "emma: unknown key. Did you mean ema?"),
        (
            GOOD + "adversarail = true\n",
            "stages[1].adversarail: unknown key. Did you mean adversarial?",
        ),
        (GOOD + "[losses]\nwarping = 1\n", "losses.warping: unknown key. Did you mean warp"),
        (GOOD + "crop = [100, 200]\n", "divisible by 16"),
        (GOOD.replace("steps = 5", "steps = 0"), "stages[1].steps"),
        ("[data\n", "not valid TOML"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, text, message):
    with pytest.raises(UsageError, match=r"run\.toml") as caught:
        read_config(written(tmp_path, text))
    assert message in str(caught.value)


def test_the_command_exits_2_without_a_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv", ["vidtrans-train", "vid2vid", "--config", str(tmp_path / "none.toml")]
    )
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "none.toml" in capsys.readouterr().err
