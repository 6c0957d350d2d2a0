# shellcheck shell=bash
# The contract of POST /webhooks/crm/lead, case by case. Knows nothing of the way in which the program is run: each of
# test_serve, test_spawn_fcgi, test_cgi and test_fcgiwrap sets $mode and reads this file.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"${clean[@]}" "DATABASE_URL=sqlite:$db" "$bin" migrate >>"$service_log" 2>&1 || fail "migrate: $(tail -n 1 "$service_log")"

# Ids say what a row is for: 1 is the plain lead.
sql "INSERT INTO Leads (Id, CrmLeadId) VALUES
       (1, 'crm-1'), (10, 'several'), (12, 'several'), (11, 'other'),
       (20, 'both'), (21, NULL), (22, NULL), (23, NULL), (24, 'case'), (25, 'CASE'),
       (30, 'caf' || char(233)), (31, 'cafe' || char(769)), (32, 'blank'), (33, 'blank '), (34, ' blank'),
       (35, char(128512)), (36, '007'), (37, '7'), (38, '1e3'), (39, 'nine\"quote'), (40, '%'), (41, '_'), (42, ' ');
     INSERT INTO Leads (Id, CrmLeadId) VALUES (43, 9007199254740993);"

webhook="CRM_WEBHOOK_SECRET=$secret"
callback='CRM_CALLBACK_SECRET=callback-Secret_2'
event='{"crm_lead_id":"crm-1"}'

# ======== secrets, without the webhook's

with
know_rows
t '503 where neither secret is configured'
body "$event"
request POST "$path" "$good"
refused 503
t '503 where neither secret is configured and none is sent'
request POST "$path"
refused 503
t '503 where neither secret is configured and an empty one is sent'
request POST "$path" 'Authorization: Bearer ' 'X-API-Key:'
refused 503
t '405 comes before 503'
body ''
request GET "$path" "$good"
refused 405
t '404 comes before 405 and 503'
request DELETE /webhooks/crm/nothing
refused 404

with CRM_WEBHOOK_SECRET= CRM_CALLBACK_SECRET=
t '503 where both secrets are empty'
body "$event"
request POST "$path" 'Authorization: Bearer ' 'X-API-Key:'
refused 503

with ANALYTICS_API_KEY=analytics-key
t '503 where only the analytics key is configured, even if it is sent'
request POST "$path" 'Authorization: Bearer analytics-key'
refused 503

with "$callback"
t 'the callback secret counts where the webhook secret is not set'
request POST "$path" 'Authorization: Bearer callback-Secret_2'
stored 1
t 'the webhook secret is refused where only the callback secret is set'
request POST "$path" "$good"
refused 401

with CRM_WEBHOOK_SECRET= "$callback"
t 'the callback secret counts where the webhook secret is empty'
request POST "$path" 'X-API-Key: callback-Secret_2'
stored 1
t 'an empty secret is refused where the webhook secret is empty'
request POST "$path" 'Authorization: Bearer ' 'X-API-Key:'
refused 401

# ======== a small limit

with "$webhook" LEADLINE_MAX_BODY_BYTES=40
t 'LEADLINE_MAX_BODY_BYTES: as many bytes are accepted'
post '{"crm_lead_id":"crm-1","padding":"1234"}'
stored 1
t 'LEADLINE_MAX_BODY_BYTES: one byte more is refused'
post '{"crm_lead_id":"crm-1","padding":"12345"}'
refused 413

# ======== from here on: both secrets

with "$webhook" "$callback" ANALYTICS_API_KEY=analytics-key

while IFS='|' read -r name verdict headers; do
  t "secret: $name: $verdict"
  body "$event"
  # Two headers are set apart by a semicolon.
  IFS=';' read -ra list <<<"${headers//SECRET/$secret}"
  request POST "$path" "${list[@]}"
  if [ "$verdict" = 200 ]; then stored 1; else refused "$verdict"; fi
