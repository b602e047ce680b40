# SPDX-License-Identifier: MIT
"""Every room has a README.md, and it names every C file that stands in the room."""
import os
import re

import tree

ALWAYS = ["daemon", "etc", "packaging", "systemd", "tests", "tests/bench"]


def rooms():
    found = {os.path.dirname(f) for f in tree.files(".c", ".h", under="lib")}
    found |= {os.path.dirname(f) for f in tree.files(".c", ".h", under="daemon")}
    found |= {os.path.dirname(os.path.dirname(f)) for f in tree.files(".yaml", under="etc/examples")
              if "/jobs.d/" in f}
    found |= {room for room in ALWAYS if (tree.ROOT / room).is_dir()}
    return sorted(room for room in found if room != "lib")


def nearest_readme(room):
    """A folder inside a room (source/http) may be told about in its parent's README."""
    own = f"{room}/README.md"
    if (tree.ROOT / own).is_file() or room.count("/") < 2:
        return own
    return f"{os.path.dirname(room)}/README.md"


def main():
    report = tree.Report("readmes")
    for room in rooms():
        readme = nearest_readme(room)
        if not (tree.ROOT / readme).is_file():
            report.check(room, [f"{readme} is missing"])
            continue
        text = tree.read(readme)
        stems = {os.path.splitext(f)[0] for f in os.listdir(tree.ROOT / room)
                 if f.endswith((".c", ".h"))} if room.startswith(("lib", "daemon")) else set()
        report.check(room, [f"{readme} does not name {stem}" for stem in sorted(stems)
                            if not re.search(rf"(?<![\w]){re.escape(stem)}(?![\w])", text)])
    report.end()


if __name__ == "__main__":
    main()
