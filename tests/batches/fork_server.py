"""Runs commands of vidtrans in forked processes, so that each starts in milliseconds, and kills
them where asked.

    python fork_server.py

Orders come as JSON lines: ``words``, the command's; ``log``, a file for what it prints; and perhaps
``event``, the number of the change to the file system before which it is killed; ``after``, the
seconds after which it is; ``file_bytes``, the size of file that it may not exceed. An answer is a
JSON line: ``code``, the exit code or minus the signal; ``events``, how many changes there were.
"""

import itertools
import json
import os
import resource
import signal
import sys
import time

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def watch(last):
    """Count changes to the file system; the process is killed before change number ``last``."""
    numbers = itertools.count(1)
    seen = [0]

    def hook(event, args):
        if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITES):
            seen[0] = next(numbers)
            if seen[0] == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return seen


def child(order, answer):
    from vidtrans.cli import main

    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "file_bytes" in order:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"],) * 2)
    seen = watch(order.get("event"))
    code = 1
    try:
        code = main(order["words"])
    finally:
        sys.stdout.flush()
        os.write(answer, str(seen[0]).encode())
        os._exit(code)


def serve():
    # What a command loads. Nothing is computed here: a process with running threads cannot fork.
    import vidtrans.cli.batch
    import vidtrans.cli.convert
    import vidtrans.pipeline.convert
    import vidtrans.sequence.loading  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        told, answer = os.pipe()
        pid = os.fork()
        if pid == 0:
            child(order, answer)
        os.close(answer)
        if "after" in order:
            time.sleep(order["after"])
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        events = os.read(told, 64)
        os.close(told)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"code": code, "events": int(events or 0)}), flush=True)


if __name__ == "__main__":
    serve()
