// Asks a server with node-pg; run by scripts/try-node, which sets PGHOST and the like.
const assert = require("node:assert");
const { Client } = require("pg");

let failed = false;
async function tried(what, ask, expected) {
    let found;
    try {
        found = await ask();
        assert.deepStrictEqual(found, expected);
        console.log(`ok    node-pg: ${what}`);
    } catch (error) {
        failed = true;
        console.log(`FAIL  node-pg: ${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(found)}: ${error.message}`);
    }
}

async function main() {
    const client = new Client();
    await client.connect();
    const one = async (sql, values) => Object.values((await client.query(sql, values)).rows[0])[0];
    const ports = await one("SELECT count(*) FROM flows WHERE dstport IN (443, 80)");
    const others = await one("SELECT count(*) FROM flows WHERE dstport NOT IN (443, 80)");
    const hosts = (await client.query("SELECT host FROM hosts ORDER BY host LIMIT 2")).rows.map((row) => row.host);
    const ofHosts = await one("SELECT count(*) FROM flows WHERE host IN ($1, $2)", hosts);
    const firstHour = await one("SELECT count(*) FROM flows WHERE start < TIMESTAMP '2023-11-22T01:00:00Z'");
    assert(Number(ports) > 0 && Number(others) > 0 && Number(ofHosts) > 0 && Number(firstHour) > 0);
    const midnight = new Date("2023-11-22T00:00:00Z");
    await tried("= ANY of numbers", () => one("SELECT count(*) FROM flows WHERE dstport = ANY($1)", [[443, 80]]), ports);
    await tried("= ANY with a type", () => one("SELECT count(*) FROM flows WHERE dstport = ANY($1::int[])", [[443, 80]]), ports);
    await tried("= ANY of texts", () => one("SELECT count(*) FROM flows WHERE host = ANY($1)", [hosts]), ofHosts);
    await tried("<> ALL", () => one("SELECT count(*) FROM flows WHERE dstport <> ALL($1)", [[443, 80]]), others);
    await tried("a span", () => one("SELECT count(*) FROM flows WHERE start < $1::timestamptz + $2::interval", [midnight, "1 hour"]), firstHour);
    await tried("a time", () => one("SELECT '2023-11-22T00:00:00Z'::timestamptz"), midnight);
    await tried("a list", async () => Array.isArray(await one("SELECT array_agg(DISTINCT dstport) FROM flows")), true);
    await tried("a struct", async () => typeof (await one("SELECT beacon(start) FROM flows")).connections, "number");
    await tried("a struct's field", () => one("SELECT (beacon(start)).connections = beacon(start).connections FROM flows"), true);
    await tried("a span back", async () => (await one("SELECT INTERVAL '90 minutes'")).minutes, 30);
    await client.end();
}

main().then(() => process.exit(failed ? 1 : 0), (error) => {
    console.error(error);
    process.exit(1);
});
