#!/bin/sh
# base_backups.sh FOLDER [once|check]: keep the archive of the WAL in FOLDER of use and of bounds. A
# base backup every BASE_BACKUP_DAYS; the newest BASE_BACKUP_KEEP of them stay, and the WAL that none
# of them needs goes. PGHOST and the like name the server, which lets its account replicate.
set -eu
folder=$1
days=${BASE_BACKUP_DAYS:-7}
keep=${BASE_BACKUP_KEEP:-2}

is_archiving() {
    test "$(psql --no-psqlrc -Atc 'SHOW archive_mode')" != off
}

newest_first() {
    find "$folder" -maxdepth 1 -type d -name 'base-*Z' | sort -r
}

has_one_of_days() {
    test -n "$(find "$folder" -maxdepth 1 -type d -name 'base-*Z' -mtime "-$1")"
}

# It has its name only when it lies on the disk whole, and was read back.
back_up() {
    partial="$folder/.base-partial"
    rm -rf "$partial"
    pg_basebackup --pgdata="$partial" --format=tar --gzip --checkpoint=fast --wal-method=stream
    pg_verifybackup --quiet --no-parse-wal "$partial"
    sync
    mv "$partial" "$folder/base-$(date -u +%Y%m%dT%H%M%SZ)"
}

prune() {
    newest_first | tail -n "+$((keep + 1))" | while read -r old; do
        rm -rf "$old"
    done
    oldest=$(newest_first | tail -n 1)
    first=$(tar -xzOf "$oldest/base.tar.gz" --occurrence=1 backup_label |
        sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p')
    pg_archivecleanup --strip-extension=.gz "$folder" "$first"
}

keep_up() {
    if is_archiving && ! has_one_of_days "$days"; then
        back_up
        prune
    fi
}

case ${2:-} in
once) keep_up ;;
check) ! is_archiving || has_one_of_days "$((days + 1))" ;;
*)
    trap 'exit 0' TERM INT
    while true; do
        keep_up
        sleep 600 &
        wait $!
    done
    ;;
esac