done <<'CASES'
Bearer|200|Authorization: Bearer SECRET
the scheme in small letters|200|Authorization: bearer SECRET
the scheme in capital letters|200|Authorization: BEARER SECRET
the scheme in mixed letters|200|Authorization: bEaReR SECRET
X-API-Key|200|X-API-Key: SECRET
x-api-key|200|x-api-key: SECRET
both valid|200|Authorization: Bearer SECRET;X-API-Key: SECRET
a wrong Bearer, a valid X-API-Key|200|Authorization: Bearer wrong;X-API-Key: SECRET
a valid Bearer, a wrong X-API-Key|200|Authorization: Bearer SECRET;X-API-Key: wrong
a valid Bearer, an empty X-API-Key|200|Authorization: Bearer SECRET;X-API-Key:
Basic, a valid X-API-Key|200|Authorization: Basic dTpw;X-API-Key: SECRET
none|401|X-Other: 1
a wrong one|401|Authorization: Bearer wrong
a wrong X-API-Key|401|X-API-Key: wrong
both wrong|401|Authorization: Bearer wrong;X-API-Key: wrong
an empty Bearer|401|Authorization: Bearer 
a Bearer without anything|401|Authorization: Bearer
an empty Authorization|401|Authorization:
an empty X-API-Key|401|X-API-Key:
a prefix|401|Authorization: Bearer hook-Secret_1
one letter|401|X-API-Key: h
a suffix more|401|Authorization: Bearer SECRETx
a suffix more in X-API-Key|401|X-API-Key: SECRETSECRET
the end of it|401|Authorization: Bearer ook-Secret_1~+/=
in other letters|401|Authorization: Bearer HOOK-SECRET_1~+/=
without a scheme|401|Authorization: SECRET
another scheme|401|Authorization: Basic SECRET
a scheme that only begins so|401|Authorization: Bearerx SECRET
a scheme without a blank|401|Authorization: BearerSECRET
Bearer inside of X-API-Key|401|X-API-Key: Bearer SECRET
the callback secret|401|Authorization: Bearer callback-Secret_2
the callback secret as X-API-Key|401|X-API-Key: callback-Secret_2
the analytics key|401|Authorization: Bearer analytics-key
in another header|401|X-Api: SECRET
CASES

t 'a secret in the query does not count'
body "$event"
request POST "$path?secret=$secret&api_key=$secret"
refused 401

# ======== methods and paths

body ''
for method in GET PUT DELETE PATCH OPTIONS; do
  t "405 for $method, with or without a secret"
  request "$method" "$path"
  refused 405
  request "$method" "$path" "$good"
  refused 405
done
t '405 for a PUT with a body'
body "$event"
request PUT "$path" "$good"
refused 405
t '405 for a method that nobody knows'
body ''
request LEADLINE "$path" "$good"
refused 405
t '405 for HEAD, without a body'
request HEAD "$path" "$good"
equal 'the status' "$answer_status" 405
equal Allow "${answer_headers[allow]:-}" POST
equal 'the body' "$answer_body" ''
headers_good
rows_grew 0 0

for target in /webhooks/crm/leads /webhooks/crm/lead/ /webhooks/crm /webhooks/crm/Lead /webhooks/crm//lead \
  /webhooks//crm/lead /webhooks/crm/lead/1 /webhooks/crm/ /webhooks/x; do
  t "404 for $target"
  body "$event"
  request POST "$target" "$good"
  refused 404
done
t '404 comes before 401, 405 and 413'
request PUT /webhooks/none 'Authorization: Bearer wrong'
refused 404
t 'a query does not matter'
request POST "$path?source=make&x=%00" "$good"
stored 1
t 'a question mark alone does not matter'
request POST "$path?" "$good"
stored 1

# ======== the order of the checks, and the limit of the body

