#!/usr/bin/env bash
# How the program is started: sockets, settings, schema, usage. And what it says where it cannot.
mode=serve
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

database="DATABASE_URL=sqlite:$db"
event='{"crm_lead_id":"nobody"}'

# runs CODE COMMAND…: to its end, which has to come by itself. Its output is in $output, its standard error in $complaint.
runs() {
  local wanted=$1 code=0
  shift
  timeout $((20 * slow)) "${clean[@]}" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null || code=$?
  output=$(<"$dir/stdout")
  complaint=$(<"$dir/stderr")
  case $wanted in
    bad) if [ "$code" = 0 ] || [ "$code" -ge 124 ]; then fail "the exit code is $code: $complaint"; fi ;;
    *) equal 'the exit code' "$code" "$wanted" ;;
  esac
}

# complains WORD: one line, which holds the word.
complains() {
  equal "the count of lines of '$complaint'" "$(wc -l <"$dir/stderr")" 1
  [[ $complaint == *"$1"* ]] || fail "it does not say '$1': $complaint"
}

serve() { start service "$service_log" "${clean[@]}" "$database" "$webhook" "$@"; }
webhook="CRM_WEBHOOK_SECRET=$secret"

# ======== settings

while IFS='|' read -r name value; do
  t "78 and one line for $name=$value"
  runs 78 "$database" "$webhook" "$name=$value" "$bin" serve --listen "unix:$socket"
  complains "$name"
  [[ $complaint != *"$secret"* ]] || fail 'it says the secret'
  [ ! -e "$socket" ] || fail 'it opened its socket'
done <<'CASES'
DATABASE_URL|
DATABASE_URL|leads.db
DATABASE_URL|/tmp/leads.db
DATABASE_URL|mysql://localhost/leads
DATABASE_URL|sqlite
DATABASE_URL|sqlite:
LEADLINE_THREADS|0
LEADLINE_THREADS|-1
LEADLINE_THREADS|abc
LEADLINE_THREADS|2x
LEADLINE_THREADS| 2
LEADLINE_THREADS|1e1
LEADLINE_THREADS|99999999999999999999
LEADLINE_MAX_BODY_BYTES|-1
LEADLINE_MAX_BODY_BYTES|1MB
LEADLINE_MAX_BODY_BYTES|0x10
LEADLINE_MAX_BODY_BYTES|99999999999999999999999
LEADLINE_LOG_LEVEL|loud
LEADLINE_LOG_LEVEL|INFO!
CASES

t '78 and one line where DATABASE_URL is not set'
runs 78 "$webhook" "$bin" serve --listen "unix:$socket"
complains DATABASE_URL
t '78 for migrate without DATABASE_URL'
runs 78 "$bin" migrate
complains DATABASE_URL
t '78 for CGI without DATABASE_URL'
runs 78 GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" "$bin"
complains DATABASE_URL
t '78 for CGI with a bad setting'
runs 78 "$database" LEADLINE_MAX_BODY_BYTES=big GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" "$bin"
complains LEADLINE_MAX_BODY_BYTES

for listen in nonsense unix: 127.0.0.1 127.0.0.1: 127.0.0.1:abc 127.0.0.1:99999 127.0.0.1:-1 "unix:/$(printf 'x%.0s' {1..200})"; do
  t "78 for LEADLINE_LISTEN=${listen:0:40}"
  runs 78 "$database" "$webhook" "LEADLINE_LISTEN=$listen" "$bin" serve
  complains LEADLINE_LISTEN
done
t '78 where neither --listen nor LEADLINE_LISTEN is there'
runs 78 "$database" "$webhook" "$bin" serve
complains LEADLINE_LISTEN
t 'a bad --listen is an error'
runs bad "$database" "$webhook" "$bin" serve --listen nonsense
complains --listen
t 'a socket in a directory that is not there is an error'
runs bad "$database" "$webhook" "$bin" serve --listen "unix:$dir/none/x.sock"
complains "$dir/none/x.sock"
t 'a database in a directory that is not there is an error'
runs bad "DATABASE_URL=sqlite:$dir/none/x.db" "$webhook" "$bin" serve --listen "unix:$socket"
complains "$dir/none/x.db"

# ======== usage

