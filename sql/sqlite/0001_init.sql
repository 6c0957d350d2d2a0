-- Leadline's schema, version 1. Compiled into the program; never edited after a release, only added to (0002_…).
-- Other programs (a form handler in PHP, say) write Leads and LeadSubmissions while the service runs, perhaps with an
-- older SQLite: so no STRICT tables, no generated columns, no FTS, and what must hold whoever writes is done by triggers.
-- Times are RFC 3339, UTC, milliseconds ("2026-03-05T10:00:00.000Z"): their text order is their time order.

-- Foreign keys are deferred: checked at once, they would make SQLite keep a journal for each statement with triggers.
--
-- Ids are not used again (AUTOINCREMENT): what another program left behind of a removed lead must not become a new
-- lead's history.
CREATE TABLE Leads (
  Id        INTEGER PRIMARY KEY AUTOINCREMENT,
  CrmLeadId TEXT,
  Name      TEXT,
  Email     TEXT,
  Phone     TEXT,
  Project   TEXT,
  Source    TEXT,
  Status    TEXT DEFAULT 'new',
  CreatedAt TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  UpdatedAt TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  CrmStatus TEXT NOT NULL DEFAULT ''  -- Kept by triggers for CrmStatusTotals: the newest event's status, '' for none.
);

CREATE TABLE LeadSubmissions (
  Id          INTEGER PRIMARY KEY AUTOINCREMENT,
  LeadId      INTEGER REFERENCES Leads (Id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
  CrmLeadId   TEXT,
  Form        TEXT,
  PageUrl     TEXT,
  PayloadJson TEXT,
  SubmittedAt TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- Status: the payload's top-level "status" where that is a non-empty string, '' where it is not; NULL where nobody has
-- looked, since another program wrote the payload or the status is too long for an index.
-- Counted: 1 where the service has kept the totals and the lead's CrmStatus itself, once for many events; what anybody else
-- writes is seen to by a trigger.
CREATE TABLE LeadCrmActivity (
  Id          INTEGER PRIMARY KEY,
  LeadId      INTEGER NOT NULL REFERENCES Leads (Id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  CrmLeadId   TEXT NOT NULL,
  EventType   TEXT NOT NULL DEFAULT 'updated',
  PayloadJson TEXT NOT NULL,
  ReceivedAt  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  Status      TEXT,
  Counted     INTEGER
);

-- Events that came before their lead. Bounded by age and number. One that is given a LeadId moves to that lead's activity.
CREATE TABLE UnmatchedCrmEvents (
  Id          INTEGER PRIMARY KEY AUTOINCREMENT,
  CrmLeadId   TEXT NOT NULL,
  EventType   TEXT NOT NULL DEFAULT 'updated',
  PayloadJson TEXT NOT NULL,
  ReceivedAt  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  Status      TEXT,
  LeadId      INTEGER
);

-- The keys under which events were sent (Idempotency-Key, webhook-id), so that a repeated one adds nothing.
-- LeadId: what the first was answered with; NULL where it matched no lead.
CREATE TABLE WebhookKeys (
  Id         INTEGER PRIMARY KEY,
  Key        TEXT NOT NULL UNIQUE,
  LeadId     INTEGER,
  ReceivedAt TEXT NOT NULL
);

-- What the summary shows, counted as rows come and go, so that it need not count millions.
CREATE TABLE DailyTotals (
  Day    TEXT PRIMARY KEY,  -- UTC
  Leads  INTEGER NOT NULL DEFAULT 0,
  Events INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE CrmStatusTotals (
  CrmStatus TEXT PRIMARY KEY,
  Leads     INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- One row, written to see whether the database can be.
CREATE TABLE Probe (
  Id       INTEGER PRIMARY KEY,
  ProbedAt TEXT NOT NULL
);

-- The webhook's two lookups (an index ends with the row's Id by itself).
CREATE INDEX LeadsByCrmLeadId ON Leads (CrmLeadId);
CREATE INDEX LeadSubmissionsByCrmLeadId ON LeadSubmissions (CrmLeadId, SubmittedAt);
-- A lead's page. The activity's index answers by itself how many, the newest, and the newest with a status.
CREATE INDEX LeadSubmissionsByLead ON LeadSubmissions (LeadId, SubmittedAt);
CREATE INDEX LeadCrmActivityByLead ON LeadCrmActivity (LeadId, ReceivedAt, Id, Status);
-- The list of leads: an index for each filter, in the page's order. They hold what else may be asked for, so that rows
-- that another filter or a search leaves out are passed over within the index.
CREATE INDEX LeadsByTime ON Leads (CreatedAt, Id, Name, Email, Phone, CrmLeadId);
CREATE INDEX LeadsByProject ON Leads (Project, CreatedAt, Id, Source, Status);
CREATE INDEX LeadsBySource ON Leads (Source, CreatedAt, Id, Status);
CREATE INDEX LeadsByStatus ON Leads (Status, CreatedAt);
-- Whether a person is known already.
CREATE INDEX LeadsByEmail ON Leads (
  lower(trim(Email, char(9, 10, 11, 12, 13, 32))), COALESCE(trim(Project, char(9, 10, 11, 12, 13, 32)), '')
) WHERE Email IS NOT NULL;
CREATE INDEX LeadsByPhone ON Leads (
  trim(Phone, char(9, 10, 11, 12, 13, 32)), COALESCE(trim(Project, char(9, 10, 11, 12, 13, 32)), '')
) WHERE Phone IS NOT NULL;
-- Held events: adoption, the list and pruning.
CREATE INDEX UnmatchedCrmEventsByCrmLeadId ON UnmatchedCrmEvents (CrmLeadId, ReceivedAt);
CREATE INDEX UnmatchedCrmEventsByTime ON UnmatchedCrmEvents (ReceivedAt);

-- Times in other forms (https://sqlite.org/lang_datefunc.html: "2026-03-05 10:00:00", with an offset, a bare date), and
-- Unix seconds, become canonical when they are written; a missing one becomes now. What is no time is left
-- as it is, as a text.
CREATE TRIGGER LeadsCreatedAtOnInsert AFTER INSERT ON Leads
WHEN NEW.CreatedAt IS NULL OR NEW.CreatedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z'
BEGIN
  UPDATE Leads SET CreatedAt = COALESCE(
    CASE WHEN NEW.CreatedAt NOT GLOB '*[^0-9]*' AND length(NEW.CreatedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.CreatedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.CreatedAt, ''), 'now')) END,
    CAST(NEW.CreatedAt AS TEXT))
  WHERE Id = NEW.Id;
END;
CREATE TRIGGER LeadsCreatedAtOnUpdate AFTER UPDATE OF CreatedAt ON Leads
WHEN NEW.CreatedAt IS NOT OLD.CreatedAt AND (NEW.CreatedAt IS NULL OR NEW.CreatedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z')
BEGIN
  UPDATE Leads SET CreatedAt = COALESCE(
    CASE WHEN NEW.CreatedAt NOT GLOB '*[^0-9]*' AND length(NEW.CreatedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.CreatedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.CreatedAt, ''), 'now')) END,
    CAST(NEW.CreatedAt AS TEXT))
  WHERE Id = NEW.Id;
END;
CREATE TRIGGER LeadsUpdatedAtOnInsert AFTER INSERT ON Leads
WHEN NEW.UpdatedAt IS NULL OR NEW.UpdatedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z'
BEGIN
  UPDATE Leads SET UpdatedAt = COALESCE(
    CASE WHEN NEW.UpdatedAt NOT GLOB '*[^0-9]*' AND length(NEW.UpdatedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.UpdatedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.UpdatedAt, ''), 'now')) END,
    CAST(NEW.UpdatedAt AS TEXT))
  WHERE Id = NEW.Id;
