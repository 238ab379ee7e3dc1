"""A process that has everything loaded and forks runs by blocks, so that many can be killed in little time.

Reads commands from standard input and answers on standard output, one JSON object a line.
"""

import contextlib
import faulthandler
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from pathlib import Path

PATIENCE = 300
"""Seconds after which a run of these tests says where it hangs, and ends."""


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a run prints is no answer
    for line in sys.stdin:
        command = json.loads(line)
        answer = COMMANDS[command.pop("do")](**command)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def load(region, out, changes):
    """Run once in a child, so that all is compiled, and import here what it had to import."""
    names = Path(f"{out}.modules")
    pid = os.fork()
    if pid == 0:
        _child(region, out, None, changes, 0, names)
    status = wait(pid)
    for name in names.read_text().split():
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return {"status": status, "threads": len(os.listdir("/proc/self/task"))}  # noqa: PTH208


def start(region, out, report, changes, deadly=0):
    """Fork a run; with ``deadly`` it kills itself after so many steps of its end."""
    pid = os.fork()
    if pid == 0:
        _child(region, out, report, changes, deadly, None)
    return pid


def wait(pid):
    """Return the exit status of a run; negative is the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def mount(path, size):
    """Put a small disk there, or make it larger."""
    again = ["-o", f"remount,size={size}"] if os.path.ismount(path) else ["-o", f"size={size}"]
    return subprocess.run(["mount", "-t", "tmpfs", *again, "tmpfs", path], check=False).returncode


def copy(source, target):
    """Take something from the small disk, which only this process sees."""
    shutil.copytree(source, target)
    return sorted(p.name for p in Path(source).parent.iterdir())


COMMANDS = {f.__name__: f for f in (load, start, wait, mount, copy)}


def _child(region, out, report, changes, deadly, names):
    status = 1
    found = {"made": []}
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    try:
        import magxr
        from magxr.errors import MagxrError
        from magxr.runs import blocks, finish

        def present(_, folder):
            name = Path(out).stem + ".html"
            (folder / name).write_text("no pictures")
            return name, [], "none"

        finish.present = present
        real = blocks.make_block

        def make(*arguments):
            entry = real(*arguments)
            found["made"].append(entry["made"])
            return entry

        blocks.make_block = make
        _tell(blocks, report)
        if deadly:
            _sign_up(blocks, deadly)
        try:
            magxr.run(region, out, engine="blocks", resume=True, **changes)
            status = 0
        except MagxrError as error:
            found["error"] = [type(error).__name__, str(error)]
        if names:
            names.write_text("\n".join(sorted(n for n in sys.modules if n.split(".")[0] != "__main__")))
        if report:
            Path(report).write_text(json.dumps(found))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _tell(blocks, report):
    """Write down where the run is, before it gets there."""
    if not report:
        return
    place = Path(f"{report}.at")
    for name, word in (("laid_out", "layout"), ("_run_stage", None), ("finish", "finish")):
        real = getattr(blocks, name)

        def told(*arguments, real=real, word=word):
            place.write_text(word or arguments[1].name)
            return real(*arguments)

        setattr(blocks, name, told)


def _sign_up(blocks, deadly):
    """Die after so many changes to the folder since the run began to finish; removed files count little."""
    real = blocks.finish
    left = [float(deadly)]

    def dying(function, weight):
        def changed(*arguments, **keywords):
            result = function(*arguments, **keywords)
            left[0] -= 0 if ".zarr/" in os.fspath(arguments[0]) else weight  # not each attribute of a store
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return changed

    def finish(*arguments):
        for name, weight in (("mkdir", 1), ("rename", 1), ("replace", 1), ("rmdir", 0.05), ("unlink", 0.05)):
            setattr(os, name, dying(getattr(os, name), weight))
        return real(*arguments)

    blocks.finish = finish


if __name__ == "__main__":
    main()
