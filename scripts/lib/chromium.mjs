// Finds Chromium for the tests of pages, or installs Debian's.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Failure, run, say } from './shell.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Its path: CHROMIUM_BIN, or the first of its names in PATH. */
export function chromiumPath() {
  const given = process.env.CHROMIUM_BIN;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const places = given ? [given] : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = places.find(isProgram);
  if (found) return found;
  throw new Failure(
    given
      ? `CHROMIUM_BIN names no program: ${given}.`
      : 'The tests of pages need Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM_BIN.',
  );
}

/** Makes sure that there is one; where apt-get may, it installs it. */
export async function chromium() {
  try {
    return chromiumPath();
  } catch (error) {
    const mayInstall = process.getuid?.() === 0 && !process.env.CHROMIUM_BIN;
    if (!mayInstall || !isProgram('/usr/bin/apt-get')) throw error;
    say('installing Chromium …');
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update', '-qq'], { env, quiet: true });
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], { env, quiet: true });
    return chromiumPath();
  }
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
