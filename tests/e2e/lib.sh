# shellcheck shell=bash
# What the shell tests share: starting and stopping the real parts (nginx, the service in each way it can be run), asking
# one request the way of $mode, and saying what its answer and the rows in the database must be.
#
# A case is opened with `t SENTENCE`, ends where the next one is opened, and prints "ok SENTENCE" or "FAIL SENTENCE: why".
# A test's last line is `finish`: without its "# finished" the runner takes the test for broken off.
set -euo pipefail

e2e=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$e2e/../.." && pwd)
bin=$(realpath -m "${LEADLINE_BIN:-$root/build/leadline}")
slow=${LEADLINE_SLOW:-1}
mode=${mode:-serve}
dir=$(mktemp -d "${TMPDIR:-/tmp}/leadline-e2e.XXXXXX")
db=$dir/leads.db
# Nobody's ~/.sqliterc or ~/.curlrc may change what a test sees.
export HOME=$dir LC_ALL=C.UTF-8

case_name=''
case_why=''
failures=0
finished=false

# ---- cases

t() {
  close_case
  case_name=$1
}

# Notes why the case fails; the first reason is the one that is printed.
fail() {
  [ -n "$case_name" ] || case_name=setup
  [ -n "$case_why" ] || case_why=${1//$'\n'/ }
}

close_case() {
  [ -n "$case_name" ] || return 0
  if [ -z "$case_why" ]; then
    printf 'ok %s: %s\n' "$mode" "$case_name"
  else
    printf 'FAIL %s: %s: %.600s\n' "$mode" "$case_name" "$case_why"
    failures=$((failures + 1))
  fi
  case_name=''
  case_why=''
}

skip() {
  printf 'skip %s: %s: %s\n' "$mode" "$case_name" "$1"
  case_name=''
}

equal() { # WHAT GOT WANTED
  [ "$2" = "$3" ] || fail "$1 is '$2', should be '$3'"
}

matches() { # WHAT GOT REGEX
  [[ $2 =~ $3 ]] || fail "$1 is '$2', should match $3"
}

finish() {
  stop_all
  close_case
  finished=true
  echo '# finished'
  [ "$failures" = 0 ] || exit 1
}

# ---- processes; only what is in this table is ever ended

declare -A pids=()

# start NAME LOG COMMAND…: runs it in the background, its standard input as given to start.
start() {
  local name=$1 log=$2
  shift 2
  "$@" >>"$log" 2>&1 &
  pids[$name]=$!
}

running() {
  [ -n "${pids[$1]:-}" ] && kill -0 "${pids[$1]}" 2>/dev/null
}

# Ends NAME with SIGNAL, waits for it and leaves its exit code in $exit_code.
stop() { # NAME [SIGNAL]
  exit_code=0
  [ -n "${pids[$1]:-}" ] || return 0
  kill "-${2:-TERM}" "${pids[$1]}" 2>/dev/null || true
  wait "${pids[$1]}" 2>/dev/null || exit_code=$?
  unset "pids[$1]"
}

# until_true SECONDS COMMAND…: asks again and again, so that nothing has to sleep and hope.
until_true() {
  local deadline=$((SECONDS + $1 * slow + 1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.01
  done
}

stop_all() {
  local name
  for name in "${!pids[@]}"; do
    [ "$name" = service ] || stop "$name" QUIT
  done
  stop_service
}

clean_up() {
  local code=$? name
  for name in "${!pids[@]}"; do
    # nginx ends its workers only when it is asked to; killed, it would leave them behind.
    if [ "$name" = nginx ]; then stop nginx TERM; else stop "$name" KILL; fi
  done
  if [ -n "$case_name" ]; then fail 'the test ended here, before its time'; fi
  close_case
  if [ -n "${KEEP:-}" ]; then echo "# kept $dir"; else rm -rf "$dir"; fi
  $finished || exit $((code == 0 ? 1 : code))
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- the service and nginx

socket=$dir/leadline.sock
service_log=$dir/service.log
settings=()
: >"$service_log"

# The program sees the settings of the test and nothing of the environment that the test was started in.
clean=(env -i PATH="$PATH" ASAN_OPTIONS="${ASAN_OPTIONS:-}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}"
  TSAN_OPTIONS="${TSAN_OPTIONS:-}")

# with VAR=VALUE…: (re)starts the service in the way of $mode with exactly these settings, and waits until it answers.
with() {
  settings=("DATABASE_URL=sqlite:$db" "$@")
  stop_service
  case $mode in
    cgi) return 0 ;;
    serve) start service "$service_log" "${clean[@]}" "${settings[@]}" "$bin" serve --listen "unix:$socket" ;;
    spawn-fcgi)
      # -n: it becomes the service instead of leaving it behind. -M: as serve does by itself.
      start service "$service_log" "${clean[@]}" "${settings[@]}" spawn-fcgi -n -M 0660 -s "$socket" -- "$bin"
      ;;
    fcgiwrap)
      rm -f "$socket"
      start service "$service_log" "${clean[@]}" "${settings[@]}" fcgiwrap -s "unix:$socket"
      ;;
  esac
  until_true 10 accepts || fail "the service does not accept connections: $(tail -n 3 "$service_log")"
  [ -n "${pids[nginx]:-}" ] || start_nginx
}

