#!/bin/sh
# archive_segment.sh PATH NAME FOLDER: keep one segment of the WAL, compressed. PostgreSQL's
# archive_command; run for each segment until it succeeds. A segment has its name only when it lies
# on the disk whole, and one that is there with other content is refused.
set -eu
kept="$3/$2.gz"
partial="$3/.$2.partial"

if [ -e "$kept" ]; then
    gzip -dc "$kept" | cmp -s - "$1" && exit 0
    echo "$kept is there already, with other content: it is of another server." >&2
    exit 1
fi
gzip -1 -c "$1" > "$partial"
sync "$partial"
mv "$partial" "$kept"
sync "$3"