END;
CREATE TRIGGER LeadsUpdatedAtOnUpdate AFTER UPDATE OF UpdatedAt ON Leads
WHEN NEW.UpdatedAt IS NOT OLD.UpdatedAt AND (NEW.UpdatedAt IS NULL OR NEW.UpdatedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z')
BEGIN
  UPDATE Leads SET UpdatedAt = COALESCE(
    CASE WHEN NEW.UpdatedAt NOT GLOB '*[^0-9]*' AND length(NEW.UpdatedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.UpdatedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.UpdatedAt, ''), 'now')) END,
    CAST(NEW.UpdatedAt AS TEXT))
  WHERE Id = NEW.Id;
END;
CREATE TRIGGER LeadSubmissionsSubmittedAtOnInsert AFTER INSERT ON LeadSubmissions
WHEN NEW.SubmittedAt IS NULL OR NEW.SubmittedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z'
BEGIN
  UPDATE LeadSubmissions SET SubmittedAt = COALESCE(
    CASE WHEN NEW.SubmittedAt NOT GLOB '*[^0-9]*' AND length(NEW.SubmittedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.SubmittedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.SubmittedAt, ''), 'now')) END,
    CAST(NEW.SubmittedAt AS TEXT))
  WHERE Id = NEW.Id;
END;
CREATE TRIGGER LeadSubmissionsSubmittedAtOnUpdate AFTER UPDATE OF SubmittedAt ON LeadSubmissions
WHEN NEW.SubmittedAt IS NOT OLD.SubmittedAt AND (NEW.SubmittedAt IS NULL OR NEW.SubmittedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z')
BEGIN
  UPDATE LeadSubmissions SET SubmittedAt = COALESCE(
    CASE WHEN NEW.SubmittedAt NOT GLOB '*[^0-9]*' AND length(NEW.SubmittedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.SubmittedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.SubmittedAt, ''), 'now')) END,
    CAST(NEW.SubmittedAt AS TEXT))
  WHERE Id = NEW.Id;
