/**
 * `npm run bench:init [-- --runs 15] [--json]`: how long a Lambda function's bundle takes to import, in a process of its own
 * each time: what a cold start adds to the runtime's own. Medians; the functions take turns.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundleLambdas } from "../.ci/bundle.ts";
import { median } from "./support/median.ts";

const { values } = parseArgs({ options: { runs: { type: "string", default: "15" }, json: { type: "boolean", default: false } } });
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error(`--runs takes a whole number from 1; it is ${values.runs}`);

const env = { BROKERLESS_TABLE: "t", BROKERLESS_BUCKET: "b", AWS_REGION: "us-east-1" };

function importMs(file: string): number {
  const program = `
    globalThis.awslambda = { streamifyResponse: (handler) => handler };
    const startedMs = performance.now();
    await import(${JSON.stringify(file)});
    console.log(performance.now() - startedMs);`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" }));
}

const folder = mkdtempSync(join(tmpdir(), "brokerless-init-"));
try {
  const sizes = await bundleLambdas(folder);
  const times = new Map(Object.keys(sizes).map((name) => [name, [] as number[]]));
  for (let i = 0; i < runs; i++) {
    for (const [name, ms] of times) ms.push(importMs(join(folder, name, "index.mjs")));
  }
  const rows = [...times].map(([name, ms]) => ({ name, ...sizes[name], importMs: Math.round((median(ms) ?? 0) * 10) / 10 }));
  if (values.json) console.log(JSON.stringify({ runs, node: process.version, functions: rows }, null, 2));
  else
    for (const { name, importMs: ms, loadedBytes = 0 } of rows)
      console.log(`${name.padEnd(8)} ${ms} ms, ${Math.round(loadedBytes / 1024)} KB read`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
