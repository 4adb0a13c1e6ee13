import { describe, expect, test } from "vitest";
import { SABOTAGE } from "./sabotage.ts";
import { Simulation } from "./simulation.ts";

const SEEDS_MOST = 3000;

/** Where the rare ones are noticed as the code is: tried first, so that the search is short. */
const NOTICED_BY: Readonly<Record<string, number>> = {
  "an append of a producer outside the head does not look at evictions": 425,
  "an evicted producer is put over a newer one": 130,
  "the fence keeps no object out": 82,
  "segments are replaced whatever became of them": 760,
  "keyed requests are not noted when their runs go": 719,
  "a mark of work goes whatever was sealed meanwhile": 101,
};

describe("a rule of the protocol taken out is noticed", () => {
  for (const [name, sabotage] of Object.entries(SABOTAGE)) {
    test(name, { timeout: 300_000 }, async () => {
      const first = NOTICED_BY[name] ?? 1;
      for (let seed = first; seed < first + SEEDS_MOST; seed++) {
        const violations = await new Simulation(seed, sabotage).play();
        if (violations.length > 0) return;
      }
      expect.fail(`${SEEDS_MOST} seeds noticed nothing`);
    });
  }
});
