use super::*;

fn rewrite(sql: &str) -> String {
    parsed(sql).unwrap().into_iter().map(|statement| statement.to_string()).collect()
}

#[test]
fn what_only_postgres_knows_is_written_for_the_engine() {
    for (sql, expected) in [
        ("SELECT relname FROM pg_class", "SELECT relname FROM pg_catalog.pg_class"),
        ("SELECT 1 FROM pg_mine", "SELECT 1 FROM pg_mine"),
        ("SELECT pg_catalog.version()", "SELECT version()"),
        ("SELECT 1 WHERE a OPERATOR(pg_catalog.~) '^x$' COLLATE pg_catalog.default", "SELECT 1 WHERE a ~ '^x$'"),
        ("SELECT a WHERE b = 'pg_class'::regclass", "SELECT a WHERE b = to_regclass('pg_class')"),
        ("SELECT a WHERE b = '16400'::pg_catalog.regclass", "SELECT a WHERE b = 16400"),
        ("SELECT 'flows'::regclass::oid", "SELECT to_regclass('flows') AS oid"),
        ("SELECT a::regtype::pg_catalog.text", "SELECT a::INT::TEXT"),
        ("SELECT a WHERE typinput = 'pg_catalog.array_in'::regproc", "SELECT a WHERE typinput = 'array_in'"),
        ("SELECT a WHERE c.relnamespace = 'public'", "SELECT a WHERE c.relnamespace = to_regnamespace('public')"),
        ("SELECT a = ANY ('{r, p}')", "SELECT a = ANY(ARRAY['r', 'p'])"),
        ("SELECT a <> ALL ('{b,c}'::text[])", "SELECT a <> ALL(ARRAY['b', 'c']::TEXT[])"),
        ("SELECT '{1,2}'::pg_catalog.int2[]", "SELECT ARRAY[1, 2]::SMALLINT[]"),
        ("SELECT n.oid, n.*, d.oid FROM pg_description d", "SELECT n.oid, n.*, d.oid FROM pg_catalog.pg_description d"),
        (
            "SELECT unnest(i.indkey), generate_subscripts(i.indkey, 1) FROM pg_index i",
            "SELECT unnest(i.indkey), unnest(generate_series(1, CAST(array_length(i.indkey, 1) AS BIGINT))) \
             FROM pg_catalog.pg_index i",
        ),
        (
            "SELECT CASE WHEN t.typtype = 'c' THEN (SELECT array_agg(a.attname::text) FROM pg_attribute a) ELSE NULL END",
            "SELECT CASE WHEN t.typtype = 'c' THEN CAST(NULL AS TEXT[]) ELSE NULL END",
        ),
        ("SELECT current_schema, current_catalog", "SELECT current_schema(), current_database()"),
    ] {
        assert_eq!(rewrite(sql), expected);
    }
}

#[test]
fn only_subqueries_of_the_catalogue_are_given_up() {
    for (sql, expected) in [
        ("SELECT (SELECT d.adbin FROM pg_attrdef d WHERE d.adrelid = a.attrelid)", "SELECT NULL"),
        (
            "SELECT (SELECT f.bytes FROM flows f WHERE f.host = h.host)",
            "SELECT (SELECT f.bytes FROM flows f WHERE f.host = h.host)",
        ),
        ("SELECT 1 WHERE (SELECT c.relkind = 'c' FROM pg_class c WHERE c.oid = t.typrelid)", "SELECT 1 WHERE NULL"),
        ("SELECT ARRAY(SELECT rolname FROM pg_roles)", "SELECT string_to_array(NULL, ',')"),
        ("SELECT (SELECT count(*) FROM pg_class c)", "SELECT (SELECT count(*) FROM pg_catalog.pg_class c)"),
    ] {
        assert_eq!(rewrite(sql), expected);
    }
}
