import { execFile } from "node:child_process";
import { expect, test } from "vitest";

function demo(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["examples/lag/lag.ts", ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

test("a consumer that is killed is STOP, a slow one WARN, a stuck one STALL, in API, CLI and metrics alike, within the looks that are documented", {
  timeout: 120_000,
}, async () => {
  const { code, out, err } = await demo("--interval-ms", "1000");
  expect(err).toBe("");
  for (const [group, status] of [
    ["well", "OK"],
    ["killed", "STOP"],
    ["slow", "WARN"],
    ["stuck", "STALL"],
  ])
    expect(out).toMatch(new RegExp(`^${group} +${status} +${status} +${status} +${status} +(\\d+|-) +yes$`, "m"));
  expect(code).toBe(0);
});

test("an interval that cannot be is wrong usage", async () => {
  const { code, err } = await demo("--interval-ms", "often");
  expect(code).toBe(2);
  expect(err).toContain('--interval-ms takes a whole number from 500 to 60000; it is "often"');
});