END;
CREATE TRIGGER LeadCrmActivityReceivedAtOnUpdate AFTER UPDATE OF ReceivedAt ON LeadCrmActivity
WHEN NEW.ReceivedAt IS NOT OLD.ReceivedAt AND (NEW.ReceivedAt IS NULL OR NEW.ReceivedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z')
BEGIN
  UPDATE LeadCrmActivity SET ReceivedAt = COALESCE(
    CASE WHEN NEW.ReceivedAt NOT GLOB '*[^0-9]*' AND length(NEW.ReceivedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.ReceivedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.ReceivedAt, ''), 'now')) END,
    CAST(NEW.ReceivedAt AS TEXT))
  WHERE Id = NEW.Id;
END;
CREATE TRIGGER UnmatchedCrmEventsReceivedAtOnInsert AFTER INSERT ON UnmatchedCrmEvents
WHEN NEW.ReceivedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z'
BEGIN
  UPDATE UnmatchedCrmEvents SET ReceivedAt = COALESCE(
    CASE WHEN NEW.ReceivedAt NOT GLOB '*[^0-9]*' AND length(NEW.ReceivedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.ReceivedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.ReceivedAt, ''), 'now')) END,
    CAST(NEW.ReceivedAt AS TEXT))
  WHERE Id = NEW.Id;
END;
CREATE TRIGGER UnmatchedCrmEventsReceivedAtOnUpdate AFTER UPDATE OF ReceivedAt ON UnmatchedCrmEvents
WHEN NEW.ReceivedAt IS NOT OLD.ReceivedAt AND (NEW.ReceivedAt IS NULL OR NEW.ReceivedAt NOT GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z')
BEGIN
  UPDATE UnmatchedCrmEvents SET ReceivedAt = COALESCE(
    CASE WHEN NEW.ReceivedAt NOT GLOB '*[^0-9]*' AND length(NEW.ReceivedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.ReceivedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.ReceivedAt, ''), 'now')) END,
    CAST(NEW.ReceivedAt AS TEXT))
  WHERE Id = NEW.Id;
END;

-- Held events move to a lead's activity, with the time they were received, as soon as their CrmLeadId leads to one,
-- by the webhook's own rule: a lead with it (the newest), else the latest submission with it, where that names a lead.
-- A submission whose time is about to be made canonical waits for that: only then is it known which is the latest.
CREATE TRIGGER LeadsAdoptOnInsert AFTER INSERT ON Leads
WHEN NEW.CrmLeadId <> '' AND EXISTS (SELECT 1 FROM UnmatchedCrmEvents WHERE CrmLeadId = NEW.CrmLeadId)
BEGIN
  UPDATE UnmatchedCrmEvents SET LeadId =
    (SELECT Id FROM Leads WHERE CrmLeadId = NEW.CrmLeadId ORDER BY Id DESC LIMIT 1)
  WHERE CrmLeadId = NEW.CrmLeadId;
END;
CREATE TRIGGER LeadsAdoptOnUpdate AFTER UPDATE OF CrmLeadId ON Leads
WHEN NEW.CrmLeadId <> '' AND EXISTS (SELECT 1 FROM UnmatchedCrmEvents WHERE CrmLeadId = NEW.CrmLeadId)
BEGIN
  UPDATE UnmatchedCrmEvents SET LeadId =
    (SELECT Id FROM Leads WHERE CrmLeadId = NEW.CrmLeadId ORDER BY Id DESC LIMIT 1)
  WHERE CrmLeadId = NEW.CrmLeadId;