# object_of BYTES: a valid event of exactly so many bytes.
object_of() {
  local head='{"crm_lead_id":"crm-1","padding":"' tail='"}'
  { printf '%s' "$head"; head -c $(($1 - ${#head} - ${#tail})) /dev/zero | tr '\0' x; printf '%s' "$tail"; } >"$body_file"
}

t '413 boundary: 1,048,576 bytes are accepted and kept'
object_of 1048576
post_file
stored 1
t '413 boundary: 1,048,577 bytes are refused'
object_of 1048577
post_file
refused 413
t '413 comes before 400: too long, and no JSON'
head -c 1500000 /dev/zero >"$body_file"
post_file
refused 413
t '401 comes before 413'
request POST "$path" 'Authorization: Bearer wrong'
refused 401
t '405 comes before 401 and 413'
request PUT "$path" 'Authorization: Bearer wrong'
refused 405
t '401 comes before 400'
body '{'
request POST "$path" 'X-API-Key: wrong'
refused 401

# ======== headers (every other case checks that they are there)

body "$event"
for id in a 0 Az09._- ........ "$(printf 'i%.0s' {1..128})"; do
  t "X-Request-Id of ${#id} characters is echoed: ${id:0:20}"
  post_file "X-Request-Id: $id"
  equal X-Request-Id "${answer_headers[x-request-id]}" "$id"
  stored 1
done
for id in '' 'a b' 'a/b' 'a,b' 'a"b' 'a<b>' 'café' 'a%20' 'a:b' "$(printf 'i%.0s' {1..129})" "$(printf 'i%.0s' {1..4000})"; do
  t "X-Request-Id of ${#id} characters is replaced: ${id:0:20}"
  post_file "X-Request-Id: $id"
  [ "${answer_headers[x-request-id]}" != "$id" ] || fail 'it is echoed'
  stored 1
done
t 'X-Request-Id is echoed by a refusal'
request POST "$path" 'X-Request-Id: my-id.7'
equal X-Request-Id "${answer_headers[x-request-id]}" my-id.7
refused 401
t 'X-Request-Id is fresh each time'
request POST "$path"
first=${answer_headers[x-request-id]}
request POST "$path"
[ "${answer_headers[x-request-id]}" != "$first" ] || fail "twice $first"
refused 401

t 'the Content-Type is not checked'
post "$event" 'Content-Type: text/plain; charset=latin-1'
stored 1

# ======== JSON

# Each is put behind a good crm_lead_id, so that nothing but it can be the reason.
while IFS='|' read -r name value; do
  t "invalid JSON: $name"
  bytes '{"crm_lead_id":"crm-1","v":'"$value"
  post_file
  refused 400 '^invalid JSON at byte [0-9]+: '
done <<'CASES'
a trailing comma in an object|1,}
a trailing comma in an array|[1,]}
a comma alone|[,]}
two commas|[1,,2]}
a missing comma|[1 2]}
a missing comma between members|1 "w":2}
a missing value|}
a missing colon|1,"w" 2}
a key without quotes|1,w:2}
a number as key|1,1:2}
trailing bytes|1}x
a second value|1}{}
a comma behind it|1},
a NUL byte behind it|1}\0000
a NUL byte in a string|"a\0000b"}
a NUL byte between tokens|\00001}
a raw line end in a string|"a\nb"}
a raw tab in a string|"a\tb"}
a raw 0x1F in a string|"a\0037b"}
01|01}
-01|-01}
00|00}
1.|1.}
.5|.5}
+1|+1}
-|-}
1e|1e}
1e+|1e+}
1.e5|1.e5}
0x10|0x10}
1_000|1_000}
NaN|NaN}
Infinity|Infinity}
-Infinity|-Infinity}
True|True}
tru|tru}
nulls|nulls}
undefined|undefined}
single quotes|'a'}
a comment|1/* c */}
a line comment|1//c\n}
an unknown escape|"\\x41"}
an escape of a small part|"\\u12"}
an escape of no hex digits|"\\u12g4"}
a capital escape|"\\U0041"}
an escaped line end|"\\\n"}
an open string|"abc
an open escape|"abc\\
an open array|[1,2
an open object|1
a wrong bracket|[1}}
a bracket too many|1]}
a vertical tab as blank|\v1}
a form feed as blank|\f1}
a no-break space as blank|\0302\02401}
ED A0 80, a surrogate as bytes|"\0355\0240\0200"}
ED A0 BD ED B8 80, a pair as bytes|"\0355\0240\0275\0355\0270\0200"}
C0 AF, overlong|"\0300\0257"}
C1 BF, overlong|"\0301\0277"}
E0 80 AF, overlong|"\0340\0200\0257"}
F0 80 80 AF, overlong|"\0360\0200\0200\0257"}
C0 80, an overlong NUL|"\0300\0200"}
F4 90 80 80, above U+10FFFF|"\0364\0220\0200\0200"}
F5|"\0365\0200\0200\0200"}
FF|"\0377"}
a continuation byte alone|"\0200"}
UTF-8 cut short by a quote|"\0342\0202"}
UTF-8 cut short by the end|"\0342\0202
Latin-1|"caf\0351"}
UTF-8 outside of a string|\0303\0251}
CASES

