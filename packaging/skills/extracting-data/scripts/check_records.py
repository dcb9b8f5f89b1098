"""check_records.py RECORDS.jsonl KEY FIELD:TYPE...   TYPE is str, int, float, bool; a trailing ? allows null.
Exit status 1 where something is wrong. A record's "quote" must stand in the file its "source" names, where that is a path."""
import json
import sys

TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool}


def main(path, key, *wanted):
    fields = dict(field.split(":", 1) for field in wanted)
    seen, bad, count = set(), 0, 0
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        count += 1
        record = json.loads(line)
        for problem in problems(record, key, fields, seen):
            bad += 1
            print(f"line {number}: {problem}")
    print(f"{count} records, {bad} problems")
    return 1 if bad else 0


def problems(record, key, fields, seen):
    if record.get(key) in seen:
        yield f"{key} {record.get(key)!r} is there twice"
    seen.add(record.get(key))
    for name, kind in fields.items():
        value = record.get(name)
        if value is None:
            if not kind.endswith("?"):
                yield f"{name} is missing"
        elif not isinstance(value, TYPES[kind.rstrip("?")]):
            yield f"{name} is {value!r}, no {kind.rstrip('?')}"
    source, quote = record.get("source", ""), record.get("quote")
    if quote and source.startswith("/") and quote not in open(source, encoding="utf-8", errors="replace").read():
        yield f"the quote {quote[:60]!r} does not stand in {source}"


sys.exit(main(*sys.argv[1:]))
