"""A command before its modules are loaded."""

import contextlib
import gc
import signal
import subprocess
import sys

import pytest

from vidtrans.startup import loading_modules, preload_torch, start

COMMANDS = {"vidtrans": "vidtrans", "vidtrans-filter": "vidtrans_ffmpeg"}


def test_the_exit_code_is_the_commands():
    assert start("vidtrans", lambda: lambda: 7) == 7


def test_ctrl_c_while_a_command_is_loaded_is_130_and_one_line(capsys):
    def load():
        raise KeyboardInterrupt

    assert start("vidtrans", load) == 130
    assert capsys.readouterr().err == "vidtrans: interrupted\n"


def test_a_thread_that_an_interrupt_leaves_behind_ends_with_the_process():
    """At once: nothing is torn down under it, so that what is registered for the end is left
    out."""
    script = """if True:
    import atexit, sys, threading, time
    from vidtrans.startup import start
    def command():
        threading.Thread(target=time.sleep, args=(60,), name="vidtrans-open", daemon=True).start()
        print("interrupted")
        return 130
    atexit.register(print, "torn down")
    sys.exit(start("vidtrans", lambda: command))
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "interrupted\n", "")


def test_a_missing_library_while_a_command_is_loaded_is_a_sentence(capsys):
    def load():
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    assert start("vidtrans-filter", load) == 1
    err = capsys.readouterr().err
    assert err.startswith("vidtrans-filter: error: the system library libGL.so.1 is missing")
    assert "apt-get install libgl1" in err


def test_other_import_errors_are_faults():
    def load():
        raise ImportError("cannot import name x")

    with pytest.raises(ImportError):
        start("vidtrans", load)


def test_nothing_is_collected_while_modules_are_loaded(monkeypatch):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    monkeypatch.setitem(sys.modules, "vidtrans_not_loaded_yet", None)
    del sys.modules["vidtrans_not_loaded_yet"]
    was_on = gc.isenabled()
    try:
        gc.enable()
        with contextlib.suppress(ImportError), loading_modules():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled()
        assert not frozen  # no module was loaded: what there is now may still become garbage
        with loading_modules():
            sys.modules["vidtrans_not_loaded_yet"] = sys
        assert frozen
        gc.disable()  # as the editor's window has it
        with loading_modules():
            pass
        assert not gc.isenabled()
    finally:
        (gc.enable if was_on else gc.disable)()


UNNEEDED = ("scipy", "kornia", "torch._dynamo", "torch._inductor", "sympy", "matplotlib")
FIRST_PICTURE = """
import sys
import numpy as np
from vidtrans.pipeline import convert  # all that the command imports
from vidtrans import load_model
load_model("street", device="cpu").translate(labels=np.full((1, 32, 64), 7, np.uint8))
print(*sys.modules)
"""


def test_the_first_picture_comes_without_slow_libraries():
    done = subprocess.run(
        [sys.executable, "-c", FIRST_PICTURE], capture_output=True, check=True, text=True
    )
    assert not set(UNNEEDED) & set(done.stdout.split())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only on Linux")
def test_pytorchs_library_is_loaded_ahead_and_pytorch_works():
    ended = subprocess.run(
        [sys.executable, "-c", PRELOADED], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "True False\n[2.0, 2.0]\n", ended.stderr


PRELOADED = """
import sys
from pathlib import Path
from vidtrans.startup import preload_torch
preload_torch().join()
print("libtorch_cpu.so" in Path("/proc/self/maps").read_text(), "torch" in sys.modules)
import torch
print((torch.ones(2) * 2).tolist())
"""


def test_what_is_loaded_is_not_loaded_ahead(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", sys)
    assert preload_torch() is None


@pytest.mark.posix
@pytest.mark.parametrize("program", COMMANDS)
def test_ctrl_c_while_modules_are_imported_shows_no_traceback(program):
    command = [sys.executable, "-c", SLOW_IMPORTS, COMMANDS[program]]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == f"{program}: interrupted\n"


SLOW_IMPORTS = """
import builtins, runpy, signal, sys, time
# A shell starts what runs in the background with this signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["x", "--help"]
name = sys.orig_argv[-1]
plain = builtins.__import__
def slowly(module, *rest, **named):
    if module == "typer":
        print("started", flush=True)
        time.sleep(30)
    return plain(module, *rest, **named)
builtins.__import__ = slowly
runpy.run_module(name, run_name="__main__")
"""
