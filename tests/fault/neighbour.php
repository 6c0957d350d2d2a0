<?php
// A form handler, as a site's own PHP would write it: leads and submissions straight into the database, all the time.
//   php neighbour.php DATABASE SECONDS TAG
// Prints how many of each it has written; a word on standard error is a failure.
[, $path, $seconds, $tag] = $argv;
$db = new PDO("sqlite:" . $path, null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 60]);
$lead = $db->prepare("INSERT INTO Leads (CrmLeadId, Name, Email, Project, Source, CreatedAt) VALUES (?, ?, ?, 'php', 'form', datetime('now'))");
$link = $db->prepare("UPDATE Leads SET CrmLeadId = ? WHERE Id = ?");
$submission = $db->prepare("INSERT INTO LeadSubmissions (LeadId, CrmLeadId, Form, PayloadJson) VALUES (?, ?, 'contact', ?)");
$written = ["leads" => 0, "submissions" => 0];
for ($n = 0, $end = microtime(true) + $seconds; microtime(true) < $end; $n++) {
    // Some bring their CRM id at once, some get it later; some forms are a transaction, some are not.
    $is_transaction = $n % 3 == 0;
    if ($is_transaction) $db->beginTransaction();
    $lead->execute([$n % 2 ? "$tag-$n" : null, "Zoë $n", "$tag-$n@example.com"]);
    $id = $db->lastInsertId();
    $submission->execute([$id, null, json_encode(["n" => $n])]);
    if ($is_transaction) $db->commit();
    if ($n % 2 == 0) $link->execute(["$tag-$n", $id]);
    $written["leads"]++;
    $written["submissions"]++;
    usleep(2000);
}
echo json_encode($written), "\n";
