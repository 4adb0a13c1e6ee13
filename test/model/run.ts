/**
 * `npm run model [-- --states 5000000] [-- --without rule]`: searches every scenario with all its processes, up to so many
 * states each, and prints the way to each violation.
 */
import { parseArgs } from "node:util";
import { RULES, type Rules } from "./rules.ts";
import { SCENARIOS } from "./scenarios.ts";
import { search } from "./search.ts";

const { values } = parseArgs({ options: { states: { type: "string", default: "3000000" }, without: { type: "string" } } });
const { without } = values;
if (without !== undefined && !(without in RULES)) {
  console.error(`--without takes one of ${Object.keys(RULES).join(", ")}; ${without} given`);
  process.exit(2);
}
const rules: Rules = without === undefined ? RULES : { ...RULES, [without]: false };
let failed = false;
for (const scenario of SCENARIOS) {
  const processes = [...scenario.processes, ...(scenario.more ?? [])];
  const { states, cut, violation, trace } = search({ ...scenario, processes }, rules, Number(values.states));
  console.log(`${scenario.name}: ${states} states${cut ? ", more were left" : ""}, ${violation ?? "no violation"}`);
  if (trace !== undefined) console.log(`  ${trace.join("\n  ")}`);
  failed ||= violation !== undefined;
}
process.exit(failed ? 1 : 0);
