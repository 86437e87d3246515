#!/usr/bin/python3
"""Tables are the user's: dumps restore in every way, the extension comes and goes, rows stay.

Also here, because it takes two sessions: concurrent calls of nmsp.allocate_address.
"""

import os
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lib"))
sys.path.insert(0, os.path.join(TESTS, "upgrade"))

import catalog  # noqa: E402
import cluster  # noqa: E402
import tap  # noqa: E402

SETTINGS = {"shared_preload_libraries": "nmsp", "nmsp.databases": "", "fsync": "off"}

# They have rows only where there are edges: see 80_edge.t, which restores a centre from a dump.
ONLY_EDGES = ("nmsp.edge", "nmsp_feed.edge_publication", "nmsp.heartbeat")


def tool(db, name, *words):
    """Runs a client program of PostgreSQL on the cluster; returns (status, what it wrote)."""
    program = os.path.join(db.bindir, name)
    done = subprocess.run([program, "-h", db.sockets, "-U", "postgres", *words],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def contents(db, database):
    """Rows of every table of ours and the user's: {table: (count, digest)}, and sequences."""
    tables = db.query(
        "SELECT oid::regclass, relkind FROM pg_class WHERE relkind IN ('r', 'S') AND "
        "relnamespace::regnamespace::text IN ('nmsp', 'nmsp_feed', 'nmsp_radius') "
        "OR oid = 'public.ticket'::regclass ORDER BY 1", database)
    found = {}
    for table, kind in tables:
        columns = "last_value, is_called" if kind == "S" else "*"
        found[table] = tuple(db.query(
            "SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text COLLATE \"C\"))"
            f" FROM (SELECT {columns} FROM {table}) t", database)[0])
    return found


def files(db, database):
    """All configfiles, as one digest."""
    return db.value("SELECT count(*) || md5(string_agg(config::bytea::text, ' ' ORDER BY modem_id))"
                    " FROM nmsp.modem_file", database)


def works(t, db, database, name):
    """The database goes on: a change is checked, recorded and gives a file."""
    before = int(db.value("SELECT count(*) FROM nmsp_feed.change", database))
    mac = "00:11:33:00:00:01"
    db.psql("INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) "
            f"VALUES ('{mac}', 1, 3, nmsp.allocate_address(1))", database)
    t.ok(int(db.value("SELECT count(*) FROM nmsp_feed.change", database)) > before,
         f"{name}: a new modem is recorded for feeds")
    t.is_(db.value("SELECT (docsis.verify(nmsp.modem_config(m), 'secret of cmts-1')).cmts_mic "
                   f"FROM nmsp.modem m WHERE mac = '{mac}'", database), "t",
          f"{name}: and has a sealed file")
    t.raises(cluster.SqlError, lambda: db.psql(
        f"INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('{mac}', 1, 3)", database),
        f"{name}: rules hold", "(?s)modem_mac_is_already_used.*HINT")
    db.psql(f"DELETE FROM nmsp.modem WHERE mac = '{mac}'", database)


def same_catalog(t, db, database, wanted, name, but=None):
    """One test: the catalog is as listed, but for lines that begin with `but`."""
    lines = [line for line in catalog.differences(wanted, catalog.listing(db, database))
             if but is None or not line[1:].startswith(but)]
    t.ok(not lines, name, *lines[:20])


def first_steps(t, db):
    """The extension before nmsp.migrate(), and where it refuses to be made."""
    db.psql("CREATE DATABASE bare; CREATE DATABASE taken; CREATE ROLE nmsp_t_squatter")
    db.psql("CREATE EXTENSION nmsp CASCADE", "bare")
    t.is_(db.value("SELECT (docsis.verify(docsis.seal('Main { NetworkAccess 1; }', 'x'), 'x'))"
                   ".cmts_mic", "bare"), "t", "the codec works without tables")
    t.is_(db.query("SELECT nmsp.schema_version(), nmsp.code_version() > 0", "bare"), [["0", "t"]],
          "and the versions tell that they are missing")
    t.raises(cluster.SqlError, lambda: db.psql(
        "SELECT nmsp.modem_config(r) FROM (SELECT 1::bigint AS id, 1::bigint AS netgw_id, "
        "1::bigint AS template_id, 1::bigint AS service_class_id, true AS internet_access) r",
        "bare"), "what needs tables says so", r"(?s)55000.*HINT:.*nmsp\.migrate\(\)")
    db.psql("CREATE SCHEMA nmsp AUTHORIZATION nmsp_t_squatter", "taken")
    t.raises(cluster.SqlError, lambda: db.psql("CREATE EXTENSION nmsp CASCADE", "taken"),
             "a schema that somebody else has prepared is refused", "(?s)42P06.*HINT")
    db.psql("DROP SCHEMA nmsp; CREATE EXTENSION nmsp CASCADE; CREATE SCHEMA nmsp_feed "
            "AUTHORIZATION nmsp_t_squatter", "taken")
    t.raises(cluster.SqlError, lambda: db.psql("SELECT nmsp.migrate()", "taken"),
             "migrate() refuses one as well", "42P06")
    t.is_(db.value("SELECT nmsp.schema_version()", "taken"), "0", "and leaves nothing half done")


def restores(t, db, folder):
    """pg_dump and the ways back."""
    wanted, rows = catalog.listing(db, "isp"), contents(db, "isp")
    all_files = files(db, "isp")
    empty = [table for table, (count, _) in rows.items()
             if int(count) == 0 and table not in ONLY_EDGES]
    t.is_(empty, [], "every table has rows to dump")
    plain, custom = os.path.join(folder, "isp.sql"), os.path.join(folder, "isp.dump")
    t.is_(tool(db, "pg_dump", "-d", "isp", "-f", plain), (0, ""), "pg_dump, plain, without a word")
    t.is_(tool(db, "pg_dump", "-d", "isp", "-Fc", "-f", custom), (0, ""), "pg_dump, custom")
    t.is_(tool(db, "pg_dump", "-d", "isp", "-s", "-f", os.devnull), (0, ""), "pg_dump -s")
    ways = {"psql": ("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-f", plain),
            "psql_1": ("psql", "-Xq1", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-f", plain),
            "pg_restore": ("pg_restore", custom), "pg_restore_1": ("pg_restore", "-1", custom),
            "pg_restore_j4": ("pg_restore", "-j4", custom)}
    for database, (program, *words) in ways.items():
        db.psql(f"CREATE DATABASE {database}")
        t.is_(tool(db, program, "-d", database, *words), (0, ""), f"{database}: without a word")
        same_catalog(t, db, database, wanted, f"{database}: the catalog is the same", "body ")
        t.is_(contents(db, database), rows, f"{database}: every row of every table is there")
        t.is_(files(db, database), all_files, f"{database}: the configfiles are the same")
        t.is_(db.value("SELECT nmsp.migrate()", database), db.value("SELECT nmsp.code_version()"
              " FROM pg_database LIMIT 1", database), f"{database}: migrate() runs")
        same_catalog(t, db, database, wanted, f"{database}: and changes nothing")
        rows_now = contents(db, database)
        changed = [table for table in rows if rows[table] != rows_now[table]]
        # migrate() has feeds look again, and takes the sample of pools when a new hour has begun.
        t.ok(set(changed) <= {"nmsp_feed.target", "nmsp.pool_sample"}, f"{database}: no row either", changed)
        works(t, db, database, database)


def comes_and_goes(t, db):
    """DROP EXTENSION ... CASCADE takes the code; CREATE EXTENSION brings it back."""
    wanted, rows = catalog.listing(db, "isp"), contents(db, "isp")
    all_files = files(db, "isp")
    t.raises(cluster.SqlError, lambda: db.psql("DROP EXTENSION nmsp", "isp"),
             "a plain DROP EXTENSION is refused while the schema uses it", "2BP01")
    db.psql("SET client_min_messages TO error; DROP EXTENSION nmsp CASCADE", "isp")
    t.is_(contents(db, "isp"), rows, "DROP EXTENSION nmsp CASCADE: every row is there")
    t.is_(db.value("SELECT customer FROM nmsp.modem WHERE id = 5", "isp"), "customer 5",
          "the user's column, too")
    db.psql("BEGIN; INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES "
            "('00:11:44:00:00:01', 1, 1); UPDATE nmsp.modem SET internet_access = false; "
            "DELETE FROM nmsp.modem_option; ROLLBACK", "isp")
    t.ok(True, "modems can be written without the code")
    db.psql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()", "isp")
    same_catalog(t, db, "isp", wanted, "CREATE EXTENSION and migrate(): the catalog is as before")
    t.is_(files(db, "isp"), all_files, "the configfiles as well")
    t.ok(db.value("SELECT to_regclass('public.customer')", "isp") is None,
         "the user's view on the code went with it, as PostgreSQL has it")
    works(t, db, "isp", "after that")


def allocation(t, db):
    """Two sessions that allocate at the same time."""
    with db.session("isp") as one, db.session("isp") as two:
        one.run("BEGIN")
        first = one.run("UPDATE nmsp.modem SET address = nmsp.allocate_address(2) WHERE id = 1 "
                        "RETURNING host(address)").strip()
        pid = two.run("SELECT pg_backend_pid()").strip()
        second = []
        thread = threading.Thread(target=lambda: second.append(two.run(
            "UPDATE nmsp.modem SET address = nmsp.allocate_address(2) WHERE id = 3 "
            "RETURNING host(address)").strip()))
        thread.start()
        db.wait_for(f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {pid}", "Lock")
        one.run("COMMIT")
        thread.join(10)
        t.ok(second and second[0] != first, "the second waits and gets another address",
             first, second)
        macs = iter(("'00:11:55:00:00:'", "'00:11:55:00:01:'"))
        threads = [threading.Thread(target=session.run, args=(
            "INSERT INTO nmsp.modem (mac, netgw_id, template_id, address) SELECT "
            f"({next(macs)} || lpad(to_hex(g), 2, '0'))::macaddr, 1, 1, nmsp.allocate_address(1) "
            "FROM generate_series(1, 100) g",)) for session in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    t.is_(db.query("SELECT count(*), count(DISTINCT address) FROM nmsp.modem "
                   "WHERE mac >= '00:11:55:00:00:00'", "isp"), [["200", "200"]],
          "100 rows each at the same time: 200 addresses")


def one_address_one_device(t, db):
    """A modem and an MTA of one hardware address are entered at the same time."""
    mac, refused = "00:11:66:00:00:01", []
    with db.session("isp") as one, db.session("isp") as two:
        pid = two.run("SELECT pg_backend_pid()").strip()

        def enter():
            try:
                two.run(f"INSERT INTO nmsp.mta (mac, modem_id, template_id) SELECT '{mac}', 7, id "
                        "FROM nmsp.template WHERE name = 'phone'")
            except cluster.SqlError as error:
                refused.append(str(error))

        one.run(f"BEGIN; INSERT INTO nmsp.modem (mac, netgw_id, template_id) VALUES ('{mac}', 1, 1)")
        thread = threading.Thread(target=enter)
        thread.start()
        db.wait_for(f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {pid}", "Lock")
        one.run("COMMIT")
        thread.join(10)
    t.like(refused[0] if refused else "", "(?s)mac_is_of_another_device.*HINT",
           "who enters an address that another transaction has just entered for another device is refused")
    t.is_(db.value("SELECT count(*) FROM (SELECT mac FROM nmsp.modem UNION ALL SELECT mac FROM nmsp.mta "
                   "UNION ALL SELECT mac FROM nmsp.endpoint WHERE mac IS NOT NULL) x FULL JOIN nmsp.device_mac d "
                   "USING (mac) WHERE x IS NULL OR d IS NULL", "isp"), "0", "the list of all addresses is right")


def story(t, stack):
    tap.require(cluster.missing())
    db = stack.enter_context(cluster.Cluster(SETTINGS))
    db.psql("CREATE DATABASE isp; CREATE DATABASE fresh; CREATE ROLE nmsp_t_user")
    for database in ("isp", "fresh"):
        db.psql("CREATE EXTENSION nmsp CASCADE; SELECT nmsp.migrate()", database)
    first_steps(t, db)
    fresh = catalog.listing(db, "fresh")
    same_catalog(t, db, "isp", fresh, "two fresh databases have the same catalog")
    db.psql("SELECT nmsp.migrate()", "isp")
    same_catalog(t, db, "isp", fresh, "migrate() twice is as good as once")
    db.psql_file(os.path.join(TESTS, "upgrade", "sample.sql"), "isp")
    same_catalog(t, db, "isp", fresh, "rows do not change the catalog")
    db.psql_file(os.path.join(TESTS, "upgrade", "additions.sql"), "isp")
    t.ok(catalog.differences(fresh, catalog.listing(db, "isp")), "the user's own additions do")
    restores(t, db, db.folder)
    comes_and_goes(t, db)
    allocation(t, db)
    one_address_one_device(t, db)


tap.main(story)
