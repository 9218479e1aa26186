"""What the set-up and the load need of Snowflake and fakesnow 0.12.1 has not:

 1. COPY with METADATA$ columns of a CSV file format without a delimiter, which takes a line as one text.
 2. $insert_id in quotes is a name or a text, and not the session variable insert_id.
 3. The open transaction of a session that ends is undone at once; else Python's collector of garbage does it at some time,
    and until then no other session can delete what it deleted.
 4. Statements about the account are accepted, and do nothing.
 5. A temporary table or view may have a database and a schema in its name. It stays.

Python imports a module of this name by itself: with this folder in PYTHONPATH, a fakesnow that is started
by whatever script has both. Nothing else changes.
"""
import re

try:
    import fakesnow.copy_into as copy_into
    import fakesnow.cursor as cursor
    import fakesnow.server as server
    from fakesnow.variables import Variables
    from sqlglot import exp
except ImportError:  # pip and venv run in the same environment, before there is a fakesnow
    copy_into = None

if copy_into:
    # Of the options that a text line needs on Snowflake, none means anything to a reader of whole lines.
    WHOLE_LINES = {"TYPE", "FIELD_DELIMITER", "RECORD_DELIMITER", "SKIP_BLANK_LINES", "ESCAPE", "ESCAPE_UNENCLOSED_FIELD",
                   "FIELD_OPTIONALLY_ENCLOSED_BY", "NULL_IF", "EMPTY_FIELD_AS_NULL", "COMPRESSION", "SKIP_HEADER",
                   "REPLACE_INVALID_CHARACTERS", "SKIP_BYTE_ORDER_MARK", "TRIM_SPACE", "ENCODING"}
    plain_csv, plain_inserts = copy_into.handle_csv, copy_into._inserts

    class ReadLines:
        """A character that JSON forbids is the separator, so that no line has one; nothing is guessed from the content."""

        def read_expression(self, url):
            text = exp.Literal.string
            options = {"header": exp.false(), "auto_detect": exp.false(), "sep": text("\x01"), "quote": text(""),
                       "escape": text(""), "hive_partitioning": exp.false(), "null_padding": exp.true(),
                       "strict_mode": exp.false(), "max_line_size": exp.Literal.number(2**27),
                       "columns": exp.Struct(expressions=[exp.PropertyEQ(this=text("line"), expression=text("VARCHAR"))])}
            named = [exp.EQ(this=exp.Literal.number(name), expression=value) for name, value in options.items()]
            return exp.func("read_csv", text(url), *named)

    def handle_csv(options):
        if str(options.get("FIELD_DELIMITER")).upper() != "NONE":
            return plain_csv(options)
        if unknown := set(options) - WHOLE_LINES:
            raise NotImplementedError(f"FILE_FORMAT option {', '.join(sorted(unknown))}")
        return ReadLines()

    def inserts(expr, params, urls, parquet_info=None):
        if not isinstance(params.file_format, ReadLines):
            return plain_inserts(expr, params, urls, parquet_info)
        source = expr.args["files"][0].this
        return [
            exp.Insert(
                this=expr.this.copy(),
                expression=exp.Select(expressions=[column.transform(of_line, url) for column in source.expressions])
                .from_(exp.Table(this=params.file_format.read_expression(url))),
            )
            for url in urls
        ]

    def of_line(node, url):
        if isinstance(node, exp.Parameter) and node.name == "1":
            return exp.column("line")
        if isinstance(node, exp.Column) and node.name.upper() == "METADATA$FILENAME":
            return exp.Literal.string(url.split("/", 3)[3])
        if isinstance(node, exp.Column) and node.name.upper() == "METADATA$FILE_ROW_NUMBER":
            return exp.Window(this=exp.RowNumber())
        return node

    copy_into.handle_csv, copy_into._inserts = handle_csv, inserts

    inline_variables = Variables.inline_variables

    def inline_unquoted(self, sql):
        kept = sql.replace('"$', '"\0').replace("'$", "'\0")
        return inline_variables(self, kept).replace('"\0', '"$').replace("'\0", "'$")

    Variables.inline_variables = inline_unquoted

    class Sessions(dict):
        def __delitem__(self, token):
            connection = self[token]
            super().__delitem__(token)
            try:
                connection.rollback()
            except Exception:  # there was no transaction
                pass

    server.sessions = Sessions()

    ACCOUNT = re.compile(
        r"\s*(GRANT|REVOKE|ALTER\s+(SESSION|STAGE)"
        r"|(CREATE|ALTER|DROP)\s+(STORAGE\s+INTEGRATION|INTEGRATION|WAREHOUSE|ROLE|USER|RESOURCE\s+MONITOR))\s",
        re.IGNORECASE,
    )
    TEMPORARY = re.compile(r"^(\s*(?:/\*.*?\*/\s*)?CREATE\s+(?:OR\s+REPLACE\s+)?)TEMPORARY\s+(TABLE|VIEW)\s+(\w+\.\w+\.\w+)", re.I | re.S)
    execute = cursor.FakeSnowflakeCursor.execute

    def accepted(self, command, *args, **kwargs):
        if ACCOUNT.match(command):
            command = "SELECT 'Statement executed successfully.' AS status"
        return execute(self, TEMPORARY.sub(r"\1\2 \3", command), *args, **kwargs)

    cursor.FakeSnowflakeCursor.execute = accepted
