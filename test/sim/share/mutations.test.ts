import { describe, expect, test } from "vitest";
import { SABOTAGE } from "./sabotage.ts";
import { ShareSimulation } from "./simulation.ts";

const SEEDS_MOST = 2000;

/** Where the rare ones are noticed as the code is: tried first, so that the search is short. */
const NOTICED_BY: Readonly<Record<string, number>> = {
  "Q1: a state is not told from that of a group that was deleted": 50,
  "Q1: a late delete takes what a group has that was made again": 44,
};

describe("a rule of share groups taken out is noticed", () => {
  for (const [name, sabotage] of Object.entries(SABOTAGE)) {
    test(name, { timeout: 300_000 }, async () => {
      const first = NOTICED_BY[name] ?? 1;
      for (let seed = first; seed < first + SEEDS_MOST; seed++) {
        const noticed = (await new ShareSimulation(seed, sabotage).play()).length > 0;
        if (noticed && (await new ShareSimulation(seed).play()).length === 0) return;
      }
      expect.fail(`${SEEDS_MOST} seeds noticed nothing`);
    });
  }
});
