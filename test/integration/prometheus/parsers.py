"""Reads metrics from stdin by both parsers of Prometheus' Python client, and prints what each found."""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

text = sys.stdin.read()


def samples(families):
    return [[s.name, s.labels, s.value] for family in families for s in family.samples]


print(
    json.dumps(
        {
            "openmetrics": samples(openmetrics_parser.text_string_to_metric_families(text)),
            "text": samples(parser.text_string_to_metric_families(text)),
        }
    )
)
