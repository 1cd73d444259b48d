#!/usr/bin/env python3
"""Every path that a document names exists, and every page that a comment of the source names.

A path is a link target, or a word in `code` (inline or a block) that starts with a folder of the project or ends like a
source file. Words with placeholders (FOLDER, NAME, <x>, {x}, ...) and things that a build or a run makes are no paths.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MADE = {"build", "runs", ".venv", ".cache"}
SKIP = MADE | {".git"}
FOREIGN = {"torch", "ATen", "c10"}  # headers of LibTorch
SOURCE = re.compile(r"\.(md|h|cpp|py|sh|cmake|def)$")
LINK = re.compile(r"\]\(([^)\s]+)\)")
INLINE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^\s*(```|~~~)")
WORD = re.compile(r"^[\w.+-]+(/[\w.+*-]+)*/?$")
PAGE = re.compile(r"\bdocs/[\w/.-]+\.md\b|\b\w+/[\w/]+\.h\b")  # in a comment
PLACEHOLDER = re.compile(r"(^|[/_.-])[A-Z]{2,}([/_.-]|$)")


def candidates(text):
    """(line number, path, certain): links are certainly paths, words only when they look like one."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
            continue
        if fenced:
            words = line.split()
        else:
            for target in LINK.findall(line):
                if not re.match(r"[a-z]+:|#", target):
                    yield number, target.split("#")[0], True
            words = [word for code in INLINE.findall(line) for word in code.split()]
        for word in words:
            yield number, word.strip("'\",;:()"), False


def named_in_comments(text):
    """(line number, path): pages of docs and headers that `//` comments name."""
    for number, line in enumerate(text.splitlines(), 1):
        comment = line.partition("//")[2]
        for word in PAGE.findall(comment):
            yield number, word


def is_path(root, word):
    if not WORD.match(word) or "..." in word:
        return False
    parts = word.split("/")
    if parts[0] in MADE | FOREIGN or re.match(r"\.\w+$", word):  # `.cpp` is a suffix
        return False
    if SOURCE.search(word):
        # Capitals alone (README.md) are a name, in the middle of a path (FOLDER/x.h) a placeholder.
        return not any(PLACEHOLDER.search(part) for part in (parts if len(parts) > 1 else []) if not part.endswith(".md"))
    return len(parts) > 1 and (root / parts[0]).is_dir() and not any(PLACEHOLDER.search(part) for part in parts)


def exists(root, document, word):
    bases = [root, document.parent, root / "src", root / "src/mgd"]
    if "*" in word:
        return any(next(iter(base.glob(word)), None) for base in bases)
    if any((base / word).exists() for base in bases):
        return True
    # A bare file name may stand for a file of its folder's page.
    return "/" not in word and any(SKIP.isdisjoint(p.relative_to(root).parts) for p in root.glob(f"*/**/{word}"))


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    missing = 0
    documents = [p for p in sorted(root.glob("**/*.md")) if SKIP.isdisjoint(p.relative_to(root).parts)]
    for document in documents:
        for line, word, certain in candidates(document.read_text(encoding="utf-8")):
            word = word.removeprefix("./")
            if (certain or is_path(root, word)) and word and not exists(root, document, word):
                print(f"{document.relative_to(root)}:{line}: no such path: {word}", file=sys.stderr)
                missing += 1
    sources = sorted((root / "src").glob("**/*.[ch]*"))
    for source in sources:
        for line, word in named_in_comments(source.read_text(encoding="utf-8")):
            if word.split("/")[0] not in FOREIGN and not exists(root, source, word):
                print(f"{source.relative_to(root)}:{line}: no such path: {word}", file=sys.stderr)
                missing += 1
    print(f"{len(documents)} documents, {len(sources)} sources, {missing} missing paths")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
