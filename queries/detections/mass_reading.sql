-- title: Much read by one who does not
-- what: pages, tickets, objects of S3 and secrets new to an identity on a day, beyond its own and its peers' (negative binomial)
-- severity follows: what was read, whether the identity's day was unusual
-- techniques: T1213.001 T1530 T1555.006 T1552
-- about: As `mass_download`, for what is not a repository. Secrets count from a few. Crawlers and exports read the same
-- about: every day. An audit log at its default level tells no reading.
-- needs: accesses
-- once: beyond
-- parameter min_secrets = 4: secrets new to the identity in a day
-- parameter min_documents = 50: pages and tickets
-- parameter min_stored = 100: objects of S3
-- parameter max_p = 0.001: chance of so many, by own earlier days and the peers'
WITH beyond AS (
    SELECT
        i.*, r.collection, r.objects, r.new_objects, r.most_new, r.reading_days, r.reads, r.bytes_out, r.p_new,
        CAST(r.new_objects AS DOUBLE) AS weight
    FROM reading_days r
    JOIN identity_days i ON i.identity = r.identity AND i.day = r.day
    WHERE r.in_window AND r.collection <> 'repositories' AND r.p_new <= $max_p AND r.new_objects > 3 * r.most_new
        AND r.new_objects >= CASE r.collection WHEN 'secrets' THEN $min_secrets WHEN 'documents' THEN $min_documents
            ELSE $min_stored END
        AND (r.collection = 'secrets' OR i.log_days >= 7)
),
-- include: worst_days
SELECT
    CASE
        WHEN collection = 'secrets' AND (is_unusual OR new_objects >= 3 * $min_secrets) THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.4 + ln(1 + CAST(new_objects AS DOUBLE)) / 12) AS score,
    p_new AS p_value,
    account_id, host, identity AS principal, credential, source, collection AS object_kind, logs,
    first_told AS first_seen, last_told AS last_seen,
    collection,
    new_objects, objects, most_new AS own_most_new,
    reads, bytes_out,
    reading_days AS earlier_days_reading,
    days,
    history_days,
    network,
    concat(
        identity, CASE WHEN denied > 0 AND collection = 'secrets' THEN ' asked for ' ELSE ' read ' END,
        CAST(new_objects AS VARCHAR), ' ', replace(collection, '_', ' '),
        ' in a day that were new to it; its own most before was ', CAST(most_new AS VARCHAR), '.'
    ) AS explanation
FROM told
