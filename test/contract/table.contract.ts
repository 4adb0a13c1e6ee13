/** Every promise of `lib/ports/table.ts`, for any backend. */
import { describe } from "vitest";
import { type MakeBackend, useBackend } from "./backend.ts";
import { conditionTests } from "./table/conditions.ts";
import { expiryTests } from "./table/expiry.ts";
import { limitTests } from "./table/limits.ts";
import { parallelTests } from "./table/parallel.ts";
import { rangeTests } from "./table/ranges.ts";
import { readWriteTests } from "./table/reads-and-writes.ts";
import { stageTests } from "./table/stages.ts";
import { transactionTests } from "./table/transactions.ts";
import { updateTests } from "./table/updates.ts";

export function tableContract(make: MakeBackend): void {
  describe("table", () => {
    const backend = useBackend(make);
    describe("reads and writes", () => readWriteTests(backend));
    describe("conditions", () => conditionTests(backend));
    describe("updates", () => updateTests(backend));
    describe("expiry", () => expiryTests(backend));
    describe("ranges and scans", () => rangeTests(backend));
    describe("limits", () => limitTests(backend));
    describe("stages", () => stageTests(backend));
    describe("transactions", () => transactionTests(backend));
    describe("in parallel", () => parallelTests(backend));
  });
}
