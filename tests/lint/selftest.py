# SPDX-License-Identifier: MIT
"""The lints find what they are there for: each is run on a small tree with one known wrong."""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
HEAD = "/* SPDX-License-Identifier: MIT\n *\n * A file.\n */\n"
CLEAN = {
    "lib/base/error.h": HEAD + "int etl_error;\n",
    "lib/time/clock.h": HEAD + '#include "base/error.h"\n#include <stdint.h>\n',
    "lib/source/source.h": HEAD,
    "lib/job/plan.c": HEAD + '#include "source/source.h"\n',
    "lib/base/README.md": "error\n",
    "lib/time/README.md": "clock\n",
    "lib/source/README.md": "source\n",
    "lib/job/README.md": "plan\n",
}
WRONGS = [  # (lint, what is wrong, file, text, a word of the answer)
    ("rooms", "an arrow upwards", "lib/base/up.c", '#include "time/clock.h"\n', "base must not include time"),
    ("rooms", "a sibling", "lib/check/c.c", '#include "source/source.h"\n', "check must not include source"),
    ("rooms", "a concrete plugin", "lib/source/source_x.h", "", None),
    ("rooms", "a header that is nowhere", "lib/time/x.c", '#include "nowhere.h"\n', "nowhere"),
    ("rooms", "a library without right", "daemon/engine/sched.c", "#include <ev.h>\n", "belongs to daemon/io/loop"),
    ("rooms", "the loop in a test", "tests/unit/t.c", "#include <ev.h>\n", "belongs to daemon/io/loop"),
    ("rooms", "a library without owner", "daemon/x.c", "#include <zzz.h>\n", "no owner"),
    ("banned", "strcpy", "lib/base/x.c", "void f(char *a)\n{\n\tstrcpy(a, a);\n}\n", "x.c:7: strcpy()"),
    ("banned", "time", "daemon/x.c", "long f(void)\n{\n\treturn time(0);\n}\n", "time()"),
    ("banned", "clock_gettime", "lib/job/x.c", "int f(struct timespec *t)\n{\n\treturn clock_gettime(0, t);\n}\n",
     "clock_gettime()"),
    ("banned", "ev_now", "daemon/x.c", "double f(void *l)\n{\n\treturn ev_now(l);\n}\n", "ev_now()"),
    ("banned", "a clock that is set", "tests/unit/t.c", "void f(void)\n{\n\tclock_settime(0, 0);\n}\n", "clock_settime()"),
    ("banned", "malloc", "lib/time/x.c", "void *f(void)\n{\n\treturn malloc(1);\n}\n", "malloc()"),
    ("banned", "a bson_t in a struct", "lib/job/x.c", "struct x {\n\tint a;\n\tbson_t doc;\n};\n", "a bson_t in a struct"),
    ("banned", "a sleeping test", "tests/unit/t.c", "void f(void)\n{\n\tusleep(1);\n}\n", "usleep()"),
    ("leftovers", "an unfinished word", "lib/base/x.c", "/* TO" + "DO: more */\n", "x.c:5"),
    ("leftovers", "code switched off", "lib/base/x.c", "#if 0\n#endif\n", "x.c:5"),
    ("bugs", "a Python file that does not compile", "tests/x.py", "X = [(1, 2]\n", "x.py:5"),
    ("bugs", "a planted bug that is stale", "tests/mutants/planted.py",
     'PLANTED = [("x", "lib/time/clock.h", "no such text", "", "unit:time/test_clock")]\n', "has its text 0 times"),
    ("readmes", "a file that no README names", "lib/base/other.c", "", "does not name other"),
    ("readmes", "a room without README", "lib/sink/sink.h", "", "lib/sink/README.md is missing"),
]
CIRCLE = {  # each leads to the next, d to a
    "lib/base/a.h": HEAD + '#include "base/b.h"\n', "lib/base/b.h": HEAD + '#include "base/c.h"\n', "lib/base/c.h": HEAD,
    "lib/base/c.c": HEAD + '#include "base/d.h"\n', "lib/base/d.h": HEAD + '#include "base/a.h"\n'}
HARMLESS = [  # what must not be found
    ("banned", "a word in a comment or a text", "lib/base/x.c",
     '/* strcpy(a, b) */\nconst char *s = "time(0)";\nint x = a->time(0);\n'),
    ("banned", "a bson_t on the stack", "lib/base/x.c",
     "struct x {\n\tbson_t *a;\n};\nint f(void)\n{\n\tbson_t doc;\n\treturn 0;\n}\n"),
    ("rooms", "libev where it is measured", "tests/bench/bench_wheel.c", "#include <ev.h>\n"),
    ("rooms", "an include in a comment", "lib/base/x.c", '/*\n#include "time/clock.h"\n*/\n'),
]


def run(lint, extra):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**CLEAN, **extra}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, str(HERE / f"{lint}.py"), folder],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


def main():
    failed = 0

    def result(good, what, out):
        nonlocal failed
        failed += not good
        print(("ok" if good else "fail") + f" selftest: {what}")
        if not good:
            print(out)

    for lint in ("rooms", "banned", "leftovers", "readmes", "bugs"):
        code, out = run(lint, {})
        result(code == 0, f"{lint} accepts a clean tree", out)
    for lint, what, name, text, word in WRONGS:
        extra = {name: (HEAD if not name.endswith(".py") else "#\n#\n#\n#\n") + text}
        if word is None:  # the concrete plugin needs somebody who includes it
            extra["lib/job/use.c"] = HEAD + '#include "source/source_x.h"\n'
            word = "only the contract"
        code, out = run(lint, extra)
        result(code == 1 and word in out, f"{lint} finds {what}", out)
    code, out = run("rooms", CIRCLE)
    result(code == 1 and "a circle of lib/base/a, lib/base/b, lib/base/c, lib/base/d" in out, "rooms finds four in a circle", out)
    code, out = run("rooms", {**CIRCLE, "lib/base/b.h": HEAD})
    result(code == 0, "rooms lets pass a way that is no circle", out)
    for lint, what, name, text in HARMLESS:
        code, out = run(lint, {name: HEAD + text})
        result(code == 0, f"{lint} lets pass {what}", out)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