accepts() {
  running service || return 0 # Ended: no use to wait. The first request will tell.
  local code=0
  # HTTP is not what it speaks: any end but "could not connect" will do.
  curl -q -s -o "$dir/accepts" --max-time 1 --unix-socket "$socket" http://localhost/ || code=$?
  [ "$code" != 7 ]
}

stop_service() {
  if [ -n "${pids[service]:-}" ]; then
    stop service
    # fcgiwrap dies of the signal, as it always does; the service has to end well.
    [ "$mode" = fcgiwrap ] || [ "$exit_code" = 0 ] || fail "the service ended with code $exit_code after SIGTERM"
  fi
  sanitizers_silent
}

sanitizers_silent() {
  local said
  said=$(grep -hEm 1 'ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|WARNING: ThreadSanitizer' \
    "$service_log" "$dir"/*.log 2>/dev/null) || return 0
  fail "a sanitizer said: $said"
}

start_nginx() {
  port=$(python3 "$e2e/harness.py")
  "$e2e/nginx_conf" "$mode" "$dir" "$port" "$socket" "$bin" >"$dir/nginx.conf"
  start nginx "$dir/nginx-start.log" nginx -p "$dir" -e "$dir/nginx-error.log" -c "$dir/nginx.conf" -g "$(nginx_globals)"
  until_true 10 nginx_answers || fail "nginx does not answer: $(tail -n 3 "$dir"/nginx*.log)"
}

# `daemon` may stand only once.
nginx_globals() {
  grep -q '^ *daemon ' "$dir/nginx.conf" || echo 'daemon off;'
}

nginx_answers() {
  ! running nginx || curl -q -s -o /dev/null "http://127.0.0.1:$port/"
}

# ---- one request

answer_status=''
answer_body=''
declare -A answer_headers=()
body_file=$dir/sent
: >"$body_file"

# request METHOD TARGET [HEADER…]: sends it with the bytes in $body_file; the answer is in $answer_status, $answer_body
# and $answer_headers (by name in small letters; what comes twice has a line each).
request() {
  : >"$dir/raw"
  if [ "$mode" = cgi ]; then request_cgi "$@"; else request_nginx "$@"; fi
  read_answer
}

# No other program is called for what bash can do itself: there are thousands of answers.
read_answer() {
  local raw head line name
  IFS= read -r -d '' raw <"$dir/raw" || true
  head=${raw%%$'\r\n\r\n'*}
  answer_body=${raw#*$'\r\n\r\n'}
  answer_headers=()
  while IFS= read -r line; do
    line=${line%$'\r'}
    name=${line%%:*}
    name=${name,,}
    line=${line#*:}
    # The first line of HTTP has no name; it goes in as something nobody asks for.
    answer_headers[$name]=${answer_headers[$name]+${answer_headers[$name]}$'\n'}${line# }
  done <<<"$head"
  if [ "$mode" = cgi ]; then
    # Without a Status line, CGI means 200.
    answer_status=${answer_headers[status]:-200}
    answer_status=${answer_status%% *}
  fi
}

request_nginx() {
  local method=$1 target=$2 header arguments=()
  shift 2
  for header; do
    # curl's way to send a header without a value.
    if [[ $header == *: ]]; then header="${header%:};"; fi
    arguments+=(-H "$header")
  done
  if [ "$method" = HEAD ]; then arguments+=(--head); else arguments+=(-i -X "$method"); fi
  if [ -s "$body_file" ]; then arguments+=(-H 'Expect:' --data-binary "@$body_file"); fi
  answer_status=$(curl -q -sS --path-as-is --max-time $((30 * slow)) -o "$dir/raw" -w '%{http_code}' \
    "${arguments[@]}" "http://127.0.0.1:$port$target" 2>"$dir/curl") || fail "curl: $(<"$dir/curl")"
}

request_cgi() {
  local method=$1 target=$2 header name query='' variables=()
  shift 2
  if [[ $target == *\?* ]]; then query=${target#*\?}; fi
  variables=(GATEWAY_INTERFACE=CGI/1.1 SERVER_PROTOCOL=HTTP/1.1 SERVER_NAME=localhost SERVER_PORT=80 REMOTE_ADDR=127.0.0.1
    "REQUEST_METHOD=$method" "REQUEST_URI=$target" "SCRIPT_NAME=${target%%\?*}" "QUERY_STRING=$query")
  for header; do
    name=${header%%:*}
    name=${name//-/_}
    header=${header#*:}
    variables+=("HTTP_${name^^}=${header# }")
  done
  if [ -s "$body_file" ]; then variables+=("CONTENT_LENGTH=$(stat -c %s "$body_file")"); fi
  run_cgi "${variables[@]}" <"$body_file"
}

# run_cgi VAR=VALUE…: the program as a CGI script, its body on standard input.
run_cgi() {
  local code=0
  timeout $((30 * slow)) "${clean[@]}" "${settings[@]}" "$@" "$bin" >"$dir/raw" 2>>"$service_log" || code=$?
  equal 'the exit code' "$code" 0
}

path=/webhooks/crm/lead
secret='hook-Secret_1~+/='
good="Authorization: Bearer $secret"

# body TEXT: the next request's body, as it stands. bytes TEXT: the same with printf's escapes.
body() { printf '%s' "$1" >"$body_file"; }
bytes() { printf '%b' "$1" >"$body_file"; }

# post TEXT [HEADER…]: TEXT with the right secret. post_file: what is in $body_file.
post() {
  body "$1"
  shift
  post_file "$@"
}
post_file() { request POST "$path" "$good" "$@"; }

# ---- what must be so

# Nothing but the sqlite3 command looks into the database: the tests share no code with the program.
sql() { sqlite3 -batch -cmd '.timeout 20000' "$db" "$1"; }

activities=0
held=0
count_rows='SELECT (SELECT count(*) FROM LeadCrmActivity), (SELECT count(*) FROM UnmatchedCrmEvents);'
# Takes the rows that are there as known. For after the test itself has changed them.
know_rows() {
  IFS='|' read -r activities held < <(sql "$count_rows")
}

# rows_grew ACTIVITIES HELD [SQL]: so many more rows than before, and no other. The lines that SQL gives go to $found.
rows_grew() {
  local before="$((activities + $1)) $((held + $2))" lines
  mapfile -t lines < <(sql "$count_rows ${3:-}")
  IFS='|' read -r activities held <<<"${lines[0]:-}"
  equal 'the count of rows (activity, held)' "$activities $held" "$before"
  found=("${lines[@]:1}")
}

# Contract §5: on every answer, and once.
headers_good() {
  equal Content-Type "${answer_headers[content-type]:-}" 'application/json; charset=utf-8'
  equal Cache-Control "${answer_headers[cache-control]:-}" no-store
  equal X-Content-Type-Options "${answer_headers[x-content-type-options]:-}" nosniff
  matches X-Request-Id "${answer_headers[x-request-id]:-}" '^[A-Za-z0-9._-]{1,128}$'
}

# accepted BODY ACTIVITIES HELD TABLE COLUMNS WANTED: 200 with this body; one row more, in TABLE, which holds the bytes
# that were sent and has these values.
accepted() {
  equal 'the status' "$answer_status" 200
  equal 'the body' "$answer_body" "$1"
  headers_good
  rows_grew "$2" "$3" "SELECT $5, writefile('$dir/kept', CAST(PayloadJson AS BLOB)) > 0 FROM $4 ORDER BY Id DESC LIMIT 1"
  equal "the row in $4 ($5)" "${found[0]:-}" "$6|1"
  cmp -s "$body_file" "$dir/kept" || fail "PayloadJson in $4 is not what was sent: $(cmp "$body_file" "$dir/kept" 2>&1 | head -c 200)"
}

# stored LEAD [EVENT_TYPE]: 200, and a row for the lead.
stored() {
  accepted '{"ok":true,"stored":true,"lead_id":'"$1"'}' 1 0 LeadCrmActivity 'LeadId, EventType' "$1|${2:-updated}"
}

# is_held [EVENT_TYPE]: 200 without a lead, and the event waits among the unmatched ones.
is_held() {
  accepted '{"ok":true,"stored":false,"reason":"No matching lead or submission for crm_lead_id"}' 0 1 \
    UnmatchedCrmEvents EventType "${1:-updated}"
}

# refused STATUS [REGEX]: the error's shape, its headers, its text where told; and nothing is kept.
refused() {
  local shape='^\{"ok":false,"error":"(([^"\\]|\\.)+)"\}$'
  equal 'the status' "$answer_status" "$1"
  matches 'the body' "$answer_body" "$shape"
  if [ -n "${2:-}" ] && [[ $answer_body =~ $shape ]]; then matches 'the error' "${BASH_REMATCH[1]}" "$2"; fi
  headers_good
  case $1 in
    401) equal WWW-Authenticate "${answer_headers[www-authenticate]:-}" Bearer ;;
    405) equal Allow "${answer_headers[allow]:-}" POST ;;
    503) matches Retry-After "${answer_headers[retry-after]:-}" '^[1-9][0-9]*$' ;;
  esac
  rows_grew 0 0
}
