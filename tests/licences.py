"""`make licences`: refuses what the images may not pass on freely.

    python -m tests.licences

Looks at every package that the images install and this environment has; exit code 1 where one is not free, or does not
say what it is.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("api", "training", "workbench", "mlflow")
_REFUSED = re.compile(r"\b(A?GPL|GPLv\d|SSPL|BUSL|Commons Clause|Elastic|Proprietary)", re.IGNORECASE)
# May be linked to and passed on unchanged, which is all that is done with it.
_LESSER = re.compile(r"LGPL|Lesser", re.IGNORECASE)
# What says nothing in its metadata, and where its licence was read.
KNOWN = {
    "huey": "MIT (LICENSE in its package)",
    "namex": "Apache-2.0 (LICENSE in its package)",
    "sigstore-models": "MIT (LICENSE in its package)",
    "skops": "MIT (LICENSE in its package)",
}


def main() -> None:
    """Print what is refused, and end with 1 where anything is."""
    refused = problems(licences(), installed_by_images())
    for line in refused:
        print(line)
    print(f"{len(refused)} of the packages in the images are refused.")
    sys.exit(1 if refused else 0)


def problems(licences: dict[str, str], names: set[str]) -> list[str]:
    """A sentence for each package that may not be in an image."""
    found = []
    for name in sorted(names & licences.keys()):
        licence = licences[name]
        if licence in {"UNKNOWN", ""} and name not in KNOWN:
            found.append(f"{name} does not say its licence; read it, and add it to tests/licences.py.")
        elif _REFUSED.search(licence) and not _LESSER.search(licence):
            found.append(f"{name} is under {licence}, which may not be passed on with this project.")
    return found


def licences() -> dict[str, str]:
    """The licence of every package in this environment, by its normalised name."""
    command = [str(Path(sys.executable).parent / "pip-licenses"), "--from=mixed", "--format=json", "--with-system"]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {_normal(one["Name"]): one["License"] for one in listed}


def installed_by_images() -> set[str]:
    """The names that the images' requirements hold."""
    text = "\n".join((ROOT / "deploy" / "requirements" / f"{part}.txt").read_text() for part in PARTS)
    return {_normal(name) for name in re.findall(r"^([A-Za-z0-9][\w.\-]*)==", text, re.MULTILINE)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
