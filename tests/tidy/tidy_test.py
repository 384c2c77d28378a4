"""Seeds violations into a small tree and expects each rule to find them: a rule that finds nothing fails here."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TABLES = ("rooms.txt", "homes.txt", "banned.txt", "dialect_words.txt", "large_files.txt", "long_functions.txt")

# A tree that every rule accepts.
CLEAN = {
    "src/base/a.h": "#pragma once\n\n// A thing.\n// Thread-safety: immutable value.\nclass A {};\n",
    "src/base/a.cc": '#include "base/a.h"\n\n#include <unistd.h>\n\n#include <spdlog/spdlog.h>\n',
    "src/base/CMakeLists.txt": "bascule_room(base HEADERS a.h SOURCES a.cc)\n",
    "src/tensor/t.cc": '#include <vector>\n\n#include <fmt/format.h>\n\n#include "base/a.h"\n',
    "src/tensor/CMakeLists.txt": "bascule_room(tensor SOURCES t.cc DEPS base)\n",
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n- base: it is there.\n\n## 0.1.0 - 2030-01-02\n- base: first.\n",
}


def long_function(lines):
    return "int f() {\n" + "  g();\n" * (lines - 2) + "}\n"


class Tidy(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="tidy-")
        self.addCleanup(shutil.rmtree, self.root)
        for table in TABLES:
            self.write(f"tests/tidy/{table}", "")
            shutil.copy(os.path.join(HERE, table), os.path.join(self.root, "tests/tidy", table))
        self.write("tests/tidy/long_functions.txt", "")
        for name, text in CLEAN.items():
            self.write(name, text)
        shutil.copy(os.path.join(HERE, "..", "..", ".clang-format"), self.root)

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_rule(self, rule):
        command = [sys.executable, os.path.join(HERE, "tidy.py"), rule, "--root", self.root]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def finds(self, rule, *sentences):
        done = self.run_rule(rule)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for sentence in sentences:
            self.assertIn(sentence, done.stdout)
        self.assertIn(f"{len(sentences)} violations.", done.stdout)

    def accepts(self, rule):
        done = self.run_rule(rule)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_clean_tree_is_accepted(self):
        names = subprocess.run([sys.executable, os.path.join(HERE, "tidy.py"), "--list"], capture_output=True,
                               text=True, check=True).stdout.split()
        self.assertGreaterEqual(len(names), 12)
        with open(os.path.join(HERE, "..", "CMakeLists.txt"), encoding="utf-8") as file:
            registered = file.read().split("foreach(rule ")[1].split(")")[0].split()
        self.assertEqual(registered, names, "tests/CMakeLists.txt names every rule")
        for rule in names:
            with self.subTest(rule):
                self.accepts(rule)

    def test_empty_tree_is_refused(self):
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run([sys.executable, os.path.join(HERE, "tidy.py"), "--root", empty],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)

    def test_rooms(self):
        self.write("src/base/b.cc", '#include "tensor/t.h"\n// #include "tensor/comment.h"\n#include "base/none.h"\n')
        self.write("src/tensor/t.h", "#pragma once\n")
        self.write("src/backend/fake/fake.h", "#pragma once\n")
        self.write("src/backend/ort/ort.h", "#pragma once\n")
        self.write("src/backend/ort/CMakeLists.txt", "bascule_room(backend_ort\n  HEADERS ort.h\n  DEPS base)\n")
        self.write("src/tasks/t.cc", '#include "backend/ort/ort.h"\n#include "backend/fake/fake.h"\n')
        self.write("src/tasks/t_test.cc", '#include "backend/fake/fake.h"\n')
        self.write("src/app/main.cc", '#include "backend/ort/ort.h"\n')
        self.write("src/tensor/CMakeLists.txt", "bascule_room(tensor\n  DEPS base tasks\n  LIBS x)\n")
        self.write("src/attic/a.cc", '#include "base/a.h"\n')
        self.write("src/base/private.h", "#pragma once\n")
        self.write("src/config/c.cc", '#include "base/private.h"\n#include "base/a.h"\n')
        self.finds("rooms", 'src/base/b.cc:1: "tensor/t.h"', 'src/base/b.cc:3: "base/none.h" is no file',
                   "'backend/ort' is a leaf", "'backend/fake' is a leaf", "tensor/ may not depend on tasks/",
                   "'attic' does not stand", "it is not under HEADERS")

    def test_homes(self):
        self.write("src/tensor/b.cc", "#include <boost/asio.hpp>\n#include <surprise/lib.h>\n#include <nlohmann/json.hpp>\n")
        self.write("src/http/server.h", "#include <boost/beast.hpp>\n")
        self.write("src/http/private.h", "#include <boost/beast.hpp>\n")
        self.write("src/http/CMakeLists.txt", "bascule_room(http\n  HEADERS a.h\n  server.h\n  SOURCES private.cc)\n")
        self.write("src/tensor/t_test.cc", "#include <gtest/gtest.h>\n#include <nlohmann/json.hpp>\n")
        self.finds("homes", "<boost/asio.hpp> may only be included in http", "<surprise/lib.h> has no home",
                   "<nlohmann/json.hpp> may only", "src/http/server.h:1: <boost/beast.hpp> may not stand in a public header")

    def test_banned(self):
        self.write("src/tensor/b.cc", "std::mutex m;\n// std::mutex in a comment\nauto s = \"std::mutex in a string\";\n"
                   "auto* p = new int;\nthread.detach();\nx = std::chrono::system_clock::now();\n"
                   "std::this_thread::sleep_for(d);\nint r = rand();\nA(const A&) = delete;\nstd::thread t;\n")
        self.write("src/tensor/b_test.cc", "std::jthread t;\nusleep(3);\n")
        self.write("src/base/mutex.h", "std::mutex m;\n")
        self.finds("banned", "b.cc:1: 'std::mutex'", "b.cc:4: 'new i'", "b.cc:5: 'detach('",
                   "b.cc:6: 'system_clock::now'", "b.cc:7: 'sleep_for('", "b.cc:8: 'rand('", "b.cc:10: 'std::thread'",
                   "b_test.cc:2: 'usleep('")

    def test_sizes(self):
        self.write("src/base/long.cc", "int x;\n" * 601)
        self.write("src/base/f.cc", "namespace n {\nnamespace {\n" + long_function(71) + "}\n}\n")
        self.write("src/base/f_test.cc", long_function(101) + long_function(100))
        self.write("src/base/g.cc", "class A {\n" + long_function(70) + "\n};\nconst T kTable = {\n" + "{1},\n" * 90 + "};\n")
        self.finds("sizes", "src/base/long.cc: 601 lines", "src/base/f.cc:3: a function of 71 lines",
                   "src/base/f_test.cc:1: a function of 101 lines")

    def test_ratchet_only_shrinks(self):
        self.write("src/base/f.cc", long_function(80))
        self.write("tests/tidy/long_functions.txt", "src/base/f.cc 80\n")
        self.accepts("sizes")
        self.write("src/base/f.cc", long_function(81))
        self.finds("sizes", "grew from 80 to 81")
        self.write("src/base/f.cc", long_function(75))
        self.finds("sizes", "shrank to 75 lines; lower its 80")
        self.write("src/base/f.cc", long_function(5))
        self.finds("sizes", "no longer needed")
        self.write("tests/tidy/long_functions.txt", "src/base/gone.cc 80\n")
        self.finds("sizes", "gone.cc, which is not there")

    def test_listed(self):
        self.write("src/base/a_test.cc", "")
        self.write("src/base/CMakeLists.txt", "bascule_room(base SOURCES a.cc\n  # a_test.cc\n  TESTS data_test.cc)\n")
        self.finds("listed", "src/base/a_test.cc: src/base/CMakeLists.txt does not list a_test.cc")

    def test_dialects(self):
        word = "trit" + "on"
        self.write("src/serving/s.cc", f'// {word}\nauto x = "{word.title()}";\n')
        self.write("src/protocol/p.cc", f'auto x = "{word}";\n')
        self.finds("dialects", "src/serving/s.cc:2: 'Triton' is a dialect's word")

    def test_thread_safety(self):
        self.write("src/base/b.h", "// Says nothing.\nclass B {\n};\nclass Forward;\n\n// Thread-safety: none.\n"
                   "template <class T>\nclass C {\n};\n\ntemplate <>\nclass C<void> {\n};\n")
        self.finds("thread-safety", "src/base/b.h:2: the comment above class B")

    def test_blobs(self):
        self.write("docs/big.bin", "x" * 1_000_001)
        self.write("tests/data/big.bin", "x" * 1_000_001)
        self.finds("blobs", "docs/big.bin: 1000001 bytes")
        self.write("tests/data/big.bin", "x" * 47_000_001)
        self.finds("blobs", "docs/big.bin: 1000001 bytes", "the limit is 48000000")

    def test_changelog(self):
        self.write("CHANGELOG.md", "# Changes\n\n## 0.1.0\n- no room\n\n## Soon\n")
        self.finds("changelog", "the first line", "'## Unreleased'", "'## Soon' is not", "the entry '- no room'")
        self.write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2030-01-01\n\n## 0.2.0 - 2029-01-01\n")
        self.finds("changelog", "versions fall")

    def test_places(self):
        self.write("docs/a.md", "see /wo" + "rk/main and py" + "pi.org\nbuild/tmp/x is fine\n~/tmp/x too\n/ho" + "me/jo/x\n")
        self.finds("places", "docs/a.md:1:", "docs/a.md:4:")

    def test_scripts(self):
        path = self.write("scripts/a.sh", "#!/bin/sh\nif\n")
        self.finds("scripts", "is not executable", "the first line is", "lacks 'set", "does not parse")
        self.write("scripts/a.sh", "#!/usr/bin/env bash\nset -euo pipefail\necho\n")
        os.chmod(path, 0o755)
        self.accepts("scripts")

    def test_format(self):
        self.write("src/base/a.cc", "int  x ;\n")
        self.finds("format", "src/base/a.cc: is not formatted")


class CountTests(unittest.TestCase):
    """scripts/count_tests.py, on what ctest and pytest write."""

    def count(self, *arguments, **files):
        with tempfile.TemporaryDirectory() as folder:
            names = []
            for name, text in files.items():
                names.append(os.path.join(folder, name + ".xml"))
                with open(names[-1], "w", encoding="utf-8") as file:
                    file.write(text)
            script = os.path.join(HERE, "..", "..", "scripts", "count_tests.py")
            done = subprocess.run([sys.executable, script, *arguments, *names], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout.splitlines()[-1]

    CTEST = """<testsuite name="x"><testcase name="a" classname="a" status="run"/>
        <testcase name="b" classname="b" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>
        %s</testsuite>"""
    PYTEST = """<testsuites><testsuite><testcase classname="t" name="a"/>
        <testcase classname="t" name="a"><error message="teardown"/></testcase>
        <testcase classname="t" name="b"><skipped message="why"/></testcase></testsuite></testsuites>"""

    def test_sums(self):
        self.assertEqual(self.count(ctest=self.CTEST % ""), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertEqual(self.count(ctest=self.CTEST % "", pytest=self.PYTEST), (1, "1 passed, 1 failed, 2 skipped"))

    def test_missing_program_has_failed(self):
        missing = '<testcase name="c" status="notrun"><skipped message="Unable to find executable: x"/></testcase>'
        self.assertEqual(self.count(ctest=self.CTEST % missing), (1, "1 passed, 1 failed, 1 skipped"))
        failed = '<testcase name="c" status="fail"><failure message="Failed"/></testcase>'
        self.assertEqual(self.count(ctest=self.CTEST % failed), (1, "1 passed, 1 failed, 1 skipped"))

    def test_broken_phase_has_failed(self):
        self.assertEqual(self.count("--broken", "build dev", ctest=self.CTEST % ""), (1, "1 passed, 1 failed, 1 skipped"))
        self.assertEqual(self.count("--broken", "pytest", pytest=self.PYTEST), (1, "0 passed, 1 failed, 1 skipped"))
        self.assertEqual(self.count(ctest="<cut"), (1, "0 passed, 1 failed"))

    def test_nothing_ran(self):
        self.assertEqual(self.count(), (1, "0 passed, 0 failed"))


class ReleaseCheck(unittest.TestCase):
    """scripts/release-check.sh as far as it goes without a run, and scripts/release_record.py."""

    SCRIPTS = os.path.join(HERE, "..", "..", "scripts")
    PARTS = ["tidy", "tsan", "fuzz", "clients", "tune", "int8"]

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="record-")
        self.addCleanup(shutil.rmtree, folder)
        self.page, self.log = os.path.join(folder, "page.md"), os.path.join(folder, "log")

    def check(self, *arguments):
        return subprocess.run([os.path.join(self.SCRIPTS, "release-check.sh"), *arguments], capture_output=True, text=True,
                              check=False)

    def record(self, part, log, status=0, seconds=60, commit="abc1234"):
        with open(self.log, "w", encoding="utf-8") as file:
            file.write(log)
        subprocess.run([sys.executable, os.path.join(self.SCRIPTS, "release_record.py"), part, "--log", self.log, "--status",
                        str(status), "--seconds", str(seconds), "--commit", commit, "--command", f"check --only {part}",
                        "--page", self.page], check=True)
        with open(self.page, encoding="utf-8") as file:
            page = file.read()
        texts = page.split("\n## ")[1:]
        self.assertEqual([text.split("\n", 1)[0] for text in texts], self.PARTS)
        return dict(zip(self.PARTS, texts))

    def test_options(self):
        done = self.check("--help")
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in self.PARTS:
            self.assertRegex(done.stdout, rf"(?m)^(PART:)? +{part} ")
        for words, sentence in ((("--only", "lint"), "no part 'lint'"), (("--only",), "--only needs a value"),
                                (("--fast",), "no option '--fast'"), (("--rooms", "cellar"), "no room 'cellar'"),
                                (("--fuzz-seconds", "0"), "not '0'"), (("--only", "int8"), "needs --environments")):
            done = self.check(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(sentence, done.stderr)

    def test_a_part_replaces_its_own_section(self):
        tests = "[1/2] building\nrelease-check: the tests of /src/net\n100% tests passed, 0 tests failed out of 57\n\nTotal\n"
        first = self.record("tsan", tests, seconds=300, commit="abc1234 with changes")
        self.assertIn("commit `abc1234` with changes, after 5 min: `check --only tsan`", first["tsan"])
        self.assertIn("```text\nrelease-check: the tests of /src/net\n100% tests passed, 0 tests failed out of 57\n```", first["tsan"])
        self.assertIn("No result is kept here yet.", first["fuzz"])
        second = self.record("fuzz", "fuzz: jpeg, 60 s\ntarget inputs places  result\njpeg   12  34  nothing found\nfuzz: 1 targets, 0\n")
        self.assertEqual(second["tsan"], first["tsan"])
        self.assertIn("```text\ntarget inputs places  result\njpeg   12  34  nothing found\nfuzz: 1 targets, 0\n```", second["fuzz"])
        third = self.record("tsan", tests.replace("57", "58"))
        self.assertEqual(third["fuzz"], second["fuzz"])
        self.assertNotIn("57", third["tsan"])
        self.assertIn("out of 58", third["tsan"])
        self.assertEqual(self.record("tsan", tests.replace("57", "58")), third)

    def test_what_failed_shows_its_end(self):
        failed = self.record("tsan", "\n".join(f"line {n}" for n in range(30)), status=2)["tsan"]
        self.assertIn("Failed on ", failed)
        self.assertIn("line 29\n", failed)
        self.assertNotIn("line 19\n", failed)

    def test_findings_are_counted_once(self):
        root = os.path.realpath(os.path.join(HERE, "..", ".."))
        finding = f"{root}/src/base/a.h:3:4: error: it is wrong [bugprone-x]\n"
        log = f"[1/1] Making messages\n[1/2][4.4s] clang-tidy {root}/a.cc\n{finding}[ 2/2][3s] clang-tidy b.cc\n{finding}note\n"
        text = self.record("tidy", log, status=1)["tidy"]
        self.assertIn("```text\n2 files, 1 findings\nsrc/base/a.h:3:4: error: it is wrong [bugprone-x]\n", text)
        self.assertNotIn(root, text)


if __name__ == "__main__":
    unittest.main()
