// A17, A18, A4: filters, sorts and segments.
import assert from 'node:assert/strict';
import { both, problem, refused } from './common.mjs';

const LISTS = ['/v1/deals', '/v1/creators'];
const ask = (w, list, query) => w.a.client.call('GET', `${list}?${new URLSearchParams(query)}`);
const all = (w, queries) => LISTS.flatMap((list) => queries.map((query) => ask(w, list, query)));
const field = (name) => (answers) =>
  answers.forEach(({ json, text }) => assert.equal(json.errors[0].field, name, text));
const filtered = (w, filters) =>
  all(
    w,
    filters.map((filter) => ({ filter })),
  );

export const filters = [
  [
    'A17',
    'limits of filtered lists that are none',
    (w) => all(w, ['-1', '0', '201', '1000000000', '1e3', '٣', ''].map((limit) => ({ filter: 'invited', limit }))),
    refused(422, { check: both(problem, field('limit')) }),
  ],
  [
    'A17',
    'sorts that are none, and injected ones',
    (w) =>
      all(
        w,
        [';DROP', 'name;DROP TABLE deals', 'email', '', '-', '--name', 'revenue[', 'name desc', 'revenue[all, XXX]', 'c.name', '1'].map(
          (sort) => ({ sort }),
        ),
      ),
    refused(422, { check: both(problem, field('sort')) }),
  ],
  [
    'A17',
    'cursors that are forged, of another list, or of another brand',
    async (w) => {
      const page = async (client, list, sort) =>
        (await client.get(`${list}?sort=${sort}&limit=1`)).next_cursor;
      const of = await page(w.a.client, '/v1/deals', 'name');
      assert.ok(of);
      const told = JSON.parse(Buffer.from(of, 'base64url').toString());
      const forged = (place, value) =>
        Buffer.from(JSON.stringify(told.with(place, value))).toString('base64url');
      const list = { '/v1/deals': 'name', '/v1/creators': 'name' };
      const others = [
        await page(w.b.client, '/v1/deals', 'name'),
        await page(w.a.client, '/v1/deals', 'created'),
        '!',
        '%00',
        'x'.repeat(5000),
        Buffer.from('[]').toString('base64url'),
        Buffer.from('{"a":1}').toString('base64url'),
        forged(0, ''),
        forged(1, '"Z"'),
        forged(1, '1) OR 1=1 --'),
        forged(2, 'creator_x'),
        forged(3, 'deal_~'),
        forged(3, 7),
      ].filter((cursor) => cursor !== null);
      const asked = Object.entries(list).flatMap(([path, sort]) => others.map((cursor) => ask(w, path, { sort, cursor })));
      return [...asked, ask(w, '/v1/creators', { sort: 'name', cursor: of })];
    },
    refused(422, { check: both(problem, field('cursor')) }),
  ],
  [
    'A17',
    'filters that are no filter, too long, too deep, or somebody’s SQL',
    (w) =>
      filtered(w, [
        '',
        ' ',
        'followers >',
        'followers > -1',
        'followers > 1e9',
        'followers > 1234567890123',
        'tag = vip',
        "tag = 'vip",
        'name = "x"',
        'email = "a@b.example"',
        'invited; DROP TABLE deals',
        'invited) OR (1=1',
        '1 = 1',
        '""',
        '"*"',
        'stage IN ()',
        `tag IN (${Array.from({ length: 21 }, (_, n) => `"${n}"`)})`,
        'revenue[all, XXX] > 1',
        'clicks[all, EUR] > 1',
        'orders > 1 AND',
        'NOT',
        '('.repeat(1000),
        'NOT '.repeat(499),
        Array(31).fill('invited').join(' OR '),
        'x'.repeat(2001),
        'invited\u0000',
      ]),
    refused(422, { check: both(problem, field('filter')) }),
  ],
  [
    'A17',
    'a filter whose texts are SQL, FTS5 or JSON finds nothing and breaks nothing',
    (w) =>
      filtered(w, [
        `tag = "' OR 1=1 --"`,
        'tag = "\\"], 1) --"',
        '"yoga* OR text:a NEAR(b) -c ^d"',
        '"brand:x OR zzzz"',
        'field."$.x\' OR 1=1" = "x"',
        'stage = "\u202e\ud83d\ude00"',
        'campaign IN ("?1", ":x", "@x", "$x")',
      ]),
    { status: 200, check: (answers) => answers.forEach(({ json }) => assert.deepEqual(json.data, [])) },
  ],
  [
    'A18',
    'days and periods of filters that are none, and ends before beginnings',
    (w) =>
      filtered(w, [
        'created = 2026-02-30',
        'created >= 2026-13-01',
        'created = 2026-1-1',
        'created = 20261001',
        'created = 1899-01-01',
        'created = 9999-12-31',
        'created >= 2026-10-01+14:00',
        'created >= 2026-10-01T00:00:00Z',
        'last_contact < today-',
        'last_contact < today-9999d',
        'last_contact < tomorrow',
        'revenue[2026-10-02..2026-10-01] > 1',
        'revenue[2026-02-01..2026-02-30] > 1',
        'revenue[2026-00] > 1',
        'revenue[2026-13] > 1',
        'revenue[0d] > 1',
        'revenue[4000d] > 1',
        'revenue[-30d] > 1',
        'revenue[2026] > 1',
        'revenue[] > 1',
      ]),
    refused(422, { check: both(problem, field('filter')) }),
  ],
  [
    'A18',
    'days on which clocks change are days, in periods and conditions',
    (w) =>
      filtered(w, ['created = 2026-03-29', 'created <= 2026-11-01', 'revenue[2026-03-08..2026-03-08] >= 0', 'orders[2026-10-25..2026-10-25] >= 0']),
    { status: 200 },
  ],
  [
    'A17',
    'segments with names, filters and sorts that are none',
    (w) =>
      [
        { name: '', filter: 'invited' },
        { name: 'x'.repeat(101), filter: 'invited' },
        { name: 'x', filter: '1=1' },
        { name: 'x', filter: 'invited', sort: ';DROP' },
        { name: 'x', filter: 7 },
        { name: 'x' },
        { name: 'x', filter: 'invited', made_by: { kind: 'member', id: 'x' } },
      ].map((body) => w.a.client.call('POST', '/v1/segments', body)),
    refused(422),
  ],
  [
    'A4',
    'another brand’s segment, campaign, owner, tag and creator in filters',
    async (w) => {
      w.segmentOfB ??= (await w.b.client.post('/v1/segments', { name: 'Theirs', filter: 'state = open' })).id;
      return LISTS.map((list) => ask(w, list, { segment: w.segmentOfB })).concat(
        ['GET', 'PATCH', 'DELETE'].map((method) =>
          w.a.client.call(method, `/v1/segments/${w.segmentOfB}`, method === 'PATCH' ? { name: 'x' } : undefined),
        ),
      );
    },
    refused(404, { changes: ['segments', 'audit'] }),
  ],
  [
    'A4',
    'what only another brand has is found by no filter',
    (w) =>
      filtered(w, [`campaign = "${w.b.campaign.id}"`, `owner = "${w.bea.id ?? 'x'}"`, `"${w.b.mark}"`]),
    { status: 200, check: (answers) => answers.forEach(({ json }) => assert.deepEqual(json.data, [])) },
  ],
];
