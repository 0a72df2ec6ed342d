import subprocess
import sys

import pytest

from tests.running import ROOT

_SCRIPT = """
import threading
from ner.memory import give_memory_back, keep_memory_low
assert keep_memory_low()
import numpy as np

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def work():
    # Pieces of a size that pools keep: what a report makes, and forgets.
    pieces = [np.ones(25_000) for _ in range(200)]
    del pieces

work()
before = resident()
for _ in range(3):
    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
give_memory_back()
print((resident() - before) // 2**20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Only glibc is told how to hold memory.")
def test_memory_is_given_back_after_many_threads_have_worked() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True, cwd=ROOT)
    # Twelve threads held 480 MB at their height; a little of it may be in use between pieces that were given back.
    assert int(done.stdout) < 100
