// Looking for what must not be there, in every form in which it may hide.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The forms in which a marker may hide. */
function forms(marker) {
  const bytes = Buffer.from(marker);
  const found = {
    raw: bytes,
    hex: Buffer.from(bytes.toString('hex')),
    HEX: Buffer.from(bytes.toString('hex').toUpperCase()),
    utf16: Buffer.from(marker, 'utf16le'),
    reversed: Buffer.from([...marker].reverse().join('')),
    last8: bytes.subarray(-8),
    escaped: Buffer.from(encodeURIComponent(marker)),
  };
  for (const shift of [0, 1, 2]) {
    // What base64 makes of it inside something longer: without the characters that its ends share.
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    const from = shift === 0 ? 0 : shift + 1;
    const inner = text.slice(from, Math.floor(((shift + bytes.length) * 8) / 6));
    found[`base64+${shift}`] = Buffer.from(inner);
    found[`base64url+${shift}`] = Buffer.from(inner.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return Object.entries(found);
}

/** Which of these markers (by name) stand in the bytes, and in which form. */
export function hits(markers, bytes) {
  const found = [];
  for (const [name, marker] of Object.entries(markers))
    for (const [form, needle] of forms(marker)) if (bytes.includes(needle)) found.push(`${name} as ${form}`);
  return found;
}

/** Every file below a folder. */
export const files = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
