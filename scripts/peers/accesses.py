"""Counts CloudTrail events with ClickHouse: `accesses.py FOLDER THREADS plain|once`, one line of JSON.

`plain` groups by hour, account, region, principal, credential, source, agent, service, action and outcome, and counts.
`once` does the rest of what access_hours holds: each event once by its id, and the first and last second.
"""

import json
import resource
import sys
import time

from chdb import session

IDENTITY = (
    "Tuple(type String, arn String, userName String, principalId String, invokedBy String, accountId String,"
    " accessKeyId String)"
)
RECORD = (
    "Tuple(eventTime String, eventSource String, eventName String, awsRegion String, sourceIPAddress String,"
    " userAgent String, errorCode String, errorMessage String, eventID String, recipientAccountId String,"
    f" userIdentity {IDENTITY})"
)
SETTINGS = (
    "input_format_skip_unknown_fields=1, input_format_null_as_default=1,"
    " input_format_json_ignore_unknown_keys_in_named_tuple=1,"
    " input_format_json_defaults_for_missing_elements_in_named_tuple=1,"
    " input_format_json_read_numbers_as_strings=1, input_format_json_read_bools_as_strings=1,"
    " input_format_json_read_objects_as_strings=1, input_format_json_read_arrays_as_strings=1,"
    " max_memory_usage=16000000000"
)
SUMS = {
    "plain": "count() AS n",
    "once": "uniqExact(r.eventID) AS n, min(r.eventTime) AS first_seen, max(r.eventTime) AS last_seen",
}


def main():
    folder, threads, work = sys.argv[1:]
    objects = f"file('{folder}/AWSLogs/*/CloudTrail/*/*/*/*/*.json.gz', JSONEachRow, 'Records Array({RECORD})', 'gzip')"
    query = f"""
        SELECT count() AS rows, sum(n) AS events, sumIf(n, outcome = 'denied') AS denied FROM (
            SELECT substring(r.eventTime, 1, 13) AS hour, r.recipientAccountId AS account, r.awsRegion AS region,
                r.userIdentity.arn AS principal, r.userIdentity.accessKeyId AS credential,
                r.sourceIPAddress AS source, extract(r.userAgent, '^[^/ ,;(]+') AS agent,
                r.eventSource AS service, r.eventName AS action,
                multiIf(r.errorCode = '' AND r.errorMessage = '', 'success',
                    r.errorCode LIKE '%AccessDenied%' OR r.errorCode LIKE '%Unauthorized%', 'denied',
                    'failure') AS outcome,
                {SUMS[work]}
            FROM (SELECT arrayJoin(Records) AS r FROM {objects})
            GROUP BY hour, account, region, principal, credential, source, agent, service, action, outcome)
        FORMAT JSONEachRow SETTINGS max_threads={threads}, {SETTINGS}"""
    engine = session.Session()
    usage, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    told = json.loads(str(engine.query(query)))
    wall_s = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    told["wall_s"] = wall_s
    told["cpu_s"] = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    told["peak_mb"] = after.ru_maxrss / 1024
    print(json.dumps(told))


main()
