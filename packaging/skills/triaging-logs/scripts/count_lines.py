"""count_lines.py FILE [MINUTES]   Counts lines that are alike: numbers, ids and addresses masked. With MINUTES, by bursts of so many
minutes of lines that begin with an RFC 3339 or ISO time. Most frequent first; rare ones at the end: look there too."""
import collections
import re
import sys

MASKS = [
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"), "<uuid>"),
    (re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b"), "<ulid>"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b"), "<ip>"),
    (re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{12,}\b"), "<hex>"),
    (re.compile(r"\d+"), "<n>"),
]
TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d):(\d\d)")


def masked(line):
    line = TIME.sub("", line, count=1)
    for pattern, word in MASKS:
        line = pattern.sub(word, line)
    return line.strip()[:160]


def main(path, minutes=None):
    kinds, first, bursts = collections.Counter(), {}, collections.Counter()
    with open(path, encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            kind = masked(line)
            kinds[kind] += 1
            first.setdefault(kind, number)
            time = TIME.search(line)
            if minutes and time:
                bursts[f"{time[1]}:{int(time[2]) // int(minutes) * int(minutes):02d}"] += 1
    for time, count in sorted(bursts.items()):
        print(f"{time}  {count}")
    for kind, count in kinds.most_common(40):
        print(f"{count:>8}  first at line {first[kind]}  {kind}")
    rare = [kind for kind, count in kinds.items() if count == 1]
    print(f"{len(kinds)} kinds of lines, {len(rare)} of them once")
    for kind in rare[:40]:
        print(f"       1  line {first[kind]}  {kind}")


main(*sys.argv[1:])
