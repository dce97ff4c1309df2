"""Write the files of a tree again, elsewhere, with nothing else to do: what `kfimage render` is measured against.

The same bytes in the same order, each written beside its place and renamed, as kfimage/sinks/directory.py does it.
Prints the seconds of the writing alone; reading the tree into memory comes before the clock starts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def write(root: str, files: list[tuple[str, bytes, int]]) -> None:
    made: set[str] = set()
    for name, content, mode in files:
        path = f"{root}/{name}"
        folder = os.path.dirname(path)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        handle = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(path + ".new", mode)
        os.replace(path + ".new", path)


def main(source: Path, target: Path) -> None:
    index = (source / "index.json").read_bytes()
    files = [(e["path"], (source / e["path"]).read_bytes(), int(e["mode"], 8)) for e in json.loads(index)["artefacts"]]
    start = time.perf_counter()
    write(str(target), [*files, ("index.json", index, 0o644)])
    print(time.perf_counter() - start)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
