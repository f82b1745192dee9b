// What people do on the pages, for tests that are about something else.
import { authenticator, mailTo, person } from './browser.mjs';

const arrived = (page) => page.waitForURL((url) => !/^\/($|sign-in\/link)/.test(url.pathname));

/** Asks for the mail and follows its link: half in, or in where no second factor is needed. */
export async function followLink({ page }, server, email) {
  await page.goto('/sign-in');
  await page.getByLabel('E-mail address').fill(email);
  await page.getByRole('button', { name: 'Send the link' }).click();
  await page.waitForURL('**/sign-in/code');
  await page.goto((await mailTo(server, email)).link);
  await arrived(page);
}

/** Accepts the latest invitation to this address: half in, as above. */
export async function acceptInvitation({ page }, server, email) {
  await page.goto((await mailTo(server, email)).link);
  await page.getByRole('button', { name: 'Accept' }).click();
  await page.waitForURL('**/sign-in/code');
  await page.goto((await mailTo(server, email)).link);
  await arrived(page);
}

/** Adds a first passkey, as every member has to; answers the recovery codes. */
export async function enrol({ page }, name = 'Laptop') {
  await page.getByLabel('What to call it').fill(name);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
  const codes = await page.locator('.codes li').allTextContents();
  await page.getByRole('link', { name: 'I have kept them' }).click();
  // Whoever works for one brand is there now. Tests begin at her account.
  await page.waitForURL((url) => /^\/(b\/|account)/.test(url.pathname));
  await page.goto('/account');
  return codes;
}

/** A new member of a brand, signed in with both factors, in a browser of her own. */
export async function member(browser, server, email, options) {
  const found = await person(browser, server, options);
  found.keys = await authenticator(found);
  await acceptInvitation(found, server, email);
  found.codes = await enrol(found);
  return found;
}
