"""The C library's heap: given back when asked, one for all threads when asked."""

import platform
import subprocess
import sys
import textwrap

import psutil
import pytest

from magxr.kernels import heap

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc has these two functions"
)

COUNTED = """
    import ctypes, sys, threading
    from magxr.kernels import heap

    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
    libc.malloc_info.argtypes = ctypes.c_int, ctypes.c_void_p
    libc.fclose.argtypes = (ctypes.c_void_p,)
    if sys.argv[1] == "shared":
        heap.share()
    meet = threading.Barrier(6)

    def work():
        meet.wait()
        libc.malloc(1000)
        meet.wait()

    threads = [threading.Thread(target=work) for _ in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    file = libc.fopen(sys.argv[2].encode(), b"w")
    libc.malloc_info(0, file)
    libc.fclose(file)
"""


def heaps(how, path):
    command = [sys.executable, "-c", textwrap.dedent(COUNTED), how, str(path)]
    subprocess.run(command, check=True, timeout=120)
    return path.read_text(encoding="ascii").count("<heap nr=")


def test_threads_share_one_heap_when_asked(tmp_path):
    assert heaps("apart", tmp_path / "apart.xml") > heaps("shared", tmp_path / "shared.xml")


def test_what_was_freed_is_given_back():
    pieces = [bytearray(60_000) for _ in range(4000)]  # small enough to be kept by the C library
    held = [pieces[n] for n in range(0, 4000, 50)]
    del pieces  # holes between what is still held, which only a trim gives back
    before = psutil.Process().memory_full_info().uss
    heap.give_back()
    assert before - psutil.Process().memory_full_info().uss > 100e6
    assert len(held) == 80
