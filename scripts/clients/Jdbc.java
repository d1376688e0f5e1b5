import java.sql.*;
import java.time.OffsetDateTime;
import java.util.*;

/** Asks a server with pgjdbc; run by scripts/try-jdbc, which sets PGUSER and PGPASSWORD. */
public class Jdbc {
    static boolean failed = false;

    interface Question {
        Object ask() throws SQLException;
    }

    static void tried(String what, Question question, Object expected) {
        Object found;
        try {
            found = question.ask();
        } catch (SQLException error) {
            found = error.getSQLState() + " " + error.getMessage();
        }
        boolean same = Objects.equals(String.valueOf(found), String.valueOf(expected));
        failed |= !same;
        System.out.println(same ? "ok    pgjdbc: " + what : "FAIL  pgjdbc: " + what + ": expected " + expected + ", got " + found);
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> found = new ArrayList<>();
        while (rows.next()) found.add(rows.getString(name));
        return found;
    }

    static int count(ResultSet rows) throws SQLException {
        int count = 0;
        while (rows.next()) count++;
        return count;
    }

    static long one(PreparedStatement statement) throws SQLException {
        ResultSet rows = statement.executeQuery();
        rows.next();
        return rows.getLong(1);
    }

    public static void main(String[] args) throws Exception {
        Connection connection = DriverManager.getConnection(args[0], System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
        DatabaseMetaData data = connection.getMetaData();
        tried("getSchemas", () -> column(data.getSchemas(), "TABLE_SCHEM").contains("public"), true);
        tried("getTables", () -> column(data.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME").contains("flows"), true);
        tried("getColumns", () -> column(data.getColumns(null, "public", "flows", "start"), "TYPE_NAME"), "[timestamptz]");
        tried("getColumns: numbers", () -> column(data.getColumns(null, "public", "flows", "bytes"), "TYPE_NAME"), "[int8]");
        tried("getPrimaryKeys", () -> count(data.getPrimaryKeys(null, "public", "flows")), 0);
        tried("getIndexInfo", () -> count(data.getIndexInfo(null, "public", "flows", false, false)), 0);
        tried("getImportedKeys", () -> count(data.getImportedKeys(null, "public", "flows")), 0);
        tried("getBestRowIdentifier", () -> count(data.getBestRowIdentifier(null, "public", "flows", 0, true)), 0);
        tried("getTypeInfo", () -> count(data.getTypeInfo()) > 100, true);
        tried("getFunctions", () -> column(data.getFunctions(null, null, "beacon"), "FUNCTION_NAME"), "[beacon]");
        long ports = one(connection.prepareStatement("SELECT count(*) FROM flows WHERE dstport IN (443, 80)"));
        long firstHour = one(connection.prepareStatement("SELECT count(*) FROM flows WHERE start < TIMESTAMP '2023-11-22T01:00:00Z'"));
        tried("the corpus has what is asked for", () -> ports > 0 && firstHour > 0, true);
        PreparedStatement any = connection.prepareStatement("SELECT count(*) FROM flows WHERE dstport = ANY(?)");
        any.setArray(1, connection.createArrayOf("int4", new Integer[] {443, 80}));
        // After five times, pgjdbc prepares on the server and asks for binary.
        for (int time = 0; time < 7; time++) tried("= ANY of numbers, " + time, () -> one(any), ports);
        PreparedStatement texts = connection.prepareStatement("SELECT count(*) FROM flows WHERE host = ANY(?)");
        texts.setArray(1, connection.createArrayOf("text", new String[] {"nobody"}));
        tried("= ANY of texts", () -> one(texts), 0);
        PreparedStatement span = connection.prepareStatement("SELECT count(*) FROM flows WHERE start < ? + ?");
        span.setObject(1, OffsetDateTime.parse("2023-11-22T00:00:00Z"));
        span.setObject(2, new org.postgresql.util.PGInterval("1 hour"));
        tried("a span", () -> one(span), firstHour);
        ResultSet lists = connection.createStatement().executeQuery("SELECT array_agg(DISTINCT action) FROM flows WHERE action = 'ACCEPT'");
        lists.next();
        tried("a list", () -> Arrays.toString((Object[]) lists.getArray(1).getArray()), "[ACCEPT]");
        ResultSet fields = connection.createStatement().executeQuery("SELECT (beacon(start)).connections = beacon(start).connections FROM flows");
        fields.next();
        tried("a struct's field", () -> fields.getBoolean(1), true);
        System.exit(failed ? 1 : 0);
    }
}
