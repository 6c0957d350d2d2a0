-- Demo leads for `make run`: a fortnight in the sales of a house builder, told backwards from now.
-- Written the way a form handler writes: into the tables, while the service runs. Only ever put into an empty database.
BEGIN IMMEDIATE;

INSERT INTO Leads (Id, CrmLeadId, Name, Email, Phone, Project, Source, Status, CreatedAt, UpdatedAt) VALUES
  (1, 'crm-1001', 'Marta Kowalska', 'marta.kowalska@example.com', '+48 601 555 010', 'Riverside', 'google-ads', 'qualified',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-9 days'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')),
  (2, 'crm-1002', 'James O''Connor', 'j.oconnor@example.org', '+353 85 555 0102', 'Riverside', 'facebook', 'contacted',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 days'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-5 days')),
  (3, 'crm-1003', 'Aiko Tanaka', 'aiko@example.net', NULL, 'Old Mill', 'organic', 'won',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-14 days'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 days')),
  (4, 'crm-1004', 'Lukas Brandstätter', 'lukas.b@example.com', '+43 660 555 0104', 'Old Mill', 'google-ads', 'lost',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-11 days'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-4 days')),
  -- The form handler made this one; the CRM knows her only through the second form that she sent (see below).
  (5, NULL, 'Priya Raman', 'priya.raman@example.com', '+44 7700 900105', 'Garden Quarter', 'newsletter', 'new',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-3 days'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-3 days')),
  (6, 'crm-1006', 'Сергій Мельник', 's.melnyk@example.com', '+380 44 555 0106', 'Garden Quarter', 'referral', 'contacted',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 days'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-20 hours')),
  (7, 'crm-1007', 'Fatima El Amrani', 'fatima@example.org', NULL, 'Riverside', 'organic', 'new',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 hours'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 hours')),
  -- Just came in; the CRM has not answered yet.
  (8, NULL, 'Tom Baker', NULL, '+1 202 555 0108', 'Old Mill', 'facebook', 'new',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-25 minutes'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-25 minutes'));

INSERT INTO LeadSubmissions (LeadId, CrmLeadId, Form, PageUrl, PayloadJson, SubmittedAt) VALUES
  (1, 'crm-1001', 'brochure', 'https://www.example.com/riverside?utm_source=google',
   '{"name":"Marta Kowalska","email":"marta.kowalska@example.com","rooms":3}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-9 days')),
  (1, 'crm-1001', 'viewing', 'https://www.example.com/riverside/viewing',
   '{"name":"Marta Kowalska","day":"Saturday","persons":2}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-5 days')),
  (2, 'crm-1002', 'callback', 'https://www.example.com/riverside',
   '{"name":"James O''Connor","phone":"+353 85 555 0102","best_time":"after 17:00"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 days')),
  (3, 'crm-1003', 'brochure', 'https://www.example.com/old-mill',
   '{"name":"Aiko Tanaka","email":"aiko@example.net"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-14 days')),
  (4, 'crm-1004', 'contact', 'https://www.example.com/contact',
   '{"name":"Lukas Brandstätter","message":"Is there a garage?"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-11 days')),
  (5, NULL, 'newsletter', 'https://www.example.com/',
   '{"email":"priya.raman@example.com"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-3 days')),
  (5, 'crm-1005', 'contact', 'https://www.example.com/garden-quarter',
   '{"name":"Priya Raman","message":"Which flats face south?"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 hours')),
  (6, 'crm-1006', 'callback', 'https://www.example.com/garden-quarter',
   '{"name":"Сергій Мельник","phone":"+380 44 555 0106"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 days')),
  (7, 'crm-1007', 'brochure', 'https://www.example.com/riverside',
   '{"name":"Fatima El Amrani","email":"fatima@example.org"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 hours')),
  (8, NULL, 'contact', 'https://www.example.com/old-mill',
   '{"name":"Tom Baker","message":"Please call me"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-25 minutes'));

-- Status is what the service would have read in the payload.
WITH Demo (LeadId, CrmLeadId, EventType, PayloadJson, ReceivedAt) AS (VALUES
  (1, 'crm-1001', 'created', '{"crm_lead_id":"crm-1001","event_type":"created","status":"new","owner":"Eva"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-9 days', '+2 minutes')),
  (1, 'crm-1001', 'status_changed',
   '{"crm_lead_id":"crm-1001","event_type":"status_changed","status":"contacted","old_status":"new"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-8 days')),
  (1, 'crm-1001', 'note_added',
   '{"crm_lead_id":"crm-1001","event_type":"note_added","note":"Wants the top floor, budget confirmed"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-4 days')),
  (1, 'crm-1001', 'status_changed',
   '{"crm_lead_id":"crm-1001","event_type":"status_changed","status":"qualified","old_status":"contacted"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')),
  (2, 'crm-1002', 'created', '{"crm_lead_id":"crm-1002","event_type":"created","status":"new"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-6 days', '+1 minute')),
  (2, 'crm-1002', 'status_changed', '{"crm_lead_id":"crm-1002","event_type":"status_changed","status":"contacted"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-5 days')),
  (3, 'crm-1003', 'created', '{"crm_lead_id":"crm-1003","event_type":"created","status":"new"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-14 days', '+3 minutes')),
  (3, 'crm-1003', 'status_changed', '{"crm_lead_id":"crm-1003","event_type":"status_changed","status":"qualified"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-10 days')),
  (3, 'crm-1003', 'deal_won',
   '{"crm_lead_id":"crm-1003","event_type":"deal_won","status":"won","deal":{"id":9007199254740993,"amount":412500.00}}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 days')),
  (4, 'crm-1004', 'created', '{"crm_lead_id":"crm-1004","event_type":"created","status":"new"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-11 days', '+1 minute')),
  (4, 'crm-1004', 'status_changed',
   '{"crm_lead_id":"crm-1004","event_type":"status_changed","status":"lost","reason":"No garage left"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-4 days')),
  (5, 'crm-1005', 'created', '{"crm_lead_id":"crm-1005","event_type":"created","status":"new"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 hours', '+1 minute')),
  (6, 'crm-1006', 'created', '{"crm_lead_id":"crm-1006","event_type":"created","status":"new"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 days', '+2 minutes')),
  (6, 'crm-1006', 'call_logged', '{"crm_lead_id":"crm-1006","event_type":"call_logged","minutes":12}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-21 hours')),
  (6, 'crm-1006', 'status_changed', '{"crm_lead_id":"crm-1006","event_type":"status_changed","status":"contacted"}',
   strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-20 hours')))
INSERT INTO LeadCrmActivity (LeadId, CrmLeadId, EventType, PayloadJson, ReceivedAt, Status)
SELECT LeadId, CrmLeadId, EventType, PayloadJson, ReceivedAt, COALESCE(json_extract(PayloadJson, '$.status'), '') FROM Demo
ORDER BY ReceivedAt;

COMMIT;
