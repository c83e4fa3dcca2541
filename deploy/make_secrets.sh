#!/bin/sh
# Makes the passwords that docker-compose.yml mounts, below secrets/; those that are there stay.
set -eu
cd "$(dirname "$0")/.."

umask 022 # the accounts inside the containers read the files; the folder is closed to others
mkdir -p secrets
chmod 700 secrets

make() {
    test -s "secrets/$1" || printf '%s' "$2" > "secrets/$1"
}

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

make postgres_password "$(random)"
make database_url "postgresql://memories:$(cat secrets/postgres_password)@database/memories"
make secret_key "$(random)"
make grafana_password "$(random)"
echo "secrets/ holds the passwords; Grafana's account is admin with secrets/grafana_password."
