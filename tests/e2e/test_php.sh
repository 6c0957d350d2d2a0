#!/usr/bin/env bash
# The form handler next door is PHP: what it writes through PDO, with the settings that PDO comes with, while the service
# runs. Held events are adopted, times become canonical, and neither gets in the other's way.
mode=serve
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! php -r 'exit(in_array("sqlite", PDO::getAvailableDrivers()) ? 0 : 1);' 2>/dev/null; then
  t 'held events are adopted when PHP writes'
  skip 'php with pdo_sqlite is not installed'
  finish
  exit
fi

with "CRM_WEBHOOK_SECRET=$secret"
know_rows

# php_runs PHP: it has $db, as PDO gives it.
# shellcheck disable=SC2016
php_runs() {
  php -d display_errors=stderr -r '$db = new PDO("sqlite:" . $argv[1], null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]); '"$1" \
    "$db" 2>"$dir/php" || fail "php: $(<"$dir/php")"
}

held_event() { # ID
  post '{"crm_lead_id":"'"$1"'","event_type":"e"}'
  is_held e
  received=$(sql "SELECT ReceivedAt FROM UnmatchedCrmEvents WHERE CrmLeadId = '$1'")
}

adopted() { # ID LEAD
  equal 'the event' "$(sql "SELECT LeadId, EventType, ReceivedAt FROM LeadCrmActivity WHERE CrmLeadId = '$1'")" "$2|e|$received"
  equal 'the held events' "$(sql "SELECT count(*) FROM UnmatchedCrmEvents WHERE CrmLeadId = '$1'")" 0
  know_rows
}

# What PHP is given is PHP's, not the shell's.
# shellcheck disable=SC2016
{
  t 'PHP inserts a lead: the held event is adopted'
  held_event php-1
  php_runs '$db->prepare("INSERT INTO Leads (Id, CrmLeadId, Name, CreatedAt) VALUES (?, ?, ?, ?)")->execute([1, "php-1", "Zoë", "2026-03-05 10:00:00"]);'
  adopted php-1 1
  equal CreatedAt "$(sql 'SELECT CreatedAt FROM Leads WHERE Id = 1')" 2026-03-05T10:00:00.000Z
  post '{"crm_lead_id":"php-1"}'
  stored 1

  t 'PHP updates a lead: the held event is adopted'
  held_event php-2
  php_runs '$db->exec("INSERT INTO Leads (Id) VALUES (2)"); $db->prepare("UPDATE Leads SET CrmLeadId = :c WHERE Id = :i")->execute(["c" => "php-2", "i" => 2]);'
  adopted php-2 2

  t 'PHP inserts a submission in a transaction: the held event is adopted at its commit'
  held_event php-3
  php_runs '$db->beginTransaction(); $db->exec("INSERT INTO Leads (Id) VALUES (3)");
    $db->prepare("INSERT INTO LeadSubmissions (LeadId, CrmLeadId, SubmittedAt) VALUES (?, ?, ?)")->execute([3, "php-3", "2026-03-05T12:00:00+02:00"]); $db->commit();'
  adopted php-3 3
  equal SubmittedAt "$(sql 'SELECT SubmittedAt FROM LeadSubmissions WHERE LeadId = 3')" 2026-03-05T10:00:00.000Z

  t 'PHP rolls back: the event is held as before'
  held_event php-4
  php_runs '$db->beginTransaction(); $db->exec("INSERT INTO Leads (CrmLeadId) VALUES (\"php-4\")"); $db->rollBack();'
  equal 'the held event' "$(sql "SELECT ReceivedAt FROM UnmatchedCrmEvents WHERE CrmLeadId = 'php-4'")" "$received"

  t 'PHP binds an id as a number: it is a text all the same'
  php_runs '$s = $db->prepare("INSERT INTO Leads (Id, CrmLeadId) VALUES (5, ?)"); $s->bindValue(1, 4711, PDO::PARAM_INT); $s->execute();'
  post '{"crm_lead_id":"4711"}'
  stored 5

  t 'PHP and the service write at the same time'
  start php "$dir/php.log" php -d display_errors=stderr -r '$db = new PDO("sqlite:" . $argv[1], null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
    for ($n = 0; $n < 200; $n++) $db->prepare("INSERT INTO Leads (CrmLeadId, Name) VALUES (?, ?)")->execute(["together-$n", "n"]);' "$db"
  for _ in {1..30}; do
    post '{"crm_lead_id":"php-1"}'
    stored 1
  done
  wait "${pids[php]}" || fail "php: $(<"$dir/php.log")"
  unset 'pids[php]'
  equal 'the leads of PHP' "$(sql "SELECT count(*) FROM Leads WHERE CrmLeadId GLOB 'together-*'")" 200
}
finish
