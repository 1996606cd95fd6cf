"""Manifests and names: what is refused before any work."""

import json

import pytest

from vidtrans.batches.plan import plan_batch
from vidtrans.errors import InputError, UsageError


@pytest.fixture
def manifest(tmp_path):
    """``manifest(text, "csv")`` in a folder with the films a.mkv and b.mkv."""
    for name in "ab":
        (tmp_path / f"{name}.mkv").write_bytes(b"film")

    def write(text, kind="csv"):
        path = tmp_path / f"jobs.{kind}"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def plan(tmp_path):
    def call(*inputs, **more):
        return plan_batch(inputs, str(tmp_path / "out"), **more)

    return call


def test_a_manifest_gives_any_option(manifest, plan, tmp_path):
    path = manifest(
        "input,output,seed,relabel,size\n"
        "a.mkv,x/first.mkv,7,vegetation=building;car=truck,64x32\n"
        "b.mkv\n"
    )
    first, second = plan(path, options={"size": "128x64", "model": "street"}).jobs
    assert (first.name, second.name) == ("x/first.mkv", "b.mp4")
    settings = first.settings("o.mkv")
    assert (settings.render.seed, settings.render.size_hw) == (7, (32, 64))
    assert len(settings.render.edits.edits) == 2
    assert second.settings("o.mp4").render.size_hw == (64, 128)
    assert second.input == str(tmp_path / "b.mkv")


def test_json_lines_give_the_same(manifest, plan):
    row = {"input": "a.mkv", "seed": 3, "relabel": ["car=truck"]}
    (job,) = plan(manifest(json.dumps(row) + "\n\n", "jsonl")).jobs
    assert job.settings("-").render.seed == 3


def test_paths_of_options_start_from_the_manifest(manifest, plan, tmp_path):
    (tmp_path / "maps.mkv").write_bytes(b"")
    (job,) = plan(manifest("input,instances\na.mkv,maps.mkv\n")).jobs
    assert job.settings("-").render.instances == str(tmp_path / "maps.mkv")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no job"),
        ("input\n", "holds no job"),
        ("input,lables\na.mkv,auto\n", "lables: unknown column. Did you mean labels"),
        ("output,seed\nx.mp4,1\n", "has no column input"),
        ("input,seed\na.mkv,many\n", "line 2: seed: "),
        ("input,size\na.mkv,64:32\n", "a size is WIDTHxHEIGHT"),
        ("input,seed,seed\na.mkv,1,2\n", "has the column seed twice"),
        ("input\na.mkv,1,2\n", "more values than there are columns"),
        ('input\n"a.mkv\n', "line 2: "),
        ("input,seed\n,4\n", "gives no input"),
        ("input,resume\na.mkv,1\n", "resume: unknown column"),
        ("input\na.\0mkv\n", "zero byte"),
    ],
)
def test_a_manifest_that_makes_no_sense(manifest, plan, text, sentence):
    with pytest.raises((InputError, UsageError)) as caught:
        plan(manifest(text))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1]\n", "line 1 is no JSON object"),
        ('{"input": "a.mkv"\n', "line 1 is no JSON"),
        ("[" * 100_000, "line 1 is no JSON"),
        ('{"input": "a.mkv", "seed": ' + "9" * 5000 + "}", "line 1 is no JSON"),
        ('{"input": "a.mkv", "x": "' + "y" * (1 << 20) + '"}', "longer than 1 MiB"),
        ('{"input": 5}', "gives no input"),
        ('{"input": "a.mkv", "output": 5}', "the output is no path"),
    ],
)
def test_json_lines_that_make_no_sense(manifest, plan, text, sentence):
    with pytest.raises((InputError, UsageError), match=sentence):
        plan(manifest(text, "jsonl"))


def test_a_manifest_that_is_no_text(manifest, plan, tmp_path):
    (tmp_path / "jobs.csv").write_bytes(b"input\n\xff\xfe\n")
    with pytest.raises(InputError, match="no UTF-8"):
        plan(str(tmp_path / "jobs.csv"))


def test_a_missing_input_among_others_is_named(manifest, plan):
    path = manifest("input\na.mkv\ngone.mkv\nb.mkv\n")
    found = plan(path)
    assert [job.name for job in found.jobs] == ["a.mp4", "gone.mp4", "b.mp4"]
    assert found.missing == (
        f"{path}, line 3: {path.replace('jobs.csv', 'gone.mkv')}: does not exist.",
    )
    with pytest.raises(InputError, match=r"gone\.mkv: does not exist"):
        plan(path, strict=True)


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("../x.mp4", "outside the batch's folder"),
        ("a/../../x.mp4", "outside the batch's folder"),
        ("/tmp/x.mp4", "absolute path"),
        ("file:///tmp/x.mp4", "absolute path"),
        (".vidtrans-batch/x.mp4", "no name of an output"),
        ("./", "no name of an output"),
    ],
)
def test_outputs_outside_the_folder_are_refused(manifest, plan, output, sentence):
    with pytest.raises(UsageError, match=sentence):
        plan(manifest(f"input,output\na.mkv,{output}\n"))


@pytest.mark.posix
def test_outputs_outside_through_a_link_are_refused(manifest, plan, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="through a link"):
        plan(manifest("input,output\na.mkv,link/x.mp4\n"))


def test_two_jobs_of_one_output_are_refused(manifest, plan):
    with pytest.raises(UsageError) as caught:
        plan(manifest("input,output\na.mkv,x.mp4\nb.mkv,./x.mp4\n"))
    assert "a.mkv (line 2)" in str(caught.value)
    assert "b.mkv (line 3)" in str(caught.value)


def test_a_template_names_outputs(manifest, plan):
    path = manifest("input,seed\na.mkv,1\na.mkv,2\n")
    jobs = plan(path, template="{stem}/{model}-{seed}-{number}{suffix}").jobs
    assert [job.name for job in jobs] == ["a/street-1-1.mkv", "a/street-2-2.mkv"]
    with pytest.raises(UsageError, match="same output"):
        plan(path, template="{path}.mp4")


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{sede}.mp4", "unknown field. Did you mean seed"),
        ("{path", "is no template"),
        ("{path.__class__}.mp4", "unknown field"),
        ("../{path}.mp4", "outside"),
    ],
)
def test_templates_that_make_no_sense(manifest, plan, template, sentence):
    with pytest.raises(UsageError, match=sentence):
        plan(manifest("input\na.mkv\n"), template=template)


def test_a_wrong_option_for_all_jobs(manifest, plan):
    with pytest.raises(UsageError, match="the command: layer: "):
        plan(manifest("input\na.mkv\n"), options={"layer": "flwo"})


def test_rows_may_be_given_as_mappings(plan, manifest, tmp_path):
    manifest("")
    (job,) = plan({"input": str(tmp_path / "a.mkv"), "output": "z.mp4", "seed": 1}).jobs
    assert (job.name, job.settings("-").render.seed) == ("z.mp4", 1)
    with pytest.raises(UsageError, match="Did you mean seed"):
        plan({"input": "a.mkv", "sed": 1})
