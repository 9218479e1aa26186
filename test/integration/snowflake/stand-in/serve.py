"""fakesnow over HTTP, with stages on a local S3 server and answers that Snowflake's Node driver reads.

Started by stand-in.ts, with this folder in PYTHONPATH (sitecustomize.py adds the text lines). It adds:
 1. s3:// stages by s3fs, where fakesnow would have DuckDB download an extension at run time.
 2. COPY of JSON with keys at any depth, PATTERN and METADATA$FILENAME.
 3. JSON instead of Arrow, and an ordinary error where fakesnow answers 500, which drivers retry for minutes.
"""
import base64
import json
import os
import re
import sys

import fakesnow.copy_into as copy_into
import fakesnow.server as server
import pyarrow
import s3fs
import uvicorn
from sqlglot import exp
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

s3 = s3fs.S3FileSystem(
    key=os.environ["AWS_ACCESS_KEY_ID"],
    secret=os.environ["AWS_SECRET_ACCESS_KEY"],
    client_kwargs={"endpoint_url": os.environ["AWS_ENDPOINT_URL_S3"], "region_name": "us-east-1"},
    config_kwargs={"s3": {"addressing_style": "path"}},
    use_listings_cache=False,  # else what lands after the first listing is not seen
    skip_instance_cache=True,
)
server.shared_fs.duck_conn.register_filesystem(s3)
plain_params, plain_inserts = copy_into._params, copy_into._inserts
patterns = {}


def params(expr, *args, **kwargs):
    """PATTERN is taken out for fakesnow, which has none, and kept for the listing that follows."""
    given = expr.args.get("params") or []
    patterns["now"] = next((p.expression.name for p in given if p.this.name.upper() == "PATTERN"), ".*")
    expr.set("params", [p for p in given if p.this.name.upper() != "PATTERN"])
    return plain_params(expr, *args, **kwargs)


def listing(source, _duck_conn):
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    keys = (key.partition("/")[2] for key in s3.find(bucket, prefix=prefix))
    return [f"s3://{bucket}/{key}" for key in sorted(keys) if re.fullmatch(patterns["now"], key)]


def inserts(expr, cparams, urls, parquet_info=None):
    if not isinstance(cparams.file_format, copy_into.ReadJSON):
        return plain_inserts(expr, cparams, urls, parquet_info)
    columns = expr.args["files"][0].this.expressions
    made = []
    for url in urls:
        # Without this, date=… in a key would be a column.
        read = exp.func("read_json_objects", exp.Literal.string(url),
                        exp.EQ(this=exp.Literal.number("hive_partitioning"), expression=exp.false()))
        select = exp.Select(expressions=[column.transform(of_document, url) for column in columns])
        made.append(exp.Insert(this=expr.this.copy(), expression=select.from_(exp.Table(this=read))))
    return made


def of_document(node, url):
    if isinstance(node, exp.Parameter) and node.name == "1":
        return exp.column("json")
    if isinstance(node, exp.Column) and node.name.upper() == "METADATA$FILENAME":
        return exp.Literal.string(url.split("/", 3)[3])
    return node


copy_into._params, copy_into._source_glob, copy_into._inserts = params, listing, inserts


def cell(value):
    """As Snowflake writes a value into JSON: text or null."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict) and "epoch" in value:
        return None if value["epoch"] is None else f"{value['epoch']}.{value['fraction']:09d}"
    return json.dumps(value) if isinstance(value, (bool, dict, list)) else str(value)


async def query(request):
    answer = await server.query_request(request)
    body = json.loads(answer.body)
    data = body.get("data") or {}
    if answer.status_code == 500:
        body.update(success=False, data={"errorCode": body.get("code"), "sqlState": "XX000"})
    elif data.get("queryResultFormat") == "arrow":
        encoded = data.pop("rowsetBase64", "")
        table = pyarrow.ipc.open_stream(base64.b64decode(encoded)).read_all() if encoded else None
        columns = [[cell(value) for value in column.to_pylist()] for column in table.columns] if table else []
        data.update(queryResultFormat="json", rowset=[list(row) for row in zip(*columns)])
    if "rowset" in data:
        data.setdefault("returned", len(data["rowset"]))
    return JSONResponse(body)


QUERY = "/queries/v1/query-request"
routes = [
    *(route for route in server.routes if route.path != QUERY),
    Route(QUERY, query, methods=["POST"]),
    Route("/telemetry/send", lambda _: JSONResponse({"success": True}), methods=["POST"]),
    Route("/health", lambda _: Response("ok")),
]
uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
