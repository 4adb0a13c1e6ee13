import fc from "fast-check";
import { expect, test } from "vitest";
import { compileRegex } from "../../../lib/groups/consumer/regex.ts";

test("matches whole names, as RE2 reads an expression", () => {
  const says = (expression: string, ...names: string[]) => names.map((name) => compileRegex(expression)(name));
  expect(says("orders.*", "orders", "orders-eu", "my-orders")).toEqual([true, true, false]);
  expect(says("^(eu|us)-[a-c]+\\.v\\d{1,2}$", "eu-abc.v1", "us-a.v12", "us-a.v123", "uk-a.v1")).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(says("a?b*c+", "c", "abbc", "ab")).toEqual([true, true, false]);
  expect(says("(?:a|b){2,3}", "ab", "abab", "aba")).toEqual([true, false, true]);
  expect(says("[^x-z.]\\.[\\w-]+", "a.b-1", "x.b", "..b")).toEqual([true, false, false]);
  expect(says("", "", "a")).toEqual([true, false]);
});

test("refuses what it does not take, with what is wrong", () => {
  for (const expression of [
    "(",
    "a)",
    "[a",
    "*a",
    "a**",
    "(?=a)",
    "(?i)a",
    "\\1",
    "\\bfoo",
    "\\p{L}",
    "a\\",
    "[z-a]",
    "a{3,2}",
    "a{2000}",
    "a$b",
    "((((a{100}){100}){100}))",
    "x".repeat(1001),
  ]) {
    expect(() => compileRegex(expression), expression).toThrow(expect.objectContaining({ code: "invalid_regular_expression" }));
  }
});

test("an expression that makes others hang answers at once", () => {
  const matches = compileRegex("(a*)*(a|aa)+(.*)*b");
  expect(matches("a".repeat(249))).toBe(false);
  expect(matches(`${"a".repeat(248)}b`)).toBe(true);
});

test("property: says what JavaScript says", () => {
  const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\w", "(?:a|bc)", "\\.", "(b)");
  const piece = fc.tuple(atom, fc.constantFrom("", "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?"));
  const expression = fc
    .array(fc.array(piece, { maxLength: 4 }), { minLength: 1, maxLength: 3 })
    .map((branches) => branches.map((branch) => branch.map(([a, r]) => a + r).join("")).join("|"));
  fc.assert(
    fc.property(
      expression,
      fc.array(fc.constantFrom("a", "b", "c", ".")).map((letters) => letters.join("")),
      (text, name) => {
        expect(compileRegex(text)(name)).toBe(new RegExp(`^(?:${text})$`).test(name));
      },
    ),
    { numRuns: 500 },
  );
});
