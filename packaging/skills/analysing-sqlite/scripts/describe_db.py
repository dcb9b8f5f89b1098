"""describe_db.py FILE   What is in a SQLite database: tables with columns, counts, indexes and five rows each. Opens it read-only."""
import sqlite3
import sys
from urllib.parse import quote


def main(path):
    db = sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)
    names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    for (name,) in names.fetchall():
        table = '"' + name.replace('"', '""') + '"'
        count = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        print(f"\n{name}: {count} rows")
        for _, column, kind, notnull, default, key in db.execute(f"PRAGMA table_info({table})"):
            print(f"  {column} {kind}{' NOT NULL' if notnull else ''}{' KEY' if key else ''}{'' if default is None else f' = {default}'}")
        for row in db.execute(f"PRAGMA index_list({table})"):
            print(f"  index {row[1]}{' unique' if row[2] else ''}")
        for row in db.execute(f"SELECT * FROM {table} LIMIT 5"):
            print("   ", tuple(str(value)[:60] for value in row))


main(sys.argv[1])
