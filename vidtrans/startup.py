"""The start of a command, before its modules are loaded: Ctrl-C, missing system libraries, and
garbage collection, PyTorch's libraries beside other imports."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from vidtrans.garbage import no_collection

_INTERRUPTED = 130
_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
}
"""Debian's and Ubuntu's packages of what OpenCV and Qt load."""


def start(program: str, load: Callable[[], Callable[[], int]]) -> int:
    """Load a command and run it.

    Args:
        program: The command's name, for messages.
        load: Imports the command, which takes a second, and gives its entry point.

    Returns:
        The exit code.
    """
    try:
        with loading_modules():
            command = load()
        code = command()
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr, flush=True)
        code = _INTERRUPTED
    except ImportError as error:
        missing = missing_library(error)
        if missing is None:
            raise
        print(f"{program}: error: {missing}", file=sys.stderr, flush=True)
        return 1
    if code == _INTERRUPTED:
        _end_beside_threads(code)
    return code


def _end_beside_threads(code: int) -> None:
    """End the process at once where a second signal has left a thread in a library's call, such as
    FFmpeg's wait for an address. Python would tear down what that call comes back to."""
    if any(
        thread.daemon and thread.name.startswith("vidtrans-") for thread in threading.enumerate()
    ):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # closed, or a reader that has gone
                stream.flush()
        os._exit(code)


@contextmanager
def loading_modules() -> Iterator[None]:
    """No garbage collection while modules are imported; put around imports that take long.

    What modules consist of stays until the process ends. Looking through it again and again takes a
    sixth of the time in which PyTorch and our own modules are imported. Afterwards the collector
    leaves it out too.
    """
    before = len(sys.modules)
    with no_collection():
        try:
            yield
        finally:
            if len(sys.modules) > before:
                gc.freeze()


def preload_torch() -> threading.Thread | None:
    """Load PyTorch's largest shared library in a thread, before ``import torch`` needs it.

    An import statement holds the interpreter's lock while the system loads a library; a call
    through ctypes does not. So Python's own work, such as executing other modules, runs beside it.
    What loads libraries itself, or looks up symbols in them, waits for it: import those modules
    before.

    Returns:
        The thread; None where PyTorch is loaded already, or not on Linux. ``import torch`` need
        not wait for it.
    """
    if not sys.platform.startswith("linux") or "torch" in sys.modules:
        return None
    found = find_spec("torch")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "lib"
    # The order and the flags of `import torch`, which loads them again and so counts one use more.
    libraries = (
        (folder / "libtorch_global_deps.so", os.RTLD_GLOBAL),
        (folder / "libtorch_cpu.so", os.RTLD_LOCAL),
    )
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p

    def load() -> None:
        for path, scope in libraries:
            if not dlopen(os.fsencode(path), os.RTLD_LAZY | scope):
                return  # `import torch` says what is wrong with it

    thread = threading.Thread(target=load, name="vidtrans-preload")
    thread.start()
    return thread


def missing_library(error: Exception) -> str | None:
    """What to install, where an import failed for want of a system library; else None."""
    found = re.search(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object", str(error))
    if not isinstance(error, ImportError) or found is None:
        return None
    package = _PACKAGES.get(found[1])
    how = f"apt-get install {package}" if package else "install the package that has it"
    return f"the system library {found[1]} is missing; on Debian and Ubuntu: {how}."
