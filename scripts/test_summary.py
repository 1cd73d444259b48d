"""Prints "N passed, N failed" for a JUnit file of ctest, counting the cases inside each GoogleTest and unittest program."""

import re
import sys
import xml.etree.ElementTree as xml

PASSED = re.compile(r"^\[  PASSED  \] (\d+) tests?\.", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in", re.M)
FAILED = re.compile(r"^\[  FAILED  \] (\d+) tests?, listed below", re.M)


def count(case):
    """One ctest entry -> (passed, failed). A program that dies before its summary counts as one failure."""
    text = case.findtext("system-out") or ""
    passed = sum(int(n) for n in PASSED.findall(text))
    failed = sum(int(n) for n in FAILED.findall(text))
    if case.get("status") == "run":
        passed += sum(int(n) for n in UNITTEST.findall(text))
    if case.get("status") == "run":
        return max(passed, 1), failed
    if case.get("status") in ("disabled", "notrun"):
        return 0, 0 if case.find("skipped") is not None else 1
    return passed, max(failed, 1)


def main(path):
    try:
        cases = xml.parse(path).getroot().findall("testcase")
    except (OSError, xml.ParseError):
        cases = []
    counts = [count(case) for case in cases]
    passed, failed = (sum(column) for column in zip(*counts)) if counts else (0, 1)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
