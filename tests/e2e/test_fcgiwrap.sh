#!/usr/bin/env bash
# nginx in front of fcgiwrap, which runs the program as a CGI script for each request.
# Runs every case of cases.sh.
mode=fcgiwrap
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"
finish
