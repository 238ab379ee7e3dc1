"""Seconds of `import magxr` against `import xarray, dask.array`, interleaved; must stay under 1.3 x.

Run: python benchmarks/import_time.py
"""

import statistics
import subprocess
import sys
import time


def seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main(rounds: int = 11) -> None:
    base, ours = [], []
    for _ in range(rounds):
        base.append(seconds("import xarray, dask.array"))
        ours.append(seconds("import magxr"))
    ratio = statistics.median(b / a for a, b in zip(base, ours, strict=True))
    print(f"xarray + dask.array {statistics.median(base):.2f} s, magxr {statistics.median(ours):.2f} s")
    print(f"median ratio {ratio:.2f} (limit 1.3)")


if __name__ == "__main__":
    main()