for arguments in '' '--help' 'help'; do
  t "usage: leadline $arguments"
  # shellcheck disable=SC2086
  timeout $((20 * slow)) "${clean[@]}" "$bin" $arguments >"$dir/stdout" 2>&1 </dev/null || true
  output=$(<"$dir/stdout")
  for word in serve migrate --listen; do
    [[ $output == *"$word"* ]] || fail "it does not say $word: $output"
  done
done
for arguments in nonsense 'serve --nonsense' 'serve --listen' 'migrate extra'; do
  t "an error, and not a start: leadline $arguments"
  # shellcheck disable=SC2086
  runs bad "$database" "$webhook" "$bin" $arguments
  [ -n "$complaint" ] || fail 'it says nothing on standard error'
done

# ======== sockets

rm -f "$db"
t 'an empty database is migrated by serve'
serve "$bin" serve --listen "unix:$socket"
until_true 10 accepts || true
running service || fail "it ended: $(tail -n 1 "$service_log")"
start_nginx
post "$event"
is_held

t 'the socket is for its owner and group only, whatever the umask'
equal 'the mode' "$(stat -c %a "$socket")" 660
stop_service
for mask in 000 077; do
  umask "$mask"
  serve "$bin" serve --listen "unix:$socket"
  umask 022
  until_true 10 accepts || true
  equal "the mode with umask $mask" "$(stat -c %a "$socket" 2>&1)" 660
  stop_service
done

t 'a live socket is refused, and its owner goes on'
serve "$bin" serve --listen "unix:$socket"
until_true 10 accepts || true
runs bad "$database" "$webhook" "$bin" serve --listen "unix:$socket"
complains "$socket"
post "$event"
is_held

t 'a stale socket is replaced'
stop service KILL
[ -S "$socket" ] || fail 'there is no stale socket to begin with'
serve "$bin" serve --listen "unix:$socket"
until_true 10 accepts || fail "it is not: $(tail -n 1 "$service_log")"
post "$event"
is_held
stop_service

for kind in file symlink directory; do
  t "what is no socket is refused and left alone: a $kind"
  place=$dir/place-$kind
  case $kind in
    file) echo precious >"$place" ;;
    symlink) ln -s "$dir/place-file" "$place" ;;
    directory) mkdir "$place" ;;
  esac
  before=$(stat -c '%F %i' "$place")
  runs bad "$database" "$webhook" "$bin" serve --listen "unix:$place"
  complains "$place"
  equal 'what is there' "$(stat -c '%F %i' "$place")" "$before"
  equal 'what is in it' "$(<"$dir/place-file")" precious
done

t 'a port that is taken is refused'
runs bad "$database" "$webhook" "$bin" serve --listen "127.0.0.1:$port"
complains "127.0.0.1:$port"

# ======== the schema

t 'migrate: twice is fine, and nothing is lost'
rows=$(sql 'SELECT count(*) FROM UnmatchedCrmEvents')
runs 0 "$database" "$bin" migrate
runs 0 "$database" "$bin" migrate
equal 'the rows' "$(sql 'SELECT count(*) FROM UnmatchedCrmEvents')" "$rows"
t 'migrate: makes the tables of the contract'
runs 0 "DATABASE_URL=sqlite:$dir/new.db" "$bin" migrate
equal 'the columns' "$(sqlite3 -batch "$dir/new.db" "
  SELECT Id, CrmLeadId, Name, Email, Phone, Project, Source, Status, CreatedAt, UpdatedAt FROM Leads;
  SELECT Id, LeadId, CrmLeadId, Form, PageUrl, PayloadJson, SubmittedAt FROM LeadSubmissions;
  SELECT Id, LeadId, CrmLeadId, EventType, PayloadJson, ReceivedAt FROM LeadCrmActivity;
  SELECT Id, CrmLeadId, EventType, PayloadJson, ReceivedAt FROM UnmatchedCrmEvents" 2>&1)" ''
