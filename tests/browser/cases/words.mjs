// The pure parts, with a clock that stands still: times in words, the story's order and folding, the exact source of payloads.

import {expectEqual, test} from '../check.mjs';

const inPage = {signedIn: false};

test('words: times are relative within two months, and "yesterday" is the calendar’s', inPage, async ({page}) => {
  const words = await page.evaluate(async () => {
    const {formatDay, formatMoment} = await import('/dashboard/js/format.js');
    const now = Date.parse('2026-11-24T00:03:00+01:00');
    const times = [
      '2026-11-24T00:02:50',
      '2026-11-23T23:50:00',
      '2026-11-22T23:59:00',
      '2026-09-26T00:30:00',
      '2024-08-21T00:30:00',
    ];
    return times.map((time) => [
      formatMoment(Date.parse(`${time}Z`) - 3600_000, now),
      formatDay(Date.parse(`${time}Z`) - 3600_000, now).name,
    ]);
  });
  expectEqual(
    words.map(([moment]) => moment.split(' · ')[1]),
    ['00:02', '23:50', '22 Nov', '26 Sept', '21 Aug 2024'],
    'the second half',
  );
  expectEqual(
    words.map(([, day]) => day),
    ['Today', 'Yesterday', '', '', ''],
    'the day',
  );
});

test('words: event types become words, and times without an offset are UTC', inPage, async ({page}) => {
  const got = await page.evaluate(async () => {
    const {formatType, parseTime} = await import('/dashboard/js/format.js');
    return [
      ['status_changed', 'lead.statusChanged', 'SMS_sent', 'a/b-c', '***'].map(formatType),
      ['2026-03-05T10:00:00.000Z', '2026-03-05 10:00:00', '2026-03-05T12:00+0200', '2026-03-05', 'soon', null].map(
        parseTime,
      ),
    ];
  });
  expectEqual(got[0], ['Status changed', 'Lead status changed', 'SMS sent', 'A b c', '***'], 'types');
  const ten = Date.UTC(2026, 2, 5, 10);
  expectEqual(got[1], [ten, ten, ten, Date.UTC(2026, 2, 5), null, null], 'times');
});

test(
  'words: a story is in order, knows the old status, folds bursts and waits for what is not loaded',
  inPage,
  async ({page}) => {
    const got = await page.evaluate(async () => {
      const {tellStory} = await import('/dashboard/js/story.js');
      const at = (minute) => new Date(Date.UTC(2026, 2, 5, 10, minute)).toISOString();
      const event = (id, minute, type, payload) => ({
        id,
        crm_lead_id: 'c',
        event_type: type,
        payload,
        received_at: at(minute),
      });
      const story = (more) =>
        tellStory({
          lead: {created_at: at(0)},
          submissions: [
            {id: 1, submitted_at: at(0)},
            {id: 2, submitted_at: at(20)},
          ],
          events: [
            event(9, 40, 'status_changed', {status: 'won', previous_status: 'offer'}),
            event(8, 33, 'ping', {}),
            event(7, 32, 'ping', {}),
            event(6, 31, 'ping', 'no object'),
            event(5, 30, 'status_changed', {status: 'open'}),
            event(4, 15, 'status_changed', {status: ''}),
            event(3, 10, 'status_changed', {status: 'new'}),
            event(2, 9, 'ping', {}),
            event(1, 8, 'ping', null),
          ],
          kind: '',
          ...more,
        }).map((entry) => `${entry.key} ${entry.from ?? ''}>${entry.to ?? ''} ${entry.items?.length ?? ''}`);
      return [
        story({}),
        story({moreOlder: true}).at(-1),
        story({kind: 'form', moreOlder: true}),
        story({kind: 'lead'}),
      ];
    });
    expectEqual(
      got[0],
      [
        'e9 offer>won 1',
        'e8 > 3',
        'e5 new>open 1',
        's2 > ',
        'e4 > 1',
        'e3 >new 1',
        'e2 > 1',
        'e1 > 1',
        's1 > ',
        'lead > ',
      ],
      'the story',
    );
    expectEqual(
      got.slice(1),
      ['e1 > 1', ['s2 > ', 's1 > '], ['lead > ']],
      'not before its events; only forms; only the lead',
    );
  },
);

test('words: the source of a payload is cut out as it was, whatever is in it', inPage, async ({page}) => {
  const sources = [
    '{"a":9007199254740993}',
    ' { "a" : 1 , "a" : "\\"]},{\\\\" } ',
    '[]',
    '"no \\u0000 JSON"',
    'null',
    '{"payload":{"payload":[1]}}',
    '-0.0e-7',
  ];
  const text = `{ "lead":{"payload":1}, "list" : [${sources.map((source, index) => `{"id":${index},"payload":${source},"x":"}"}`).join(' , ')}], "none":[] }`;
  const got = await page.evaluate(
    async (answer) => (await import('/dashboard/js/payload.js')).memberSources(answer, 'payload'),
    text,
  );
  expectEqual(got, {list: sources, none: []}, 'the sources');
});
