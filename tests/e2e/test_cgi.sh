#!/usr/bin/env bash
# The program as a plain CGI script: a function of its environment and its standard input.
# Runs every case of cases.sh.
mode=cgi
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"
finish
