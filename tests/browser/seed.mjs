// Rows for the tests and the screenshots: a small sales team's leads with histories of every kind. Times count back from `now`,
// which comes in as an argument. Writes SQL as a form handler would; knows nothing of the browser.

const kMinute = 60_000;
const kHour = 60 * kMinute;
const kDay = 24 * kHour;

const quote = (value) =>
  value === null || value === undefined
    ? 'NULL'
    : typeof value === 'number'
      ? String(value)
      : `'${String(value).replaceAll("'", "''")}'`;
const iso = (ms) => new Date(ms).toISOString();
const insert = (table, row) =>
  `INSERT INTO ${table} (${Object.keys(row).join(', ')}) VALUES (${Object.values(row).map(quote).join(', ')});`;

export function leadRow(id, row) {
  return insert('Leads', {Id: id, ...row});
}

// An event as the webhook would have stored it; `payload` is an object, or the exact text.
export function eventRow(table, leadId, crmLeadId, type, payload, at) {
  const text =
    typeof payload === 'string' ? payload : JSON.stringify({crm_lead_id: crmLeadId, event_type: type, ...payload});
  const status = JSON.parse(text).status;
  return insert(table, {
    ...(leadId !== null && {LeadId: leadId}),
    CrmLeadId: crmLeadId,
    EventType: type,
    PayloadJson: text,
    ReceivedAt: iso(at),
    Status: typeof status === 'string' ? status : '',
  });
}

export function submissionRow(leadId, row, payload, at) {
  return insert('LeadSubmissions', {
    LeadId: leadId,
    ...row,
    PayloadJson: JSON.stringify(payload),
    SubmittedAt: iso(at),
  });
}

export const transaction = (lines) => `BEGIN;\n${lines.join('\n')}\nCOMMIT;\n`;

const kPeople = [
  ['Marta Kowalska', 'pl', '+48 601 555 010'],
  ['James O’Connor', 'ie', '+353 85 555 0102'],
  ['Aiko Tanaka', 'jp', '+81 90 5555 0103'],
  ['Lukas Brandstätter', 'at', '+43 660 555 0104'],
  ['Priya Raman', 'in', '+91 98 5550 0105'],
  ['Сергій Мельник', 'ua', '+380 44 555 0106'],
  ['Fatima El Amrani', 'ma', '+212 6 5555 0107'],
  ['Tom Baker', 'com', '+1 202 555 0108'],
  ['Ingrid Solberg', 'no', '+47 955 50 109'],
  ['João Pereira', 'pt', '+351 91 555 0110'],
  ['Chloé Dubois', 'fr', '+33 6 55 55 01 11'],
  ['Henrik Larsen', 'dk', '+45 25 55 01 12'],
  ['Elif Yılmaz', 'tr', '+90 532 555 0113'],
  ['Noah Schmidt', 'de', '+49 151 5550 0114'],
  ['Sofía Hernández', 'es', '+34 655 550 115'],
  ['Giulia Rossi', 'it', '+39 340 555 0116'],
  ['Peter Novák', 'cz', '+420 605 550 117'],
  ['Anna Virtanen', 'fi', '+358 40 555 0118'],
  ['Wei Zhang', 'cn', '+86 138 5555 0119'],
  ['Olivia Martin', 'com', '+1 415 555 0120'],
  ['Mateusz Nowak', 'pl', '+48 602 555 021'],
  ['Hannah Weber', 'de', '+49 152 5550 0122'],
  ['Samuel Okafor', 'ng', '+234 803 555 0123'],
  ['Isabelle Laurent', 'be', '+32 470 55 01 24'],
  ['Dimitris Papadakis', 'gr', '+30 694 555 0125'],
  ['Eszter Nagy', 'hu', '+36 20 555 0126'],
  ['Mia Johansson', 'se', '+46 70 555 01 27'],
  ['Daniel Cohen', 'com', '+972 54 555 0128'],
  ['Katarzyna Wiśniewska', 'pl', '+48 603 555 029'],
  ['Omar Haddad', 'com', '+971 50 555 0130'],
];
const kProjects = ['Riverside', 'Old Mill', 'Garden Quarter', 'Harbour View'];
const kSources = ['google-ads', 'facebook', 'organic', 'newsletter', 'referral', 'portal'];
const kPaths = [
  [],
  ['contacted'],
  ['contacted', 'qualified'],
  ['contacted', 'qualified', 'meeting'],
  ['contacted', 'lost'],
  ['contacted', 'qualified', 'meeting', 'proposal', 'won'],
  ['contacted', 'qualified', 'proposal'],
  ['contacted', 'unqualified'],
];
const kLocalStatus = {won: 'won', lost: 'lost', unqualified: 'lost'};

const mailOf = (name, land) =>
  `${
    name
      .normalize('NFD')
      .replace(/\p{M}/gu, '')
      .replace(/[^A-Za-z ]/g, '')
      .trim()
      .toLowerCase()
      .replaceAll(' ', '.') || 's.melnyk'
  }@example.${land === 'com' ? 'com' : 'org'}`;

// The n-th person; after the thirty known ones their names are mixed.
function person(index) {
  const known = kPeople[index % kPeople.length];
  if (index < kPeople.length) return known;
  const first = kPeople[(index * 11 + 3) % kPeople.length][0].split(' ')[0];
  return [`${first} ${known[0].split(' ').slice(1).join(' ')}`, known[1], known[2]];
}

