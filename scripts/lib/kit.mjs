// What pages wear: made of pinned packages, and kept in static/, so that a build needs no package for
// it. `npm run kit` makes it anew; a test compares. Of Tabler's styles only PARTS stay, of its icons
// ICONS.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run } from './shell.mjs';

const packages = join(root, 'node_modules');

/** Of @tabler/icons (outline), by the names that `ui::icon` is called with. */
export const ICONS = [
  ...['layout-dashboard', 'layout-kanban', 'users', 'shopping-cart', 'cash', 'building-store', 'settings'],
  ...['chevron-right', 'chevron-left', 'selector', 'copy', 'check', 'pencil', 'plus', 'link', 'ticket', 'qrcode'],
  ...['help-circle', 'mail', 'note', 'calendar', 'alert-triangle', 'circle-check', 'info-circle', 'logout'],
  ...['user', 'menu-2', 'x', 'download', 'send', 'search', 'arrow-up', 'arrow-down', 'external-link', 'clock'],
  ...['chart-line', 'gift', 'coin', 'history', 'trash', 'refresh', 'lock', 'key', 'filter', 'arrow-right'],
  ...['speakerphone', 'file-text', 'receipt', 'star', 'message', 'chart-bar', 'bolt', 'template', 'tag', 'world'],
  ...['webhook', 'users-group', 'player-pause', 'player-play', 'columns', 'bookmark', 'photo', 'shield-lock', 'calculator'],
];

/**
 * The library of the charts, with what its files hash to (SHA-256). No build and no test needs the package,
 * only who makes the kit anew: it is fetched then, and not installed by everybody.
 */
const CHARTS = {
  package: 'uplot@1.6.32',
  files: {
    'uplot.js': ['uPlot.iife.min.js', '19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f'],
    'uplot.css': ['uPlot.min.css', 'df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04'],
  },
};

/** The parts of Tabler that pages may use: classes that begin so. */
const PARTS =
  /^(btn(-(sm|icon|primary|ghost|list|outline|danger|link|group))?|btn-(ghost|outline)-(primary|danger|secondary)|card(-(body|header|title|footer|table|sm|actions|subtitle|link))?|table(-(responsive|vcenter|sm|nowrap|hover))?|badge|form-(control|select|label|check|check-input|check-label|hint|text|fieldset)|input-group(-text)?|alert|list-group(-item|-flush)?|progress|avatar|text-(secondary|end|center|nowrap|truncate)|w-100|d-(none|flex|grid|block)|visually-hidden|active|disabled|is-invalid)$/;

/** The rules of a style sheet: `[selector or at-rule, body, nested]`. */
function rules(css) {
  const found = [];
  for (let at = 0; at < css.length; ) {
    const [open, end] = [css.indexOf('{', at), css.indexOf(';', at)];
    if (open < 0) break;
    if (end >= 0 && end < open) {
      at = end + 1;
      continue;
    }
    let close = open + 1;
    for (let depth = 1; depth > 0; close++) {
      if (css[close] === '"' || css[close] === "'") close = css.indexOf(css[close], close + 1);
      else if (css[close] === '{') depth++;
      else if (css[close] === '}') depth--;
    }
    found.push([css.slice(at, open).trim(), css.slice(open + 1, close - 1)]);
    at = close;
  }
  return found;
}

/** Selectors of a list, not split inside of brackets. */
function selectors(list) {
  const parts = [''];
  let depth = 0;
  for (const letter of list) {
    if ('(['.includes(letter)) depth++;
    if (')]'.includes(letter)) depth--;
    if (letter === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += letter;
  }
  return parts;
}

/** What of a style sheet is about these parts. */
function trimmed(css) {
  const wanted = (selector) => {
    // Themes follow the reader's system (`light-dark()`), by nothing else.
    if (/\[data-bs-|\.theme-|\[dir=/.test(selector.replace(':root,[data-bs-theme=light]', ''))) return false;
    const plain = selector.replace(/:not\([^)]*\)/g, '');
    return (plain.match(/\.-?[A-Za-z][\w-]*/g) ?? []).every((name) => PARTS.test(name.slice(1)));
  };
  let text = '';
  for (const [head, body] of rules(css)) {
    if (/^@(media|supports|layer|container)/.test(head)) {
      const inner = trimmed(body);
      if (inner) text += `${head}{${inner}}`;
    } else if (head.startsWith('@')) text += `${head}{${body}}`;
    else {
      const kept = selectors(head).filter(wanted);
      if (kept.length > 0) text += `${kept.join(',')}{${body}}`;
    }
  }
  return text;
}

/** Movements that nothing names, and properties that nobody asks for. */
function withoutUnused(css) {
  for (;;) {
    const before = css.length;
    css = css.replace(/@keyframes ([\w-]+)\{(?:[^{}]*\{[^{}]*\})*\}/g, (all, name) =>
      css.replace(all, '').includes(name) ? all : '',
    );
    css = css.replace(/(--tblr-[\w-]+):[^;}]*;?/g, (all, name) => (css.includes(`var(${name})`) || css.includes(`var(${name},`) ? all : ''));
    if (css.length === before) return css.replace(/[^{}]+\{\}/g, '');
  }
}

/** The style sheet, the script and the icons, by file name. */
export function kit() {
  const source = readFileSync(join(packages, '@tabler/core/dist/css/tabler.min.css'), 'utf8');
  const licence = /\/\*![\s\S]*?\*\//.exec(source)[0].replace(/\s+\*\s+/g, '; ').replace('/*!;', '/*!').replace(/;?\s*\*\/$/, ' */');
  const plain = source.replace(/\/\*[\s\S]*?\*\//g, '').replace('@charset "UTF-8";', '');
  const css = withoutUnused(trimmed(plain));
  const symbols = ICONS.map((name) => {
    const svg = readFileSync(join(packages, `@tabler/icons/icons/outline/${name}.svg`), 'utf8');
    const paths = svg.replace(/<!--[\s\S]*?-->/g, '').match(/<(?:path|circle|rect|line)[^>]*\/>/g).join('');
    return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${paths}</symbol>`;
  });
  return {
    'kit.css': `${licence}\n${css}\n`,
    'htmx.js': readFileSync(join(packages, 'htmx.org/dist/htmx.min.js'), 'utf8'),
    'icons.svg': `<svg xmlns="http://www.w3.org/2000/svg"><!-- Tabler Icons, MIT -->${symbols.join('')}</svg>\n`,
  };
}

/** Files of static/ that aren't those of the pinned library, by name. */
export function strangers() {
  const hash = (name) => createHash('sha256').update(readFileSync(join(root, 'static', name))).digest('hex');
  return Object.entries(CHARTS.files).flatMap(([name, [, pinned]]) => (hash(name) === pinned ? [] : [name]));
}

/** Writes it where builds look for it. */
export async function writeKit() {
  for (const [name, text] of Object.entries(kit())) writeFileSync(join(root, 'static', name), text);
  const folder = mkdtempSync(join(tmpdir(), 'kit-'));
  try {
    await run('npm', ['install', '--prefix', folder, '--no-save', '--ignore-scripts', CHARTS.package]);
    for (const [name, [from]] of Object.entries(CHARTS.files)) {
      writeFileSync(join(root, 'static', name), readFileSync(join(folder, 'node_modules/uplot/dist', from)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const strange = strangers();
  if (strange.length > 0) throw new Error(`${strange.join(', ')}: not the files that are pinned.`);
}
