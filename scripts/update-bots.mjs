// Writes src/domain/bots.txt (the patterns of isbot) and tests/data/agents.tsv (agents with
// isbot's verdict, which ours has to equal) from pinned npm packages.
//
//   node scripts/update-bots.mjs
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PINS = { isbot: "5.2.3", "crawler-user-agents": "1.60.0", "top-user-agents": "2.1.138" };
const pins = Object.entries(PINS).map(([name, version]) => `${name}@${version}`);

const folder = mkdtempSync(join(tmpdir(), "bots-"));
execFileSync("npm", ["install", "--prefix", folder, "--no-save", "--ignore-scripts", ...pins], {
  stdio: "inherit",
});
const load = createRequire(join(folder, "here.js"));
const { isbot, list } = load("isbot");
const crawlers = load("crawler-user-agents").flatMap((crawler) => crawler.instances);
const browsers = load("top-user-agents");
rmSync(folder, { recursive: true });

const inApp = readFileSync("tests/data/in-app-browsers.txt", "utf8")
  .split("\n")
  .filter((line) => line && !line.startsWith("# "));

// Pieces of patterns put into agents, because lists of whole agents leave look-arounds, word
// boundaries and anchors nearly untried. A fixed generator, so that a rerun changes nothing.
let state = 1;
const below = (n) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % 65536 % n;
const pick = (items) => items[below(items.length)];
const pieces = list.flatMap((p) => p.replace(/[\\^$()?:*+<!\[\]{}]/g, "").split("|"));
const more = [
  " cubot ", "cubots", "bots_", "bot-", "camscan", "scanner", "libhttp", "http:", " channel/google",
  "google/google", "googlewv", "googleapp", "google/google", "google pixel", "google", "google ",
  "gnews", "news", "newssapphire", "news sapphire", "java;", "java", "javax", "; abc;", "|", "()",
  "@x.y.", "foo/1.0;", "perl", "perls", ".com", ".comb", "24x7", "feed", "node", "nodes", "check",
];
const spliced = [];
while (spliced.length < 2000) {
  const base = pick([...browsers, ...inApp, "", "", "Foo/1.2", "Mozilla/5.0 (compatible)"]);
  const cut = pick([0, base.length, below(base.length + 1)]);
  const piece = pick(below(2) ? more : pieces) + pick(["", "", " ", "/", "x", pick(more)]);
  const kept = below(3) ? [base.slice(0, cut), base.slice(cut)] : ["", pick(["", " x", "/2.0"])];
  const agent = (kept[0] + piece + kept[1]).slice(0, 60 + below(140));
  if (agent && agent === agent.trim() && !/[\t\n]/.test(agent)) spliced.push(agent);
}

const kinds = { crawler: crawlers, browser: browsers, "in-app": inApp, spliced };
const rows = Object.entries(kinds).flatMap(([kind, agents]) =>
  [...new Set(agents)].map((agent) => `${kind}\t${isbot(agent) ? "bot" : "shopper"}\t${agent}`),
);
const sources = pins.join(", ");
writeFileSync("tests/data/agents.tsv", `# Made by scripts/update-bots.mjs: ${sources}\n${rows.join("\n")}\n`);
writeFileSync(
  "src/domain/bots.txt",
  `# The patterns of isbot ${PINS.isbot} (Unlicense), made by scripts/update-bots.mjs\n${list.join("\n")}\n`,
);
