import { describe, expect, test } from "vitest";
import { RULES, type Rules } from "./rules.ts";
import { SCENARIOS } from "./scenarios.ts";
import { type Found, search } from "./search.ts";

function told({ violation, trace }: Found): string {
  return `${violation}\n  ${trace?.join("\n  ")}`;
}

describe("every order of steps", { timeout: 300_000 }, () => {
  for (const scenario of SCENARIOS) {
    test(`of ${scenario.name} keeps the log whole`, () => {
      const found = search(scenario, RULES);
      expect(found.violation, told(found)).toBeUndefined();
      expect(found.states).toBeGreaterThan(500);
    });
  }
});

/** Where the shortest way to a violation is found. */
const NOTICED: Readonly<Record<keyof Rules, { readonly in: string; readonly as: RegExp }>> = {
  appendLooksAtFloor: { in: "a writer whose answer", as: /in the log twice|concludes that it is not/ },
  floorBeforeLook: { in: "a writer whose answer", as: /in the log twice|concludes that it is not/ },
  runsWaitForAnswers: { in: "a writer whose answer", as: /concludes that it is not/ },
  dropLooksAtTailBase: { in: "runs of two refs", as: /the tail ends at/ },
  segmentWins: { in: "runs of two refs", as: /is gone/ },
  segmentsAreStillThere: { in: "a merger, a compaction", as: /overlap|is gone/ },
  offsetsAreRolledOnce: { in: "a run that is put once more", as: /overlap/ },
  fence: { in: "two rollers, a sweeper of each kind", as: /is to be in object .* is gone/ },
  sweeperRaisesFence: { in: "two rollers, a sweeper of each kind", as: /is to be in object .* is gone/ },
  sweeperRaisesFloor: { in: "two writers over two partitions", as: /is to be in blob .* is gone/ },
  sweeperReadsHeadFirst: { in: "two writers, a sealer", as: /is to be in blob .* is gone/ },
  sharedBlobsWait: { in: "shared blobs", as: /is to be in blob .* is gone/ },
  startBeforeDeletion: { in: "a merger, a roller, retention", as: /is gone/ },
  readsFromWhereItBegins: { in: "two sealers, two rollers", as: /beyond a hole/ },
};

describe("without the rule", { timeout: 120_000 }, () => {
  for (const [rule, noticed] of Object.entries(NOTICED)) {
    test(`${rule} the log breaks, and the trace says how`, () => {
      const scenario = SCENARIOS.find(({ name }) => name.startsWith(noticed.in));
      expect(scenario).toBeDefined();
      const found = search(scenario as (typeof SCENARIOS)[number], { ...RULES, [rule]: false });
      expect(found.violation).toMatch(noticed.as);
      expect(found.trace?.length).toBeGreaterThan(2);
    });
  }
});
