// C: files of creators, deals, codes, posts and GoAffPro's affiliates (C10 is about payouts: tests/api/payouts/).
import assert from 'node:assert/strict';
import { refused } from './common.mjs';

const csv = { 'content-type': 'text/csv' };
/** Raw bytes, which the client would take for JSON. */
const send = (w, path, body, headers = csv) => w.a.client.call('POST', path, body, headers);
const goaffpro = (w) => `/v1/goaffpro/import?kind=affiliates&campaign_id=${w.a.deal.campaign_id}`;
const kinds = (w) => [
  ['/v1/creators/import?', 'handle,name\nx,y\n'],
  ['/v1/deals/import?', `creator_id,campaign_id\n${w.other.deal.creator_id},${w.a.deal.campaign_id}\n`],
  ['/v1/codes/import?', `code,deal_id\nX,${w.a.deal.id}\n`],
  ['/v1/posts/import?', `deal_id,platform,url,published_at\n${w.a.deal.id},tiktok,https://tiktok.com/@x/9,2026-10-01\n`],
  [`${goaffpro(w)}&`, 'email,name\nx@y.example,X\n'],
];
const files = (make) => (w) => kinds(w).flatMap(([to, file]) => make(file).map((body) => send(w, `${to}preview=true`, body)));
/** A preview in which a row is wrong, and without a hash to do it by. */
const wrong = (reason) => ({
  status: 200,
  check: (answers) =>
    answers.forEach(({ json, text }) => {
      assert.ok(json.wrong > 0 && json.hash === null, text.slice(0, 300));
      if (reason) assert.match(text, reason);
    }),
});
const previews = (path, list) => (w) =>
  list.map((body) => send(w, `${typeof path === 'function' ? path(w) : path}${String(path).includes('?') ? '&' : '?'}preview=true`, body));
const bytes = (text, encoding) => Buffer.from(text, encoding);

/** What a spreadsheet would reckon, and the cell that an export has of it. */
const FORMULAS = [
  ['=HYPERLINK("https://evil.test")', '"\'=HYPERLINK(""https://evil.test"")"'],
  ['+1', "'+1"],
  ['-1+1', "'-1+1"],
  // A number, which it may reckon with.
  ['-1', '-1'],
  ['@SUM(A1)', "'@SUM(A1)"],
  // As an export writes it: read as the text that it stands for.
  ["'=x", "'=x"],
];

