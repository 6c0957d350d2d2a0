#!/usr/bin/env bash
# nginx in front of `leadline serve`, as in production and in make run.
# Runs every case of cases.sh.
mode=serve
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"
finish
