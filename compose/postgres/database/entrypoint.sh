#!/bin/sh
# Starts PostgreSQL as what ROLE says: `master`, or `replica` of MASTER_HOST.
#
# Whatever happened before (first start, stop, kill, lost WAL), a start of the container leads back to a
# member that works, without anybody's help.
set -eu

: "${ROLE:?master or replica}" "${APP_PASSWORD:?}" "${REPLICATION_PASSWORD:?}"
MASTER_HOST=${MASTER_HOST:-postgres-master}
say() { printf 'entrypoint: %s\n' "$*" >&2; }
literal() { printf '%s' "$1" | sed "s/'/''/g"; }

# Single-user mode needs no server, no port and no shutdown: the cluster is ready some 0.1 s after initdb.
single_user() { postgres --single -j -D "$PGDATA" "$1" >/dev/null; }

make_master() {
    rm -rf "${PGDATA:?}"/* "$PGDATA"/.??*
    # Not synced: a cluster that a crash of the machine cut short is made anew anyway.
    initdb --no-sync --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 >/dev/null
    cp /etc/lbtest/postgresql.conf "$PGDATA/postgresql.conf"
    {
        printf "CREATE ROLE app LOGIN PASSWORD '%s';\n\n" "$(literal "$APP_PASSWORD")"
        printf "CREATE ROLE replicator LOGIN REPLICATION PASSWORD '%s' IN ROLE pg_monitor;\n\n" "$(literal "$REPLICATION_PASSWORD")"
        printf 'CREATE DATABASE app OWNER app;\n\n'
    } | single_user postgres
    # Not a word of SQL comments reaches single-user mode: it would glue them to the next statement.
    grep -v '^--' /etc/lbtest/schema.sql | single_user app
    touch "$PGDATA/lbtest.complete"
}

ask_master() {
    PGPASSWORD=$REPLICATION_PASSWORD PGCONNECT_TIMEOUT=2 \
        psql -XtAq -h "$MASTER_HOST" -U replicator -d postgres -c "$1" 2>/dev/null
}

control() { pg_controldata "$PGDATA" | sed -n "s/^$1: *//p"; }

# Whether the copy on disk cannot follow the master any more. A master that does not answer proves nothing.
must_clone() {
    [ -e "$PGDATA/lbtest.cloned" ] || { say "no complete copy here"; return 0; }
    identity=$(ask_master 'SELECT system_identifier FROM pg_control_system()') || return 1
    if [ "$identity" != "$(control 'Database system identifier')" ]; then
        say "the master is another cluster"
        return 0
    fi
    # Names of WAL segments sort by age. What lies before the oldest that the master kept is gone for good:
    # such a replica would start, answer, look healthy and stay stale for ever.
    oldest=$(ask_master "SELECT min(name) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}\$'") || return 1
    needed=$(control "Latest checkpoint's REDO WAL file")
    if [ "$(printf '%s\n%s\n' "$oldest" "$needed" | sort | head -n 1)" != "$oldest" ]; then
        say "needs WAL from $needed on, the master has it from $oldest on"
        return 0
    fi
    return 1
}

clone() {
    until
        rm -rf "${PGDATA:?}"/* "$PGDATA"/.??*
        PGPASSWORD=$REPLICATION_PASSWORD PGCONNECT_TIMEOUT=2 pg_basebackup --no-sync --checkpoint=fast --wal-method=stream \
            -h "$MASTER_HOST" -U replicator -D "$PGDATA" 2>"/tmp/basebackup.log"
    do
        # The master is not up yet, or a second clone beat us to the last WAL sender: soon again.
        sleep 0.2
    done
    # A mark of its own name, made last: the master's comes along with the copy, maybe long before its end.
    touch "$PGDATA/standby.signal" "$PGDATA/lbtest.cloned"
    say "cloned from $MASTER_HOST"
}

case $ROLE in
    master)
        [ -e "$PGDATA/lbtest.complete" ] || make_master
        ;;
    replica)
        if must_clone; then clone; fi
        # Written at every start: the password may be another one, the settings of the image newer.
        cp /etc/lbtest/postgresql.conf "$PGDATA/postgresql.conf"
        printf "primary_conninfo = 'host=%s user=replicator password=''%s'' application_name=%s connect_timeout=2'\n" \
            "$MASTER_HOST" "$(literal "$(literal "$REPLICATION_PASSWORD")")" "$(hostname)" >"$PGDATA/postgresql.auto.conf"
        ;;
    *)
        say "ROLE is '$ROLE': master or replica"
        exit 2
        ;;
esac
# The name tells clients who answers: SELECT current_setting('cluster_name').
exec postgres -D "$PGDATA" -c "cluster_name=$(hostname)"