while IFS='|' read -r name value; do
  t "invalid JSON: $name"
  bytes "$value"
  post_file
  refused 400 '^invalid JSON at byte [0-9]+: '
done <<'CASES'
a BOM|\0357\0273\0277{"crm_lead_id":"crm-1"}
an empty body|
a blank|\0040\n
a NUL byte in front|\0000{"crm_lead_id":"crm-1"}
UTF-16|{\0000"\0000a\0000"\0000:\00001\0000}\0000
a form|crm_lead_id=crm-1&event_type=updated
a bracket|{
an end|}
a comma in an empty object|{,}
single quotes|{'crm_lead_id':'crm-1'}
CASES

t 'invalid JSON: the error says at which byte'
post '{"crm_lead_id":"crm-1","v":tru}'
refused 400 '^invalid JSON at byte (2[789]|3[01]): '

for value in '[]' '["crm_lead_id","crm-1"]' '[{"crm_lead_id":"crm-1"}]' '"crm-1"' '1' '-0.5e3' true false null; do
  t "not an object: $value"
  post "$value"
  refused 400
  [[ $answer_body != *'invalid JSON'* ]] || fail "it is valid JSON: $answer_body"
done

while IFS='|' read -r name value; do
  t "valid JSON: $name"
  bytes '{"crm_lead_id":"crm-1","v":'"$value"
  post_file
  stored 1
done <<'CASES'
-0|-0}
1E+2|1E+2}
1e400, beyond any double|1e400}
a number of 64 bits|9007199254740993}
a long number|123456789012345678901234567890.123456789012345678901234567890e-5}
true, false, null|[true,false,null]}
empty things|[{},[],"",{"":""}]}
each escape|"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u00E9"}
a NUL by escape|"a\\u0000b"}
a lone high surrogate by escape|"\\ud800"}
a lone low surrogate by escape|"\\uDC00x"}
a pair the wrong way round|"\\udc00\\ud800"}
a lone surrogate as a key|{"\\ud800":1}}
DEL|"\0177"}
emoji|"\0360\0237\0230\0200"}
U+10FFFF|"\0364\0217\0277\0277"}
U+FFFE and U+FEFF|"\0357\0277\0276\0357\0273\0277"}
each blank|\t\r\n [ \t1\r,\n2 ] \t}\r\n\t\0040
duplicate keys|1,"v":2,"v":{"v":3,"v":4}}
U+2028|"\0342\0200\0250"}
CASES

t 'odd spacing around everything is kept'
bytes '\n\t { "crm_lead_id"\r:\t"crm-1" , "a" :[ 1 ,2 ]\n}  \r\n\n'
post_file
stored 1

# nested DEPTH OPEN CLOSE: an event that is so deep, its own object being the first level.
nested() {
  local open close
  printf -v open "%$(($1 - 1))s" ''
  printf -v close "%$(($1 - 1))s" ''
  printf '{"crm_lead_id":"crm-1","v":%s1%s}' "${open// /$2}" "${close// /$3}" >"$body_file"
}
t 'depth 512 in arrays is accepted'
nested 512 '[' ']'
post_file
stored 1
t 'depth 513 in arrays is refused'
nested 513 '[' ']'
post_file
refused 400 '^invalid JSON at byte [0-9]+: '
t 'depth 512 in objects is accepted'
nested 512 '{"k":' '}'
post_file
stored 1
t 'depth 513 in objects is refused'
nested 513 '{"k":' '}'
post_file
refused 400 '^invalid JSON at byte [0-9]+: '
t 'many arrays side by side are not depth'
printf '{"crm_lead_id":"crm-1","v":[%s[]]}' "$(printf '[],%.0s' {1..2000})" >"$body_file"
post_file
stored 1
t 'a million open brackets are refused'
head -c 1000000 /dev/zero | tr '\0' '[' >"$body_file"
post_file
refused 400

# ======== event_type

while IFS='|' read -r value kept; do
  t "event_type $value is kept as $kept"
  post '{"crm_lead_id":"crm-1","event_type":'"$value}"
  stored 1 "$kept"