END;
CREATE TRIGGER LeadSubmissionsAdoptOnInsert AFTER INSERT ON LeadSubmissions
WHEN NEW.CrmLeadId <> '' AND EXISTS (SELECT 1 FROM UnmatchedCrmEvents WHERE CrmLeadId = NEW.CrmLeadId)
  AND (NEW.SubmittedAt GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z'
  OR strftime('%s', NEW.SubmittedAt) IS NULL)
BEGIN
  UPDATE UnmatchedCrmEvents SET LeadId = COALESCE(
    (SELECT Id FROM Leads WHERE CrmLeadId = NEW.CrmLeadId ORDER BY Id DESC LIMIT 1),
    (SELECT Leads.Id FROM (SELECT LeadId FROM LeadSubmissions WHERE CrmLeadId = NEW.CrmLeadId
       ORDER BY SubmittedAt DESC, Id DESC LIMIT 1) AS Latest JOIN Leads ON Leads.Id = Latest.LeadId))
  WHERE CrmLeadId = NEW.CrmLeadId;
END;
CREATE TRIGGER LeadSubmissionsAdoptOnUpdate AFTER UPDATE OF CrmLeadId, LeadId, SubmittedAt ON LeadSubmissions
WHEN NEW.CrmLeadId <> '' AND EXISTS (SELECT 1 FROM UnmatchedCrmEvents WHERE CrmLeadId = NEW.CrmLeadId)
  AND (NEW.SubmittedAt GLOB
  '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z'
  OR strftime('%s', NEW.SubmittedAt) IS NULL)
BEGIN
  UPDATE UnmatchedCrmEvents SET LeadId = COALESCE(
    (SELECT Id FROM Leads WHERE CrmLeadId = NEW.CrmLeadId ORDER BY Id DESC LIMIT 1),
    (SELECT Leads.Id FROM (SELECT LeadId FROM LeadSubmissions WHERE CrmLeadId = NEW.CrmLeadId
       ORDER BY SubmittedAt DESC, Id DESC LIMIT 1) AS Latest JOIN Leads ON Leads.Id = Latest.LeadId))
  WHERE CrmLeadId = NEW.CrmLeadId;
END;

-- The move of one event.
CREATE TRIGGER UnmatchedCrmEventsMove AFTER UPDATE OF LeadId ON UnmatchedCrmEvents
WHEN NEW.LeadId IS NOT NULL
BEGIN
  INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, EventType, PayloadJson, ReceivedAt, Status)
  VALUES (NEW.LeadId, NEW.CrmLeadId, NEW.EventType, NEW.PayloadJson, NEW.ReceivedAt, NEW.Status);
  DELETE FROM UnmatchedCrmEvents WHERE Id = NEW.Id;
END;

-- A payload that another program changes must be looked at again.
CREATE TRIGGER LeadCrmActivityPayloadOnUpdate AFTER UPDATE OF PayloadJson ON LeadCrmActivity
BEGIN
  UPDATE LeadCrmActivity SET Status = NULL WHERE Id = NEW.Id;
END;

CREATE TRIGGER UnmatchedCrmEventsPayloadOnUpdate AFTER UPDATE OF PayloadJson ON UnmatchedCrmEvents
BEGIN
  UPDATE UnmatchedCrmEvents SET Status = NULL WHERE Id = NEW.Id;
END;

-- The totals. A row that is made before its time is canonical is counted under both days, and one is taken off again.
CREATE TRIGGER LeadsTotalsOnInsert AFTER INSERT ON Leads
BEGIN
  INSERT INTO DailyTotals (Day, Leads) VALUES (COALESCE(substr(NEW.CreatedAt, 1, 10), ''), 1)
  ON CONFLICT (Day) DO UPDATE SET Leads = Leads + 1;
  INSERT INTO CrmStatusTotals (CrmStatus, Leads) VALUES (NEW.CrmStatus, 1)
  ON CONFLICT (CrmStatus) DO UPDATE SET Leads = Leads + 1;
END;

CREATE TRIGGER LeadsTotalsOnDelete AFTER DELETE ON Leads
BEGIN
  INSERT INTO DailyTotals (Day, Leads) VALUES (COALESCE(substr(OLD.CreatedAt, 1, 10), ''), -1)
  ON CONFLICT (Day) DO UPDATE SET Leads = Leads - 1;
  INSERT INTO CrmStatusTotals (CrmStatus, Leads) VALUES (OLD.CrmStatus, -1)
  ON CONFLICT (CrmStatus) DO UPDATE SET Leads = Leads - 1;
