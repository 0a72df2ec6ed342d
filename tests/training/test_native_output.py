import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import os, sys
from pathlib import Path
from training.native_output import divert_native_output
divert_native_output(Path(sys.argv[1]))
os.write(2, b"a library speaks\\n")
print("a person reads this", file=sys.stderr)
"""


def test_lines_of_libraries_go_to_the_file_and_ours_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "home" / "training.log"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", _SCRIPT, path], capture_output=True, text=True, check=True)
        assert done.stderr == "a person reads this\n"
    assert path.read_text() == "a library speaks\n" * 2
