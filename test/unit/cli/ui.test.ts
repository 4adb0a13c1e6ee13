import { expect, test } from "vitest";
import { bytes, count, duration, plural, rate } from "../../../lib/cli/ui/numbers.ts";
import { Output } from "../../../lib/cli/ui/output.ts";
import { bar } from "../../../lib/cli/ui/progress.ts";
import { table } from "../../../lib/cli/ui/table.ts";

test("numbers read well", () => {
  expect([count(1234567), plural(1, "record"), plural(2000, "record")]).toEqual(["1,234,567", "1 record", "2,000 records"]);
  expect([0, 999, 1000, 12_345, 99_949, 100_000, 999_499, 999_500, 5e9].map(bytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "12.3 kB",
    "99.9 kB",
    "100 kB",
    "999 kB",
    "1.0 MB",
    "5.0 GB",
  ]);
  expect([0, 1234, 59_940, 60_000, 3_661_000].map(duration)).toEqual(["0.0 s", "1.2 s", "59.9 s", "1 min 0 s", "1 h 1 min"]);
  expect([rate(10, 0), rate(10, 500)]).toEqual([0, 20]);
});

test("a table lines up, numbers to the right", () => {
  expect(
    table(
      ["NAME", "N"],
      [
        ["a", 5],
        ["longer", 12],
      ],
    ),
  ).toBe("NAME     N\na        5\nlonger  12\n");
  expect(table(["NAME"], [])).toBe("NAME\n");
});

test("a bar is as long as it should be", () => {
  expect(bar(0, 4)).toBe("░░░░ 0%");
  expect(bar(0.5, 4)).toBe("██░░ 50%");
  expect(bar(1, 4)).toBe("████ 100%");
});

test("an output that nobody reads any more says so, and another failure is itself", async () => {
  const failing = (code: string) =>
    new Output({
      write: (_bytes, written) => {
        written(Object.assign(new Error(code), { code }));
        return true;
      },
      on: () => {},
    });
  await expect(failing("EPIPE").write("x")).rejects.toMatchObject({ name: "OutputClosed" });
  await expect(failing("ENOSPC").write("x")).rejects.toMatchObject({ code: "ENOSPC" });
});