done <<'CASES'
"status_changed"|status_changed
""|updated
null|updated
7|updated
true|updated
["a"]|updated
{"a":"b"}|updated
"a\u0000b"|updated
"\u0000"|updated
"\ud800"|�
"a\ud800b"|a�b
"\udc00\ud800"|��
"\ud83dx\ude00"|�x�
"\ud83d\ude00"|😀
"\ud800\ud83d\ude00"|�😀
"\u00e9é"|éé
"a\/b\\c"|a/b\c
"Status Changed "|Status Changed 
" "| 
"updated'; --"|updated'; --
"a","event_type":"b"|b
"a","event_type":7|updated
7,"event_type":"b"|b
"a","event_type":""|updated
"a","x":{"event_type":"c"}|a
"a","EVENT_TYPE":"c"|a
"a","event\u005ftype":"d"|d
CASES
t 'event_type is absent'
post "$event"
stored 1 updated
t 'event_type in other letters is not event_type'
post '{"crm_lead_id":"crm-1","Event_Type":"x","event_type ":"y"}'
stored 1 updated
t 'event_type of an unmatched event'
post '{"crm_lead_id":"event-type-unmatched","event_type":"\ud800!"}'
is_held '�!'

# ======== crm_lead_id

while IFS= read -r value; do
  t "crm_lead_id is refused: $value"
  post "$value"
  refused 400 'crm_lead_id'
done <<'CASES'
{}
{"event_type":"updated"}
{"crm_lead_id":null}
{"crm_lead_id":1}
{"crm_lead_id":9007199254740993}
{"crm_lead_id":true}
{"crm_lead_id":["crm-1"]}
{"crm_lead_id":{"id":"crm-1"}}
{"crm_lead_id":""}
{"crm_lead_id":"\u0000"}
{"crm_lead_id":"crm-1\u0000"}
{"crm_lead_id":"crm-1\u0000x"}
{"crm_lead_id":"\u0000crm-1"}
{"crm_lead_id":"\ud800"}
{"crm_lead_id":"crm-1\ud800"}
{"crm_lead_id":"\udc00crm-1"}
{"crm_lead_id":"\ude00\ud83d"}
{"crm_lead_id":"crm-1","crm_lead_id":7}
{"crm_lead_id":"crm-1","crm_lead_id":""}
{"crm_lead_id":"crm-1","crm_lead_id":null}
{"crm_lead_id":"crm-1","crm\u005flead_id":null}
{"CRM_LEAD_ID":"crm-1"}
{"Crm_lead_id":"crm-1"}
{"crm_lead_id ":"crm-1"}
{"crm_lead_id\u0000":"crm-1"}
{"crm_lead":"crm-1"}
{"data":{"crm_lead_id":"crm-1"}}
{"data":[{"crm_lead_id":"crm-1"}]}
CASES

while IFS='|' read -r lead value; do
  t "crm_lead_id finds lead $lead: $value"
  post "$value"
  stored "$lead"
done <<'CASES'
12|{"crm_lead_id":"several"}
11|{"crm_lead_id":"several","crm_lead_id":"other"}
1|{"crm_lead_id":7,"crm_lead_id":"crm-1"}
1|{"crm_lead_id":"other","x":{"crm_lead_id":"several"},"crm_lead_id":"crm-1"}
1|{"crm_lead_id":"crm-1","x":{"crm_lead_id":"other"}}
1|{"crm_lead\u005fid":"crm-1"}
11|{"crm_lead_id":"crm-1","\u0063rm_lead_id":"other"}
1|{"crm_lead_id":"crm-1","CRM_LEAD_ID":"other","crm_Lead_id":7}
1|{"crm_lead_id":"\u0063rm\u002D1"}
24|{"crm_lead_id":"case"}
25|{"crm_lead_id":"CASE"}
30|{"crm_lead_id":"caf\u00e9"}
30|{"crm_lead_id":"café"}
31|{"crm_lead_id":"cafe\u0301"}
32|{"crm_lead_id":"blank"}
33|{"crm_lead_id":"blank "}
34|{"crm_lead_id":" blank"}
35|{"crm_lead_id":"😀"}
35|{"crm_lead_id":"\uD83D\ude00"}
36|{"crm_lead_id":"007"}
37|{"crm_lead_id":"7"}
38|{"crm_lead_id":"1e3"}
39|{"crm_lead_id":"nine\"quote"}
40|{"crm_lead_id":"%"}
41|{"crm_lead_id":"_"}
42|{"crm_lead_id":" "}
43|{"crm_lead_id":"9007199254740993"}
CASES

