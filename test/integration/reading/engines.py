"""Runs blocks of docs/reading.md in the folder that holds data/. Writes what `events` is then, as one line of JSON.

Arguments: the engine. On stdin: the blocks, as a list. The blocks of one list share their names, as in a notebook.
"""

import json
import sys

COLUMNS = ["amplitude_id", "event_type", "event_time", "event_properties"]
EVENTS = f"SELECT {', '.join(COLUMNS)} FROM events"


def duckdb(blocks):
    import duckdb as engine

    connection = engine.connect()
    for block in blocks:
        for statement in connection.extract_statements(block):
            connection.execute(statement)
    return connection.execute(EVENTS).fetchall()


def clickhouse(blocks):
    from chdb import session

    client = session.Session()
    for block in blocks:
        client.query(block)
    return [json.loads(row) for row in str(client.query(EVENTS, "JSONCompactEachRow")).strip().split("\n")]


def run_python(blocks, **names):
    for block in blocks:
        exec(compile(block, "docs/reading.md", "exec"), names)
    return names


def polars(blocks):
    events = run_python(blocks)["events"].collect()
    return events.select(*COLUMNS).rows()


def pandas(blocks):
    return run_python(blocks)["events"][COLUMNS].values.tolist()


def spark(blocks):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    for name in ("spark.driver.host", "spark.driver.bindAddress"):
        builder = builder.config(name, "127.0.0.1")
    session = builder.getOrCreate()
    events = run_python(blocks, spark=session)["events"]
    return [list(row) for row in events.select(*COLUMNS).collect()]


def iceberg(blocks):
    table = run_python(blocks)["table"]
    found = table.scan(selected_fields=tuple(COLUMNS)).to_arrow().to_pylist()
    return [[row[name] for name in COLUMNS] for row in found], {"commits": len(table.history())}


def as_text(properties):
    return properties if isinstance(properties, str) else json.dumps(properties)


result = globals()[sys.argv[1]](json.load(sys.stdin))
rows, more = result if isinstance(result, tuple) else (result, {})
drifting = [[str(id), str(time), as_text(properties)] for id, kind, time, properties in rows if kind == "Drift"]
print(json.dumps({"rows": len(rows), "drifting": sorted(drifting), **more}))
