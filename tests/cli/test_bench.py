"""``vidtrans bench``: figures, and two runs compared."""

import json
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from typer.testing import CliRunner

from vidtrans.cli import bench, measure_suite
from vidtrans.cli.compare import compare_bench, compare_suites, earlier_figures, sentences
from vidtrans.errors import InputError


def figures(generator: float, spread: float, **more) -> dict:
    return {
        "model": "street",
        "size": "512x256",
        "device": "cpu",
        "precision": "fp32",
        "ms_per_frame": {"decode": 1.0, "generator": generator},
        "spread_ms": {"decode": 0.1, "generator": spread},
        "machine": {"cpu": "one", "load_1min": generator},
    } | more


def row(model: str, generator: float, **more) -> dict:
    """A row of the suite."""
    stages = {"upload": 1.0, "generator": generator, "download": 1.0, "frame": generator + 2}
    return {
        "model": model,
        "size": "512x256",
        "device": "cpu",
        "precision": "fp32",
        "load_ms": 80,
        "first_frame_ms": 90.0,
        **{f"{stage}_ms": value for stage, value in stages.items()},
        "spread_ms": dict.fromkeys(stages, 2.0),
    } | more


def test_ratios_and_what_got_slower():
    assert compare_bench(figures(50, 2), figures(60, 2)) == {
        "ratio": {"decode": 1.0, "generator": 1.2},
        "slower": ["generator"],
        "other_machine": {},
    }


@pytest.mark.parametrize("now", [53.9, 50.0, 30.0])
def test_noise_and_gains_are_not_slower(now):
    assert compare_bench(figures(50, 2), figures(now, 2))["slower"] == []


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
        compare_bench(old, figures(50, 2))


def test_suites_are_compared_row_by_row():
    old = {"rows": [row("street", 50), row("pix2pix", 80), {"model": "big", "error": "no memory"}]}
    new = {"rows": [row("pix2pix", 80), row("street", 60, load_ms=160), row("big", 9)]}
    compared = compare_suites(old, new)
    same, slower = compared["rows"]
    assert (same["model"], slower["model"]) == ("pix2pix", "street")
    assert set(same["ratio"].values()) == {1.0}
    assert slower["ratio"] == {
        "load": 2.0,
        "first_frame": 1.0,
        "upload": 1.0,
        "generator": 1.2,
        "download": 1.0,
        "frame": 1.192,
    }
    assert slower["slower"] == ["generator", "frame"]  # one loading tells nothing of its noise
    assert [each["model"] for each in compared["not_compared"]] == ["big"]
    told = sentences(compared, "old.json")
    assert told[0] == "pix2pix 512x256: slower than in old.json by more than noise: none"
    assert "generator (1.2 times), frame (1.192 times)" in told[1]
    assert "big" in told[2]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no row"),
        ([row("street", 50, precision="bf16")], "no row"),
        ([{"model": "street", "error": "out of memory"}], "no row"),
        ("many", "list"),
        ([row("street", 50, upload_ms=None)], "upload_ms"),
        ([row("street", 50, spread_ms={})], "spread_ms.upload"),
    ],
)
def test_suites_that_cannot_be_compared(rows, said):
    with pytest.raises(ValueError, match=said):
        compare_suites({"rows": rows}, {"rows": [row("street", 50)]})


def test_another_machine_is_told():
    old = figures(50, 2, machine={"cpu": "another", "load_1min": 3.0})
    compared = compare_bench(old, figures(50, 2))
    assert compared["other_machine"] == {"cpu": ["another", "one"]}
    assert "another then, one now" in sentences(compared, "old.json")[-1]


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{", "[" * 100_000, '{"rows": []}', '{"bench": []}'],
    ids=["empty", "list", "cut", "deep", "of a suite", "no figures"],
)
def test_files_that_hold_no_figures(tmp_path, text):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(InputError):
        earlier_figures(path, "bench")
    with pytest.raises(InputError):
        earlier_figures(tmp_path / "none.json", "suite")


def test_it_says_which_stage(tmp_path, capsys):
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"bench": figures(50, 2), "suite": {"rows": []}}))
    old = earlier_figures(path, "bench")
    compared = bench._compared(figures(60, 2), path, old, compare_bench)
    assert compared["slower"] == ["generator"]
    assert "generator (1.2 times)" in capsys.readouterr().err
    with pytest.raises(InputError, match="cannot be compared with"):
        bench._compared(figures(60, 2, model="other"), path, old, compare_bench)


def test_a_row_of_the_suite_and_the_table():
    row = measure_suite.Row("pix2pix", (256, 256), "cpu", "fp32", 0)
    figures = measure_suite.measure_row(row)
    assert figures["frames"] == 3
    assert figures["parameters_m"] == pytest.approx(54.4, abs=0.1)  # the published unet_256
    assert figures["gflop_per_frame"] == pytest.approx(12.1, abs=0.1)
    for name in ("first_frame_ms", "generator_ms", "fps", "peak_memory_mib"):
        assert figures[name] > 0
    assert figures["spread_ms"].keys() == {"upload", "generator", "download", "frame"}
    assert min(figures["spread_ms"].values()) >= 0
    lines = measure_suite.table(
        [
            {"model": "pix2pix", "size": "256x256"} | figures,
            {"model": "big", "size": "9x9", "error": "out of memory"},
        ]
    ).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert "out of memory" in lines[3]
    assert "GPU" not in lines[0]


def test_a_row_with_plain_layers():
    row = measure_suite.Row("street", (64, 128), "cpu", "fp32", 0, plain=True)
    figures = measure_suite.measure_row(row)
    assert figures["times_plain"] == pytest.approx(
        figures["plain_ms"] / figures["generator_ms"], abs=0.01
    )
    assert 0 < figures["plain_difference"] < 1e-4  # another path, the same picture
    head = measure_suite.table([{"model": "street", "size": "128x64"} | figures]).splitlines()[0]
    assert "times plain" in head


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
    earlier = tmp_path / "earlier.json"
    earlier.write_text(found.stdout)
    found = CliRunner().invoke(bench.app, ["suite", *asked, "--compare", str(earlier)])
    assert found.exit_code == 0, found.output
    (compared,) = json.loads(found.stdout)["compared"]["rows"]
    assert compared["ratio"]["generator"] > 0
    assert "street 64x32: slower than in" in found.stderr


def test_the_stages_of_the_pipeline(tmp_path):
    asked = ["--frames", "10", "--rounds", "1", "--size", "64x32", "--device", "cpu"]
    found = CliRunner().invoke(bench.app, asked)
    assert found.exit_code == 0, found.output
    figures = json.loads(found.stdout)
    for name in ("fps", "first_frame_ms", "latency_ms", "share_of_matrix_product"):
        assert figures[name] > 0
    stages = {"decode", "labels", "generator", "encode", "end_to_end"}
    assert figures["ms_per_frame"].keys() == figures["cpu_ms_per_frame"].keys() == stages
    assert set(figures["spread_ms"].values()) == {0}  # of one round