while IFS= read -r id; do
  t "crm_lead_id finds none and is held as it stands: $id"
  post '{"crm_lead_id":"'"$id"'"}'
  is_held
  equal 'CrmLeadId' "$(sql 'SELECT CrmLeadId FROM UnmatchedCrmEvents ORDER BY Id DESC LIMIT 1')" "$id"
done <<'CASES'
Case
crm-1 
 crm-1
crm-
crm-11
crm_1
CAFÉ
07
7.0
1000
9007199254740992
*
' OR 1=1 --
updated
CASES

t 'crm_lead_id of 100,000 bytes, of which the last one counts'
long=$(head -c 99999 /dev/zero | tr '\0' L)
{ printf "INSERT INTO Leads (Id, CrmLeadId) VALUES (50, '%sa');" "$long"; } >"$dir/long.sql"
sqlite3 -batch -cmd '.timeout 20000' "$db" <"$dir/long.sql"
post '{"crm_lead_id":"'"$long"'a"}'
stored 50
post '{"crm_lead_id":"'"$long"'b"}'
is_held

# ======== the bytes that are kept (each case above compares them, too)

t 'awkward bytes are kept'
bytes ' {"crm_lead_id" : "crm-1","n":9007199254740993,"n":1.0,"n":1e2,"z":1,"a":"\\u0000\\ud800\\/",\r\n"e":"\0360\0237\0230\0200\0177","é":{"crm_lead_id":"x"}}\n'
post_file
stored 1
t 'awkward bytes are kept in an unmatched event'
bytes '\t{"x":9007199254740993,"crm_lead_id":"awkward-unmatched","x":"\\u0000\0360\0237\0230\0200"} \r\n'
post_file
is_held
t 'an event is kept each time it comes'
post "$event"
stored 1
post "$event"
stored 1
t 'ReceivedAt is UTC, RFC 3339 with milliseconds'
post "$event"
stored 1
equal 'ReceivedAt in form and within a minute' "$(sql "SELECT ReceivedAt GLOB '20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9].[0-9][0-9][0-9]Z'
  AND abs(julianday(ReceivedAt) - julianday('now')) < 1.0 / 1440 FROM LeadCrmActivity ORDER BY Id DESC LIMIT 1")" 1
equal 'CrmLeadId' "$(sql 'SELECT CrmLeadId FROM LeadCrmActivity ORDER BY Id DESC LIMIT 1')" crm-1

# ======== the lookup

sql "INSERT INTO LeadSubmissions (Id, LeadId, CrmLeadId, SubmittedAt) VALUES
       (1, 21, 'both', '2026-03-05T10:00:00.000Z'),
       (2, 21, 'newest', '2026-03-05T10:00:00.000Z'), (3, 22, 'newest', '2026-03-05T10:00:00.001Z'),
       (4, 23, 'newest', '2026-03-05T09:59:59.999Z'),
       (5, 21, 'equal', '2026-03-05T10:00:00.000Z'), (7, 22, 'equal', '2026-03-05T10:00:00.000Z'),
       (6, 23, 'equal', '2026-03-05T10:00:00.000Z'),
       (8, NULL, 'null-lead', '2026-03-05T10:00:00.000Z'), (9, 999999, 'dangling', '2026-03-05T10:00:00.000Z'),
       (10, 21, 'newest-null', '2026-03-05T10:00:00.000Z'), (11, NULL, 'newest-null', '2026-03-06T10:00:00.000Z'),
       (12, 21, 'newest-dangling', '2026-03-05T10:00:00.000Z'), (13, 999999, 'newest-dangling', '2026-03-06T10:00:00.000Z'),
       (14, 21, 'blank-form', '2026-03-05 10:00:01'), (15, 22, 'blank-form', '2026-03-05T10:00:00.500Z'),
       (16, 21, 'offset', '2026-03-05T10:15:00.000Z'), (17, 22, 'offset', '2026-03-05T12:00:00+02:00'),
       (18, 21, 'offset-west', '2026-03-05T10:15:00.000Z'), (19, 22, 'offset-west', '2026-03-05 08:00:00-05:00'),
       (20, 21, 'short', '2026-03-05 10:15'), (21, 22, 'short', '2026-03-05'),
       (22, 21, 'written-again', '2026-03-05T10:00:00.000Z'), (23, 22, 'written-again', '2026-03-05T11:00:00.000Z')"
