// npm run kit: makes static/kit.css, htmx.js, uplot.js and icons.svg out of the pinned packages.
import { writeKit } from './lib/kit.mjs';
import { main } from './lib/shell.mjs';

main(async () => writeKit());