export const imports = [
  [
    'C1',
    'files that are empty, have only a header, a column twice, one that is none, or none that says who',
    files((file) => {
      const [header] = file.split('\n');
      const [first] = header.split(',');
      return ['', '\n', ',,\n', `${header}\n`, `${header},${first}\n${file.split('\n')[1]},x\n`, `tags\nx\n`];
    }),
    { status: [200, 422], check: (answers) => answers.forEach(({ json, status }) => assert.ok(status === 422 || json.hash === null)) },
  ],
  [
    'C1',
    'a column that is none: named',
    (w) => kinds(w).slice(0, 4).map(([to, file]) => send(w, `${to}preview=true`, file.replace('\n', ',brand_id\n').replace(/\n$/, ',x\n'))),
    refused(422, { body: /brand_id/ }),
  ],
  [
    'C1',
    'rows with a cell too few or too many',
    files((file) => [file.replace(/\n$/, ',more\n'), file.replace(/,[^,\n]*\n$/, '\n')]),
    wrong(/another number of cells/),
  ],
  [
    'C2',
    'UTF-16 with and without a mark, Latin-1, a zero byte, a zip',
    files((file) => [
      bytes(`\ufeff${file}`, 'utf16le'),
      bytes(file, 'utf16le'),
      bytes(file.replace(/\n$/, 'é\n'), 'latin1'),
      bytes(file.replace(/\n$/, '\0\n')),
      bytes('PK\x03\x04\x14\x00', 'latin1'),
    ]),
    refused(422),
  ],
  [
    'C2',
    'UTF-8 with a mark, lines that end with CR, tabs and semicolons between: read',
    files((file) => [`\ufeff${file}`, file.replaceAll('\n', '\r'), file.replaceAll(',', ';'), file.replaceAll(',', '\t')]),
    {
      status: 200,
      check: (answers) => answers.forEach(({ json, text }) => assert.ok(json.wrong === 0 && json.hash, text.slice(0, 300))),
    },
  ],
  [
    'C3',
    'quotes that are opened and not closed, stand in a cell, or are followed by text',
    files((file) => [file.replace(/\n(.*)\n$/, '\n"$1\n'), file.replace(/\n$/, '"x\n'), file.replace(/\n(.*),/, '\n"$1"x,')]),
    refused(422, { body: /"line \d+"/ }),
  ],
  [
    'C4',
    'one bad row in ten thousand, under any hash',
    (w) => {
      const rows = Array.from({ length: 9_999 }, (_, n) => `h${n},h${n}@x.example`).join('\n');
      return send(w, '/v1/creators/import?hash=x', `handle,email\n${rows}\nlast,no address\n`);
    },
    refused(422, { body: /"line 10001"/ }),
  ],
  [
    'C6',
    'formulas are text, and no export has one',
    async (w) => {
      const cells = FORMULAS.map(([cell]) => cell);
      const rows = cells.map((cell, n) => `f${n}-${w.a.mark},"${cell.replaceAll('"', '""')}"`);
      const file = `handle,name\n${rows.join('\n')}\n`;
      const { json } = await send(w, '/v1/creators/import?preview=true', file);
      const done = await send(w, `/v1/creators/import?hash=${json.hash}`, file);
      assert.equal(done.json.taken_in, FORMULAS.length, done.text);
      return w.a.client.call('GET', '/v1/creators?format=csv');
    },
    {
      status: 200,
      changes: ['creators', 'search_docs', 'audit'],
      check: ([{ text }], w) => {
        for (const [, cell] of FORMULAS) assert.ok(text.includes(`,${cell},`), `${cell} in ${text.slice(0, 800)}`);
        const formula = /(^|,)"?([=+@\t\r]|-(?!\d+(\.\d+)?(,|$)))/;
        const lines = text.split('\r\n').filter((line) => formula.test(line));
        assert.deepEqual(lines, [], 'no cell begins as a formula does');
      },
    },
  ],
  [
    'C7',
    'numbers and amounts as people write them elsewhere',
    previews('/v1/creators/import', [
      'handle,followers\nx,"1,234"\n',
      'handle,followers\nx,1.234\n',
      'handle,followers\nx,1e3\n',
      'handle,followers\nx,(5)\n',
      'handle,followers\nx,-1\n',
      'handle,followers\nx,99999999999999999999\n',
      'handle,engagement_percent\nx,"2,5"\n',
      'handle,engagement_percent\nx,10.999\n',
      'handle,engagement_percent\nx,$10\n',
    ]),
    wrong(/"line":2/),
  ],
  [
    'C7',
    'rates of deals and of affiliates that are none',
    (w) => [
      ...['1e2', '10%', '101', '-1', '10.999', '"10,5"', 'NaN'].map((rate) =>
        send(
          w,
          '/v1/deals/import?preview=true',
          `creator_id,campaign_id,commission_percent\n${w.other.deal.creator_id},${w.a.deal.campaign_id},${rate}\n`,
        ),
      ),
      ...['1e2', '101', '-1', '10.999', '"10,5"', 'NaN'].map((rate) =>
        send(w, `${goaffpro(w)}&preview=true`, `email,commission,commission_type\nx@y.example,${rate},percentage\n`),
      ),
    ],
    wrong(/"line":2/),
  ],
  [
    'C8',
    'more than a megabyte, more than ten thousand rows, a cell of 3,000 letters',
    (w) => [
      send(w, '/v1/creators/import?preview=true', `handle\n${'x'.repeat(1024 * 1024)}\n`),
      send(w, '/v1/creators/import?preview=true', `handle\n${'x\n'.repeat(10_001)}`),
      send(w, '/v1/creators/import?preview=true', `handle\n${'x'.repeat(3_000)}\n`),
      send(w, '/v1/creators/import?preview=true', 'handle\nx\n', { 'content-type': 'application/zip' }),
      send(w, '/v1/creators/import?preview=true', 'handle\nx\n', { 'content-type': 'multipart/form-data' }),
    ],
    refused([413, 415, 422]),
  ],
  [
    'C9',
    'creators, campaigns, deals and members of another brand, and such as are nowhere: the same answer',
    (w) => [
      ...[w.b.deal.creator_id, 'creator_0'].map((id) =>
        send(w, '/v1/deals/import?preview=true', `creator_id,campaign_id\n${id},${w.a.deal.campaign_id}\n`),
      ),
      ...[w.b.deal.campaign_id, 'campaign_0'].map((id) =>
        send(w, '/v1/deals/import?preview=true', `creator_id,campaign_id\n${w.other.deal.creator_id},${id}\n`),
      ),
      ...[w.b.deal.id, 'deal_0'].flatMap((id) => [
        send(w, '/v1/codes/import?preview=true', `code,deal_id\nX,${id}\n`),
        send(w, '/v1/posts/import?preview=true', `deal_id,platform,url,published_at\n${id},tiktok,https://tiktok.com/@x/8,2026-10-01\n`),
      ]),
    ],
    {
      status: 200,
      check: (answers) => {
        const reasons = answers.map(({ json }) => json.rows[0].reason);
        assert.ok(reasons.every((reason) => /^there is no such (creator|campaign|deal)$/.test(reason)), reasons.join());
      },
    },
  ],
  [
    'C9',
    'a campaign of another brand for affiliates; a hash, and a role, that may not',
    async (w) => [
      await send(w, `/v1/goaffpro/import?kind=affiliates&campaign_id=${w.b.deal.campaign_id}&preview=true`, 'email\nx@y.example\n'),
      await w.reader.call('POST', '/v1/creators/import?preview=true', 'handle\nx\n', csv),
      await w.anyone.call('POST', '/v1/deals/import?preview=true', 'handle\nx\n', csv),
      await w.me.call('POST', '/v1/creators/import?preview=true', 'handle\nx\n', csv),
    ],
    refused([422, 403, 401]),
  ],
  [
    'C11',
    'another file, another question, or no preview under a hash',
    async (w) => {
      const { json } = await send(w, '/v1/creators/import?preview=true', 'handle\nc11\n');
      return [
        await send(w, `/v1/creators/import?hash=${json.hash}`, 'handle\nc11x\n'),
        await send(w, `/v1/creators/import?hash=${json.hash}&update=true`, 'handle\nc11\n'),
        await send(w, '/v1/creators/import?hash=0', 'handle\nc11\n'),
        await w.b.client.call('POST', `/v1/deals/import?hash=${json.hash}`, `creator,campaign_id\nx,${w.b.deal.campaign_id}\n`, csv),
      ];
    },
    refused([409, 422]),
  ],
  [
    'C11',
    'neither a preview nor a hash, both, parameters that are none',
    (w) => ['', 'preview=maybe', 'preview=true&hash=x', 'preview=true&x=1', 'preview=true&preview=true', 'hash=x&update=2'].map(
      (query) => send(w, `/v1/creators/import?${query}`, 'handle\nx\n'),
    ),
    refused(422),
  ],
  [
    'C13',
    'a `+tag` or a letter that looks like one is nobody who is there',
    previews('/v1/creators/import', ['handle,email\nc13,ann\u0430@creator.example\n', 'handle,email\nc13,a@b@c.d\n', 'handle,email\nc13,"a@b.c\r\nBcc: x@y.z"\n']),
    wrong(/e-mail address/),
  ],
  [
    'D18',
    'a list as a file in a format that is none, twice, of too many or of no rows, of somebody who may not',
    (w) => [
      ...['format=xls', 'format=csv&format=csv', 'format=csv&limit=0', 'format=csv&limit=10001', 'format=csv&x=1', 'format=csv&cursor=!'].map(
        (query) => w.a.client.call('GET', `/v1/creators?${query}`),
      ),
      w.reader.call('GET', '/v1/audit?format=csv'),
      w.anyone.call('GET', '/v1/payouts?format=csv'),
      w.a.client.call('GET', `/v1/deals/${w.b.deal.id}/notes?format=csv`),
    ],
    refused([422, 403, 401, 404]),
  ],
];
