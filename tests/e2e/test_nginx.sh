#!/usr/bin/env bash
# What nginx adds in front of the service: its own errors as JSON, bodies without a length, and its headers.
mode=serve
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

with "CRM_WEBHOOK_SECRET=$secret"
sql "INSERT INTO Leads (Id, CrmLeadId) VALUES (1, 'crm-1')"
know_rows

t 'a chunked body is an event like any other'
post '{"crm_lead_id":"crm-1","chunked":true}' 'Transfer-Encoding: chunked'
stored 1
t 'a chunked body of 1 MiB is accepted, one byte more is refused'
{ printf '{"crm_lead_id":"crm-1","x":"'; head -c 1048546 /dev/zero | tr '\0' x; printf '"}'; } >"$body_file"
equal 'the size' "$(stat -c %s "$body_file")" 1048576
post_file 'Transfer-Encoding: chunked'
stored 1
printf ' ' >>"$body_file"
post_file 'Transfer-Encoding: chunked'
refused 413

t "a body beyond nginx's own limit gets JSON, too"
head -c 20000000 /dev/zero >"$body_file"
post_file
refused 413

t 'a header with underscores is not the one with dashes'
body '{"crm_lead_id":"crm-1"}'
request POST "$path" "X_API_Key: $secret"
refused 401

t 'a path outside of the service gets JSON'
request GET /nothing
equal 'the status' "$answer_status" 404
headers_good

t "HTTP_PROXY does not come through"
post '{"crm_lead_id":"crm-1"}' 'Proxy: http://evil.example'
stored 1

t 'the service is stopped: 502 as JSON, with Retry-After'
stop_service
body '{"crm_lead_id":"crm-1"}'
request POST "$path" "$good" 'X-Request-Id: while-down'
equal 'the status' "$answer_status" 502
matches 'the body' "$answer_body" '^\{"ok":false,"error":"[^"]+"\}$'
matches Retry-After "${answer_headers[retry-after]:-}" '^[1-9][0-9]*$'
headers_good
equal X-Request-Id "${answer_headers[x-request-id]:-}" while-down
rows_grew 0 0
t 'the service is back: nginx finds it at once'
with "CRM_WEBHOOK_SECRET=$secret"
post '{"crm_lead_id":"crm-1"}'
stored 1
finish
