#!/usr/bin/env bash
# nginx in front of a program that finds its listening socket on descriptor 0, as spawn-fcgi, mod_fcgid and systemd hand it over.
# Runs every case of cases.sh.
mode=spawn-fcgi
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"
finish
