// What rows of several groups are made of.
import assert from 'node:assert/strict';

/** All of these checks. */
export const both =
  (...checks) =>
  (answers, w) =>
    Promise.all(checks.map((check) => check(answers, w)));

/** One request for each. */
export const each = (list, ask) => (w) => list.map((item) => ask(w, item));

/** Every answer is a problem document. */
export const problem = (all) =>
  all.forEach(({ headers, json, status }) => {
    assert.equal(headers.get('content-type'), 'application/problem+json');
    assert.ok(
      /^\/problems\/[a-z-]+$/.test(json.type) &&
        json.title &&
        json.detail !== undefined &&
        json.status === status,
      JSON.stringify(json),
    );
    if (status === 422)
      assert.ok(
        json.errors.length > 0 && json.errors.every((e) => e.field && e.reason),
        JSON.stringify(json),
      );
  });

/** This status, as a problem document. */
export const refused = (status, more) => ({ status, check: problem, ...more });
