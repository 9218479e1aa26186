"""dbt build, as the flow amplitude_transform runs it in a container.

The DuckDB file lies beside the landing, so any worker finds it. This fetches it, runs dbt, and puts the file back, also if a test
failed. It ends well and says by Kestra's output `failed` which model or test did not pass. Every warning is a line of the log.
"""
import json
import os
import subprocess

TARGET, DESTINATION, FILE = os.environ["TARGET"], os.environ["DESTINATION"], os.environ["DUCKDB_PATH"]
PROJECT = os.path.dirname(os.path.abspath(__file__))
RESULTS = f"{PROJECT}/target/run_results.json"
KEPT = f"{DESTINATION}/amplitude.duckdb"


def build():
    """dbt's exit code and what it said."""
    flags = os.environ["FLAGS"].split()
    command = ["dbt", "--no-use-colors", "build", f"--project-dir={PROJECT}", f"--profiles-dir={PROJECT}", *flags]
    said = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dbt:
        for line in dbt.stdout:
            print(line, end="", flush=True)
            said += line
    return dbt.returncode, said


def not_passed(code, said):
    """What failed, in one line, and the warnings."""
    named = {"error": [], "fail": [], "warn": []}
    for result in json.load(open(RESULTS))["results"] if os.path.exists(RESULTS) else []:
        kind, _, name = result["unique_id"].split(".")[:3]
        named.setdefault(result["status"], []).append(f"{kind} {name}: {result['message']}")
    failed = "; ".join(named["error"] + named["fail"])
    if code != 0 and failed == "":
        failed = said.partition("Encountered an error:")[2] or f"exit code {code}"
    return failed and "dbt failed: " + " ".join(failed.split()), named["warn"]


warnings = []
try:
    if TARGET == "duckdb":
        import s3fs

        store = s3fs.S3FileSystem()
        # A list: S3 answers 403 for an absent object to a role that may list one prefix only.
        if KEPT.removeprefix("s3://") in store.ls(DESTINATION):
            store.get_file(KEPT, FILE)
    code, said = build()
    if TARGET == "duckdb" and os.path.exists(FILE):
        store.put_file(FILE, KEPT)
    failed, warnings = not_passed(code, said)
except Exception as error:
    failed = f"Cannot read the landing or replace {KEPT}: {type(error).__name__}: {error}"
logs = [{"level": "WARN", "message": line} for line in warnings]
print("::" + json.dumps({"outputs": {"failed": failed[:4000]}, "logs": logs}) + "::")
