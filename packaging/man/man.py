#!/usr/bin/env python3
"""man.py TEMPLATE VERSION PAGE: writes a manual page.

A template is a page in the macros of man(7), in which a line

    @FILE.md#SECTION[ HEADING...]

stands for that section of docs/FILE.md, without the parts below it, or for those of its tables whose
first column has one of these headings. So what documents say is said once. Markdown that no document
here has is not known.
"""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]


def fail(text):
    sys.exit(f"man.py: {text}")


def escaped(text):
    """Text as roff prints it: what a keyboard has stays that when it is copied from a page."""
    text = text.replace("\\", "\\e")
    for character, name in (("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti")):
        text = text.replace(character, name)
    return re.sub(r"[^\x00-\x7f]", lambda c: f"\\[u{ord(c[0]):04X}]", text)


def code(text, arguments):
    """In bold; in the head of an entry what stands for something else is in italics."""
    if not arguments:
        return f"\\fB{escaped(text)}\\fR"
    parts = re.split(r"((?<![A-Za-z])[A-Z][A-Z0-9]*(?![a-z]))", text)
    fonts = ("B", "I")
    return "".join(f"\\f{fonts[i % 2]}{escaped(part)}\\fR" for i, part in enumerate(parts) if part)


def stressed(text):
    return re.sub(r"(?<!\w)\*{1,2}(\w[^*]*)\*{1,2}", r"\\fI\1\\fR", escaped(text))


def inline(text, arguments=False):
    text = re.sub(r"!?\[((?:`[^`]*`|[^\]`])*)\]\([^)]*\)", r"\1", text)
    parts = re.split(r"`([^`]*)`", text.replace("\\|", "|"))
    return "".join(code(part, arguments) if i % 2 else stressed(part) for i, part in enumerate(parts))


def wrapped(text):
    """Lines that are no requests: fonts are closed within a word or go on in the next line."""
    lines = textwrap.wrap(text, 76, break_long_words=False, break_on_hyphens=False)
    return "\n".join("\\&" + line if line[0] in ".'" else line for line in lines)


def cells(row):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def entry(row, headings):
    """The first column is the head, the last the text, what is between a remark before that."""
    head, *remarks, text = row
    between = "; ".join(f"{heading} {remark}" for heading, remark in zip(headings[1:], remarks) if remark)
    body = inline(text or "nothing more")
    if between:
        body = f"({inline(between)}) {body}"
    return f".TP\n{inline(head, True) or '(nothing)'}\n{wrapped(body)}"


def table(rows):
    headings = cells(rows[0])
    entries = [entry(cells(row), headings) for row in rows[2:]]
    return "\n".join(entries + [".PP"])


def blocks(lines):
    """Pairs of a kind (code, table, text, list) and its lines."""
    kind, block = None, []
    for line in lines + [""]:
        if kind == "code":
            if line.startswith("```"):
                yield kind, block
                kind, block = None, []
            else:
                block.append(line)
            continue
        now = ("code" if line.startswith("```") else "table" if line.startswith("|")
               else "text" if line.strip() else None)
        if now != kind and kind:
            yield kind, block
            block = []
        if now and now != "code":
            block.append(line)
        kind = now


def converted(lines, wanted):
    out = []
    for kind, block in blocks(lines):
        if kind == "table":
            if not wanted or cells(block[0])[0] in wanted:
                out.append(table(block))
        elif wanted:
            continue
        elif kind == "code":
            out.append(".RS 4\n.EX\n" + "\n".join("\\&" + escaped(line) if line else "\\&" for line in block) + "\n.EE\n.RE\n.PP")
        else:
            out.append(wrapped(inline(" ".join(line.strip() for line in block))) + "\n.PP")
    return "\n".join(out)


def section(name, title):
    """The lines between this heading and the next of any depth."""
    lines, inside, verbatim = [], False, False
    for line in (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines():
        verbatim ^= line.startswith("```")
        if line.startswith("#") and not verbatim:
            inside = line.lstrip("#").strip() == title
        elif inside:
            lines.append(line)
    return lines


def expanded(line):
    place, *wanted = line[1:].split("|")
    name, title = place.split("#", 1)
    lines = section(name, title)
    text = converted(lines, wanted)
    if not text:
        fail(f"docs/{name} has no '{title}' with that")
    return text


def tidy(page):
    """No paragraph begins before another, or before a heading, or behind one."""
    page = re.sub(r"(\.PP\n)+(?=\.(PP|SH|SS|TP)\b)", "", page + "\n")
    page = re.sub(r"(?<=\n)(\.S[HS] [^\n]*\n)\.PP\n", r"\1", page)
    return re.sub(r"\n\.PP\n*$", "\n", page.rstrip("\n") + "\n")


def main():
    if len(sys.argv) != 4:
        fail("usage: man.py TEMPLATE VERSION PAGE")
    lines = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    page = "\n".join(expanded(line) if line.startswith("@") else line for line in lines)
    with open(sys.argv[3], "w", encoding="ascii", newline="\n") as out: # the same bytes on every host
        out.write(tidy(page.replace("VERSION", sys.argv[2], 1)))


main()