equal journal_mode "$(sqlite3 -batch "$dir/new.db" 'PRAGMA journal_mode')" wal
t 'a newer schema is refused by migrate, serve and CGI, and left alone'
sqlite3 -batch "$dir/new.db" 'PRAGMA user_version = 999'
runs bad "DATABASE_URL=sqlite:$dir/new.db" "$bin" migrate
complains 999
runs bad "DATABASE_URL=sqlite:$dir/new.db" "$webhook" "$bin" serve --listen "unix:$socket"
complains 999
body "$event"
runs bad "DATABASE_URL=sqlite:$dir/new.db" "$webhook" GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" \
  "HTTP_X_API_KEY=$secret" "CONTENT_LENGTH=${#event}" bash -c "\"$bin\" <'$body_file'"
cp "$dir/stdout" "$dir/raw"
mode=cgi
read_answer
equal 'the status of CGI' "$answer_status" 500
matches 'the body of CGI' "$answer_body" '^\{"ok":false,"error":"[^"]+"\}$'
headers_good
mode=serve
[[ $complaint == *999* ]] || fail "CGI does not say 999: $complaint"
equal 'the version' "$(sqlite3 -batch "$dir/new.db" 'PRAGMA user_version')" 999
t 'a file that is no database is refused and left alone'
head -c 5000 /dev/zero | tr '\0' x >"$dir/other.db"
cp "$dir/other.db" "$dir/other.copy"
runs bad "DATABASE_URL=sqlite:$dir/other.db" "$webhook" "$bin" serve --listen "unix:$socket"
cmp -s "$dir/other.db" "$dir/other.copy" || fail 'it was changed'

t 'an empty database is migrated by CGI, by several at once'
mode=cgi
db=$dir/cgi.db
settings=("DATABASE_URL=sqlite:$db" "$webhook")
body "$event"
for n in {1..16}; do
  "${clean[@]}" "${settings[@]}" GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" "HTTP_X_API_KEY=$secret" \
    "CONTENT_LENGTH=${#event}" "$bin" <"$body_file" >"$dir/cgi.$n" 2>"$dir/cgi.$n.log" &
  pids[cgi$n]=$!
done
for n in {1..16}; do
  wait "${pids[cgi$n]}" || fail "number $n ended with code $?: $(<"$dir/cgi.$n.log")"
  unset "pids[cgi$n]"
  grep -q '"stored":false' "$dir/cgi.$n" || fail "number $n: $(tr '\r\n' '  ' <"$dir/cgi.$n")"
done
equal 'the rows' "$(sql 'SELECT count(*) FROM UnmatchedCrmEvents')" 16

# ======== CGI's other variables

know_rows
body "$event"
length="CONTENT_LENGTH=${#event}"
t 'CGI: REQUEST_METHOD alone makes it CGI'
: >"$dir/raw"
run_cgi REQUEST_METHOD=POST "REQUEST_URI=$path" "HTTP_X_API_KEY=$secret" "$length" <"$body_file"
read_answer
is_held
t 'CGI: PATH_INFO, where REQUEST_URI is not set'
run_cgi GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST SCRIPT_NAME=/cgi-bin/leadline "PATH_INFO=$path" "HTTP_X_API_KEY=$secret" "$length" <"$body_file"
read_answer
is_held
t 'CGI: SCRIPT_NAME, where neither is set'
run_cgi GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "SCRIPT_NAME=$path" "HTTP_X_API_KEY=$secret" "$length" <"$body_file"
read_answer
is_held
t 'CGI: REDIRECT_HTTP_AUTHORIZATION, as Apache renames it'
run_cgi GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" "REDIRECT_HTTP_AUTHORIZATION=Bearer $secret" "$length" <"$body_file"
read_answer
is_held
t 'CGI: a request header is no setting'
run_cgi GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" HTTP_CRM_WEBHOOK_SECRET=mine HTTP_X_API_KEY=mine "$length" <"$body_file"
read_answer
refused 401
t 'CGI: a body shorter than its Content-Length is refused'
run_cgi GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" "HTTP_X_API_KEY=$secret" CONTENT_LENGTH=1000 <"$body_file"
read_answer
refused 400
t 'CGI: a Content-Length that is no number is refused'
run_cgi GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" "HTTP_X_API_KEY=$secret" CONTENT_LENGTH=2x <"$body_file"
read_answer
refused 400
t 'CGI: more bytes than its Content-Length are not read'
printf '%s{"more"' "$event" >"$body_file"
run_cgi GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST "REQUEST_URI=$path" "HTTP_X_API_KEY=$secret" "$length" <"$body_file"
read_answer
body "$event"
is_held

finish
