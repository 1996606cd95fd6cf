"""Comparing two runs of ``vidtrans bench``."""

import json
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from typer.testing import CliRunner

from vidtrans.cli import bench, measure_suite
from vidtrans.cli.measure import compare
from vidtrans.errors import InputError


def figures(generator: float, spread: float, **more) -> dict:
    return {
        "model": "street",
        "size": "512x256",
        "device": "cpu",
        "precision": "fp32",
        "ms_per_frame": {"decode": 1.0, "generator": generator},
        "spread_ms": {"decode": 0.1, "generator": spread},
    } | more


def test_ratios_and_what_got_slower():
    assert compare(figures(50, 2), figures(60, 2)) == {
        "ratio": {"decode": 1.0, "generator": 1.2},
        "slower": ["generator"],
    }


@pytest.mark.parametrize("now", [53.9, 50.0, 30.0])
def test_noise_and_gains_are_not_slower(now):
    assert compare(figures(50, 2), figures(now, 2))["slower"] == []


@pytest.mark.parametrize(
    ("old", "said"),
    [
        (figures(50, 2, size="64x32"), "size"),
        (figures(50, 2, ms_per_frame={"decode": 1.0}), "ms_per_frame.generator"),
        (figures(50, 2, spread_ms=None), "spread_ms.decode"),
        (figures(50, 2, ms_per_frame={"decode": "fast", "generator": 1}), "ms_per_frame.decode"),
    ],
)
def test_runs_that_cannot_be_compared(old, said):
    with pytest.raises(ValueError, match=said):
        compare(old, figures(50, 2))


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", "[" * 100_000], ids=["empty", "list", "cut", "deep"]
)
def test_files_that_hold_no_figures(tmp_path, text):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(InputError):
        bench._earlier(path)
    with pytest.raises(InputError):
        bench._earlier(tmp_path / "none.json")


def test_it_says_which_stage(tmp_path, capsys):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(figures(50, 2)))
    compared = bench._compared(bench._earlier(path), figures(60, 2), path)
    assert compared["slower"] == ["generator"]
    assert "generator (1.2 times)" in capsys.readouterr().err


def test_a_row_of_the_suite_and_the_table():
    row = measure_suite.Row("pix2pix", (256, 256), "cpu", "fp32", 0)
    figures = measure_suite.measure_row(row)
    assert figures["frames"] == 3
    assert figures["parameters_m"] == pytest.approx(54.4, abs=0.1)  # the published unet_256
    assert figures["gflop_per_frame"] == pytest.approx(12.1, abs=0.1)
    for name in ("first_frame_ms", "generator_ms", "fps", "peak_memory_mib"):
        assert figures[name] > 0
    lines = measure_suite.table(
        [
            {"model": "pix2pix", "size": "256x256"} | figures,
            {"model": "big", "size": "9x9", "error": "out of memory"},
        ]
    ).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert "out of memory" in lines[3]
    assert "GPU" not in lines[0]


@pytest.mark.parametrize("raised", [BrokenProcessPool(), MemoryError()], ids=["killed", "refused"])
def test_a_row_that_does_not_fit_into_memory_ends_alone(monkeypatch, raised):
    class Pool(ThreadPoolExecutor):
        def __init__(self, workers, mp_context):
            super().__init__(workers)

    def measure_row(row):
        if row.name == "label2city_2048":
            raise raised
        return {"fps": 5.0}

    monkeypatch.setattr(measure_suite, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(measure_suite, "measure_row", measure_row)
    rows = [
        measure_suite.Row(name, (64, 128), "cpu", "fp32", 0)
        for name in ("label2city_2048", "street")
    ]
    large, small = measure_suite.measure_suite(rows)
    assert large["model"] == "label2city_2048"
    assert "memory" in large["error"]
    assert small == {"model": "street", "size": "128x64", "fps": 5.0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--models", "street,streat"], "streat"), (["--sizes", "512x256,9"], "9")],
)
def test_suites_that_cannot_be(arguments, said):
    found = CliRunner().invoke(bench.app, ["suite", *arguments])
    assert said in str(found.exception)


def test_a_suite_prints_json_and_writes_a_table(tmp_path):
    table = tmp_path / "table.md"
    options = {"--models": "street", "--sizes": "64x32", "--seconds": "0", "--device": "cpu"}
    asked = [word for option in options.items() for word in option]
    found = CliRunner().invoke(bench.app, ["suite", *asked, "--table", str(table)])
    assert found.exit_code == 0, found.output
    (row,) = json.loads(found.stdout)["rows"]
    assert (row["model"], row["size"], row["precision"]) == ("street", "64x32", "fp32")
    assert row["fps"] > 0
    assert "| street | 64x32 | fp32 |" in table.read_text()
