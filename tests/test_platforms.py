"""The engine and the filter import where the modules of POSIX are missing, as on Windows."""

from __future__ import annotations

import subprocess
import sys

POSIX_MODULES = ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "syslog", "posix")
POSIX_NAMES = {
    "os": (
        "fork", "getuid", "geteuid", "getloadavg", "mkfifo", "readv", "sched_getaffinity",
        "set_blocking", "sysconf", "uname", "wait3", "wait4", "writev", "O_NONBLOCK",
    ),
    "select": ("poll", "epoll"),
    "signal": ("SIGPIPE", "SIGHUP", "SIGUSR1", "SIGCHLD", "SIGALRM", "alarm", "setitimer"),
}  # fmt: skip

PROGRAM = """
import importlib, pkgutil, sys
posix_modules, posix_names = eval(sys.argv[1])

def import_all():
    for package in ("vidtrans", "vidtrans_ffmpeg"):
        top = importlib.import_module(package)
        names = [found.name for found in pkgutil.walk_packages(top.__path__, package + ".")]
        for name in names:
            if not name.endswith("__main__"):
                importlib.import_module(name)
                yield name

# Once as usual: what other packages and the standard library do on Windows is not what is tested.
ours = {*import_all(), "vidtrans", "vidtrans_ffmpeg"}
for name in ours:
    del sys.modules[name]
for name in posix_modules:
    sys.modules[name] = None  # to import it raises ImportError
for owner, names in posix_names.items():
    for name in names:
        if hasattr(sys.modules[owner], name):
            delattr(sys.modules[owner], name)
sys.platform = "win32"
again = {*import_all(), "vidtrans", "vidtrans_ffmpeg"}
assert again == ours, ours - again
assert all(sys.modules[name] is not None for name in ours)
print(len(ours))
"""


def test_every_module_imports_without_posix():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, repr((POSIX_MODULES, POSIX_NAMES))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
