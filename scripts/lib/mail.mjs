// Stands in for Cloudflare's Email Service when a test asks for it: keeps the mails that it takes, and
// fails on demand.
//
//   { mode: 'open' }                  takes every mail
//   { mode: 'refuse', code, times }   refuses the next mails with this code
//   { mode: 'lose', times }           takes the next mails, but the answer is lost
//   { mode: 'hang', times }           takes the next mails and never answers
//
// Told a mode, it changes to that; it always answers the mails that it has taken.
import { WorkerEntrypoint } from 'cloudflare:workers';

const mails = [];
let fault = { mode: 'open' };

export class Mail extends WorkerEntrypoint {
  async send(mail) {
    const { mode, code, times } = fault;
    if (mode !== 'open') {
      fault = times > 1 ? { ...fault, times: times - 1 } : { mode: 'open' };
    }
    if (mode === 'refuse') throw Object.assign(new Error('refused'), { code });
    mails.push(mail);
    if (mode === 'lose') throw new Error('Network connection lost.');
    if (mode === 'hang') await new Promise((done) => setTimeout(done, 60_000));
    return { messageId: `<${mails.length}@mail.test>` };
  }
}

export default {
  async fetch(request) {
    const told = await request.json();
    if (told.mode) fault = told;
    return Response.json(mails);
  },
};
