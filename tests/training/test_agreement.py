"""Every published training case: losses, gradients, changes of the weights, pictures.

The cases are folders under VIDTRANS_SHARED/reference/training with a compare.py that says what is
compared and how; float64 is the proof, float32 what users run.
"""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch
from vidtrans_training import import_run

SHARED = Path(os.environ.get("VIDTRANS_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "reference" / "training"
CASES = sorted(path.parent for path in FOLDER.glob("*/case.json"))


@pytest.fixture(scope="module")
def compare():
    if not (FOLDER / "compare.py").exists():
        pytest.skip(f"no reference cases in {FOLDER}")
    spec = importlib.util.spec_from_file_location("reference_compare", FOLDER / "compare.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def default_dtype():
    """Sets torch's default type for one test, and one thread: the tensors are so small that
    threads wait for one another most of the time."""
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch.set_default_dtype
    torch.set_default_dtype(before)
    torch.set_num_threads(threads)


@pytest.mark.skipif(not CASES, reason=f"no reference cases in {FOLDER}")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case(folder, dtype, compare, default_dtype, tmp_path):
    default_dtype(getattr(torch, dtype))
    case, inputs, expected = compare.load(folder)
    inputs = {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in inputs.items()}
    compare.make_checkpoint.main(str(folder), str(tmp_path))
    run = import_run(tmp_path, system=case["system"], options=case["options"])
    seen = compare.observe(run, case, inputs, [str(n) for n in expected["tensor_names"]])
    deviations = compare.deviations(seen, expected)
    assert {"losses_0", "gradient_norm", "change_probe_3", "pictures_3"} <= set(deviations)
    too_far = {
        kind: found
        for kind, found in deviations.items()
        if found[0] > case["tolerance"][dtype][kind]
    }
    assert not too_far
