"""What compiled libraries print by themselves, kept in a file: TensorFlow's first lines hide everything else."""

import os
import sys
from pathlib import Path


def divert_native_output(path: Path) -> None:
    """From now on what is written to file descriptor 2 goes to the end of `path`; Python's stderr stays where it was.

    TensorFlow 2.21 takes no setting that silences these lines.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(opened, 2)
    os.close(opened)