know_rows

while IFS='|' read -r lead id name; do
  t "lookup: $name"
  post '{"crm_lead_id":"'"$id"'"}'
  if [ "$lead" = - ]; then is_held; else stored "$lead"; fi
done <<'CASES'
20|both|a lead comes before a submission
12|several|of several leads, the highest Id
22|newest|of several submissions, the newest
22|equal|of submissions of one time, the highest Id
-|null-lead|a submission without a lead is no match
-|dangling|a submission whose lead is gone is no match
21|blank-form|a time with a blank sorts by its time
21|offset|a time with an offset sorts by its time
22|offset-west|a time with a western offset sorts by its time
21|short|a time without seconds sorts by its time
CASES

# The contract can be read in two ways here: the newest submission decides, or the newest that names a lead. "the most recent by SubmittedAt,
# and its LeadId": the newest decides.
for id in newest-null newest-dangling; do
  t "lookup: the newest submission decides, even without a lead ($id)"
  post '{"crm_lead_id":"'"$id"'"}'
  is_held
done

t 'times of other programs are canonical once they are written'
equal 'the times' "$(sql "SELECT group_concat(SubmittedAt, ' ') FROM (SELECT SubmittedAt FROM LeadSubmissions WHERE Id IN (14, 17, 19, 20, 21) ORDER BY Id)")" \
  '2026-03-05T10:00:01.000Z 2026-03-05T10:00:00.000Z 2026-03-05T13:00:00.000Z 2026-03-05T10:15:00.000Z 2026-03-05T00:00:00.000Z'
t 'times of other programs are canonical after an UPDATE, and count'
sql "UPDATE LeadSubmissions SET SubmittedAt = '2026-03-05 12:30:00' WHERE Id = 22;
     UPDATE Leads SET CreatedAt = '2026-03-05 10:00:00', UpdatedAt = '2026-03-05T12:00:00.5+01:30' WHERE Id = 1"
equal 'SubmittedAt' "$(sql 'SELECT SubmittedAt FROM LeadSubmissions WHERE Id = 22')" 2026-03-05T12:30:00.000Z
equal 'CreatedAt, UpdatedAt' "$(sql 'SELECT CreatedAt, UpdatedAt FROM Leads WHERE Id = 1')" '2026-03-05T10:00:00.000Z|2026-03-05T10:30:00.500Z'
post '{"crm_lead_id":"written-again"}'
stored 21
t 'a lead counts as soon as it is there'
post '{"crm_lead_id":"soon"}'
is_held
sql "INSERT INTO Leads (Id, CrmLeadId) VALUES (60, 'soon')"
know_rows
post '{"crm_lead_id":"soon"}'
stored 60
t 'a lead counts no more as soon as it is renamed'
sql "UPDATE Leads SET CrmLeadId = 'later' WHERE Id = 60"
post '{"crm_lead_id":"soon"}'
is_held

# ======== held events, and other programs

# holds ID…: posts an event for each id; all wait. Their times are made old, so that a kept time can be told from a new one.
holds() {
  local id
  for id; do
    post '{"crm_lead_id":"'"$id"'","event_type":"e-'"$id"'","n":9007199254740993,  "s":"\u0000😀"}'
    is_held "e-$id"
    cp "$body_file" "$dir/held.$id"
  done
  sql "UPDATE UnmatchedCrmEvents SET ReceivedAt = '2026-01-02T03:04:05.678Z' WHERE CrmLeadId GLOB 'adopt-*'"
}

# adopted ID LEAD: its event is no longer held, but the lead's, with all that it was.
adopted() {
  equal "held events of $1" "$(sql "SELECT count(*) FROM UnmatchedCrmEvents WHERE CrmLeadId = '$1'")" 0
  equal "the event of $1" "$(sql "SELECT LeadId, CrmLeadId, EventType, ReceivedAt FROM LeadCrmActivity WHERE CrmLeadId = '$1'")" \
    "$2|$1|e-$1|2026-01-02T03:04:05.678Z"
  sql "SELECT writefile('$dir/kept', CAST(PayloadJson AS BLOB)) FROM LeadCrmActivity WHERE CrmLeadId = '$1'" >/dev/null
  cmp -s "$dir/held.$1" "$dir/kept" || fail "the payload of $1 has changed"
}