// People over two months and more, Marta (id 1) with the whole story, and events that wait for a lead.
export function demoData(now, people = kPeople.length) {
  const lines = [];
  const spread = kPeople.length / people;
  for (let index = 0; index < people; index++) {
    const [name, land, phone] = person(index);
    const id = index + 1;
    const crmId = index % 7 === 4 ? null : `crm-${1000 + id}`;
    const created =
      id === 1
        ? now - 9 * kDay - 3 * kHour
        : now -
          Math.round(
            ((index * spread) ** 2 * 0.058 +
              index * spread * 0.4 +
              ((index * 37) % 11) * (spread < 1 ? 0.31 : 0) +
              0.06) *
              kDay,
          );
    const path =
      crmId && id !== 1
        ? kPaths[(index * 5 + 3) % kPaths.length].filter((_, step) => created + (step + 1) * 0.9 * kDay < now)
        : [];
    lines.push(
      leadRow(id, {
        CrmLeadId: crmId,
        Name: name,
        Email: index % 9 === 7 ? null : mailOf(name, land),
        Phone: index % 5 === 3 ? null : phone,
        Project: kProjects[index % 4],
        Source: kSources[(index * 7) % 6],
        Status: id === 1 ? 'active' : (kLocalStatus[path.at(-1)] ?? (path.length ? 'contacted' : 'new')),
        CreatedAt: iso(created),
        UpdatedAt: iso(created),
      }),
    );
    lines.push(
      submissionRow(
        id,
        {
          CrmLeadId: crmId,
          Form: ['brochure', 'viewing', 'callback', 'contact'][index % 4],
          PageUrl: `https://www.example.com/${kProjects[index % 4].toLowerCase().replace(' ', '-')}`,
        },
        {name, message: 'Please send me the floor plans.', rooms: 2 + (index % 3)},
        created + 400,
      ),
    );
    path.forEach((status, step) =>
      lines.push(
        eventRow(
          'LeadCrmActivity',
          id,
          crmId,
          'status_changed',
          {status, owner: 'Nina'},
          created + Math.round((step + 0.7) * 0.9 * kDay),
        ),
      ),
    );
    for (let extra = 0; extra < (index * 3) % 5 && path.length; extra++) {
      lines.push(
        eventRow(
          'LeadCrmActivity',
          id,
          crmId,
          ['note_added', 'task_created', 'call_logged'][extra % 3],
          {note: 'Asked for the parking plan.'},
          Math.min(now - 20 * kMinute, created + Math.round((extra + 1) * 1.3 * kDay)),
        ),
      );
    }
  }
  lines.push(...storyOfMarta(now), ...heldEvents(now));
  return lines;
}

function storyOfMarta(now) {
  const crmId = 'crm-1001';
  const event = (type, payload, at) => eventRow('LeadCrmActivity', 1, crmId, type, payload, at);
  const today = new Date(now).setHours(0, 0, 0, 0);
  const lines = [
    event('lead_created', {status: 'new', owner: 'Nina'}, now - 9 * kDay - 2 * kHour),
    event(
      'status_changed',
      {status: 'contacted', owner: 'Nina', note: 'Called back within the hour; wants three rooms with a balcony.'},
      now - 8 * kDay,
    ),
    event(
      'call_logged',
      {
        duration_seconds: 412,
        note: 'Budget is clear. Sends the bank’s letter this week.',
        occurred_at: iso(now - 7 * kDay - 95 * kMinute),
      },
      now - 7 * kDay,
    ),
    event('status_changed', {status: 'qualified', owner: 'Nina'}, now - 6 * kDay),
    submissionRow(
      1,
      {CrmLeadId: crmId, Form: 'viewing', PageUrl: 'https://www.example.com/riverside/viewing?utm_source=mail'},
      {name: 'Marta Kowalska', day: 'Saturday', persons: 2, message: 'Could we come with an architect?'},
      now - 5 * kDay,
    ),
    event('meeting_scheduled', {status: 'meeting', title: 'Viewing of flat B-14 with an architect'}, now - 4 * kDay),
    event('note_added', {note: 'Loved the view; asks for the second parking space.'}, today - 8 * kHour),
    eventRow(
      'LeadCrmActivity',
      1,
      crmId,
      'status_changed',
      `{"crm_lead_id":"${crmId}","event_type":"status_changed","status":"proposal","amount":9007199254740993,"currency":"EUR","owner":{"id":17,"name":"Nina"},"tags":["balcony","parking"],"note":"Offer for B-14 sent"}`,
      today - 6 * kHour,
    ),
  ];
  for (let index = 0; index < 6; index++)
    lines.push(event('email_opened', {subject: 'Your offer for flat B-14'}, today - 5 * kHour + index * 70_000));
  return lines;
}

function heldEvents(now) {
  const held = (crmId, type, payload, at) => eventRow('UnmatchedCrmEvents', null, crmId, type, payload, at);
  return [
    held(
      'crm-2051',
      'lead_created',
      {status: 'new', contact: {name: 'Priya Raman', email: 'priya.raman@example.org'}},
      now - 3 * kHour,
    ),
    held(
      'crm-2051',
      'status_changed',
      {status: 'contacted', contact: {email: 'priya.raman@example.org'}, note: 'Left a message'},
      now - 50 * kMinute,
    ),
    held('HUB-77120', 'lead_updated', {email: 'walk-in@example.com', note: 'Met at the open day'}, now - kDay),
    held('crm-1990', 'status_changed', {status: 'lost', reason: 'Bought elsewhere'}, now - 4 * kDay),
  ];
}