END;

CREATE TRIGGER LeadsTotalsOnUpdate AFTER UPDATE OF CreatedAt ON Leads
WHEN substr(NEW.CreatedAt, 1, 10) IS NOT substr(OLD.CreatedAt, 1, 10)
BEGIN
  INSERT INTO DailyTotals (Day, Leads) VALUES (COALESCE(substr(NEW.CreatedAt, 1, 10), ''), 1)
  ON CONFLICT (Day) DO UPDATE SET Leads = Leads + 1;
  INSERT INTO DailyTotals (Day, Leads) VALUES (COALESCE(substr(OLD.CreatedAt, 1, 10), ''), -1)
  ON CONFLICT (Day) DO UPDATE SET Leads = Leads - 1;
END;

-- One trigger for all that has to be done for an event that is not Counted, since each one costs all events something:
-- it is counted; its time is made canonical, which moves the count to that day; and the lead's CrmStatus follows the newest
-- event that has one, whatever order they come in (of two received at the same instant this one is the newer).
CREATE TRIGGER LeadCrmActivityOnInsert AFTER INSERT ON LeadCrmActivity
WHEN NEW.Counted IS NULL
BEGIN
  INSERT INTO DailyTotals (Day, Events) VALUES (substr(NEW.ReceivedAt, 1, 10), 1)
  ON CONFLICT (Day) DO UPDATE SET Events = Events + 1;
  UPDATE Leads SET CrmStatus = NEW.Status
  WHERE Id = NEW.LeadId AND NEW.Status <> '' AND CrmStatus <> NEW.Status AND NOT EXISTS (
    SELECT 1 FROM LeadCrmActivity WHERE LeadId = NEW.LeadId AND Status <> '' AND ReceivedAt > NEW.ReceivedAt);
  UPDATE LeadCrmActivity SET ReceivedAt = COALESCE(
    CASE WHEN NEW.ReceivedAt NOT GLOB '*[^0-9]*' AND length(NEW.ReceivedAt) BETWEEN 9 AND 11
         THEN strftime('%Y-%m-%dT%H:%M:%fZ', NEW.ReceivedAt, 'unixepoch')
         ELSE strftime('%Y-%m-%dT%H:%M:%fZ', COALESCE(NULLIF(NEW.ReceivedAt, ''), 'now')) END,
    CAST(NEW.ReceivedAt AS TEXT))
  WHERE Id = NEW.Id AND NEW.ReceivedAt NOT GLOB
    '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z';
END;

CREATE TRIGGER LeadCrmActivityTotalsOnDelete AFTER DELETE ON LeadCrmActivity
BEGIN
  INSERT INTO DailyTotals (Day, Events) VALUES (COALESCE(substr(OLD.ReceivedAt, 1, 10), ''), -1)
  ON CONFLICT (Day) DO UPDATE SET Events = Events - 1;
END;

CREATE TRIGGER LeadCrmActivityTotalsOnUpdate AFTER UPDATE OF ReceivedAt ON LeadCrmActivity
WHEN substr(NEW.ReceivedAt, 1, 10) IS NOT substr(OLD.ReceivedAt, 1, 10)
BEGIN
  INSERT INTO DailyTotals (Day, Events) VALUES (COALESCE(substr(NEW.ReceivedAt, 1, 10), ''), 1)
  ON CONFLICT (Day) DO UPDATE SET Events = Events + 1;
  INSERT INTO DailyTotals (Day, Events) VALUES (COALESCE(substr(OLD.ReceivedAt, 1, 10), ''), -1)
  ON CONFLICT (Day) DO UPDATE SET Events = Events - 1;
END;

CREATE TRIGGER LeadsStatusTotalsOnUpdate AFTER UPDATE OF CrmStatus ON Leads
WHEN NEW.CrmStatus <> OLD.CrmStatus
BEGIN
  INSERT INTO CrmStatusTotals (CrmStatus, Leads) VALUES (NEW.CrmStatus, 1)
  ON CONFLICT (CrmStatus) DO UPDATE SET Leads = Leads + 1;
  INSERT INTO CrmStatusTotals (CrmStatus, Leads) VALUES (OLD.CrmStatus, -1)
  ON CONFLICT (CrmStatus) DO UPDATE SET Leads = Leads - 1;
END;
