// The native command over what a test got.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cargoEnv, root } from '../../../scripts/lib/shell.mjs';

// Without waiting for it as a whole: connections to the server live meanwhile.
const run = promisify(execFile);

/** `tributary-audit` with these arguments, of which numbers stand for the files: name and content. */
export async function audit(args, files) {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-audit-'));
  try {
    const paths = files.map(([name, text]) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    });
    const env = { ...process.env, ...cargoEnv };
    await run('cargo', ['build', '-q', '--locked', '--bin', 'tributary-audit'], { cwd: root, env });
    const program = join(cargoEnv.CARGO_TARGET_DIR, 'debug', 'tributary-audit');
    const named = args.map((arg) => (typeof arg === 'number' ? paths[arg] : arg));
    return await run(program, named).then(
      ({ stdout }) => ({ status: 0, stdout }),
      ({ code, stdout }) => ({ status: code, stdout }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
