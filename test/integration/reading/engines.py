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
    return connection.execute(EVENTS).fetchall(), engine.__version__


def clickhouse(blocks):
    from chdb import session

    client = session.Session()
    for block in blocks:
        client.query(block)
    rows = str(client.query(EVENTS, "JSONCompactEachRowWithProgress")).splitlines()
    found = [json.loads(row)["row"] for row in rows if "row" in json.loads(row)]
    return found, str(client.query("SELECT version()", "TSVRaw")).strip()


def run_python(blocks, **names):
    for block in blocks:
        exec(compile(block, "docs/reading.md", "exec"), names)
    return names


def polars(blocks):
    import polars as engine

    events = run_python(blocks)["events"].collect()
    return events.select(*COLUMNS).rows(), engine.__version__


def pandas(blocks):
    import pandas as engine

    return run_python(blocks)["events"][COLUMNS].values.tolist(), engine.__version__


def spark(blocks):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    for name in ("spark.driver.host", "spark.driver.bindAddress"):
        builder = builder.config(name, "127.0.0.1")
    session = builder.getOrCreate()
    events = run_python(blocks, spark=session)["events"]
    return [list(row) for row in events.select(*COLUMNS).collect()], session.version


def iceberg(blocks):
    import pyiceberg

    table = run_python(blocks)["table"]
    found = table.scan(selected_fields=tuple(COLUMNS)).to_arrow().to_pylist()
    return [[row[name] for name in COLUMNS] for row in found], pyiceberg.__version__, len(table.history())


def as_text(properties):
    return properties if isinstance(properties, str) else json.dumps(properties)


rows, version, *commits = globals()[sys.argv[1]](json.load(sys.stdin))
drifting = [[str(id), str(time), as_text(properties)] for id, kind, time, properties in rows if kind == "Drift"]
result = {"version": version, "rows": len(rows), "drifting": sorted(drifting)}
print(json.dumps({**result, "commits": commits[0]} if commits else result))
