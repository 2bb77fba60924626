"""The part of requirements.lock that a running service needs, hashes included, for the image.

pip names the packages that the dependencies in pyproject.toml need at the locked versions; only those entries of
the lock are printed. Versions and hashes come from the lock alone. Run where both files are.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path


def entries(lock: str) -> dict[str, str]:
    """The lock's entries (a pin, its marker and hashes) by normalised package name; of one name, those that follow
    each other for different versions of Python together.
    """
    found: dict[str, str] = {}
    for text, name in re.findall(r"^((\S+?)==.*(?:\n[ \t]+.*)*\n?)", lock, re.MULTILINE):
        found[normalised(name)] = found.get(normalised(name), "") + text
    return found


def normalised(name: str) -> str:
    """PEP 503: the one spelling under which package names are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(dependencies: list[str], lock: str) -> set[str]:
    """The names of all that pip would install for these, at the locked versions, on this machine."""
    pins = re.sub(r"[ \t]*\\\n[ \t]+--hash=\S+", "", lock)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write(pins)
        constraints.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--only-binary", ":all:", "--report", "-", "--constraint", constraints.name, *dependencies]
        report = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return {normalised(item["metadata"]["name"]) for item in json.loads(report)["install"]}


def main() -> None:
    """Print the shortened lock."""
    dependencies = tomllib.loads(Path("pyproject.toml").read_text())["project"]["dependencies"]
    lock = Path("requirements.lock").read_text()
    names, known = needed(dependencies, lock), entries(lock)
    sys.stdout.write("".join(known[name] for name in sorted(names)))


if __name__ == "__main__":
    main()