while IFS='|' read -r id lead statement; do
  t "held events are adopted: $statement"
  holds "adopt-$id"
  sql "$statement"
  adopted "adopt-$id" "$lead"
  know_rows
done <<'CASES'
li|71|INSERT INTO Leads (Id, CrmLeadId) VALUES (71, 'adopt-li')
lu|72|INSERT INTO Leads (Id) VALUES (72); UPDATE Leads SET CrmLeadId = 'adopt-lu' WHERE Id = 72
lc|73|INSERT INTO Leads (Id, CrmLeadId) VALUES (73, 'x'); UPDATE Leads SET Name = 'n', CrmLeadId = 'adopt-lc' WHERE Id = 73
lr|74|INSERT INTO Leads (Id) VALUES (74); INSERT OR REPLACE INTO Leads (Id, CrmLeadId) VALUES (74, 'adopt-lr')
up|75|INSERT INTO Leads (Id) VALUES (75); INSERT INTO Leads (Id, CrmLeadId) VALUES (75, 'adopt-up') ON CONFLICT (Id) DO UPDATE SET CrmLeadId = excluded.CrmLeadId
si|1|INSERT INTO LeadSubmissions (LeadId, CrmLeadId) VALUES (1, 'adopt-si')
su|1|INSERT INTO LeadSubmissions (Id, LeadId) VALUES (80, 1); UPDATE LeadSubmissions SET CrmLeadId = 'adopt-su' WHERE Id = 80
sl|1|INSERT INTO LeadSubmissions (Id, CrmLeadId) VALUES (81, 'adopt-sl'); UPDATE LeadSubmissions SET LeadId = 1 WHERE Id = 81
CASES

t 'one statement for several leads adopts for each'
holds adopt-m1 adopt-m2 adopt-m3
sql "INSERT INTO Leads (Id, CrmLeadId) VALUES (91, 'adopt-m1'), (92, 'adopt-m2')"
adopted adopt-m1 91
adopted adopt-m2 92
equal 'held events of adopt-m3' "$(sql "SELECT count(*) FROM UnmatchedCrmEvents WHERE CrmLeadId = 'adopt-m3'")" 1
know_rows
t 'several held events of one id are all adopted, in their order'
for n in 1 2 3; do
  post '{"crm_lead_id":"many","event_type":"'"$n"'"}'
  is_held "$n"
done
sql "INSERT INTO Leads (Id, CrmLeadId) VALUES (93, 'many')"
equal 'the events' "$(sql "SELECT group_concat(EventType, '') FROM (SELECT EventType FROM LeadCrmActivity WHERE LeadId = 93 ORDER BY ReceivedAt, Id)")" 123
know_rows
t 'an id that is only similar adopts nothing'
post '{"crm_lead_id":"Similar"}'
is_held
sql "INSERT INTO Leads (CrmLeadId) VALUES ('similar'), ('Similar '), ('Simila_'), ('%'), (NULL), ('')"
rows_grew 0 0
t 'a submission without a lead, or with one that is gone, adopts nothing and is no error'
post '{"crm_lead_id":"no-lead"}'
is_held
sql "INSERT INTO LeadSubmissions (LeadId, CrmLeadId) VALUES (NULL, 'no-lead'), (999999, 'no-lead')"
rows_grew 0 0

# ======== a database error

t '500 where the event cannot be inserted, and nothing is kept of it'
sql "CREATE TRIGGER refuse BEFORE INSERT ON LeadCrmActivity WHEN new.EventType = 'refuse' BEGIN SELECT RAISE(ABORT, 'not this one'); END"
post '{"crm_lead_id":"crm-1","event_type":"refuse"}'
refused 500
[[ $answer_body != *'not this one'* ]] || fail 'the reason is for the log only'
post "$event"
stored 1

t 'the database is in order at the end'
equal integrity_check "$(sql 'PRAGMA integrity_check')" ok
# Two submissions above were written without a lead on purpose.
equal foreign_key_check "$(sql 'PRAGMA foreign_key_check' | grep -cv '^LeadSubmissions|' || true)" 0
