#!/bin/sh
# The healthcheck. A master is healthy when it answers; a replica, when it answers and follows its master.
# A replica that merely answers may be hours behind: with the WAL it needs gone from the master it never
# catches up, and nothing but its own pg_stat_wal_receiver says so.
set -eu
export PGCONNECT_TIMEOUT=2
streaming=$(psql -XtAq -U postgres -d postgres -c "SELECT NOT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')")
[ "$streaming" = t ] && exit 0
# Without a master no replica streams, and that is not the replica's fault: it still serves what it has.
! pg_isready -q -t 1 -h "${MASTER_HOST:-postgres-master}"
