import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ANYONE, allows, authorize, describeRight, type Grant, type Principal, type Right } from "../../../lib/auth/index.ts";
import { OPERATIONS, RESOURCES } from "../../../lib/auth/rights.ts";
import type { BrokerlessError } from "../../../lib/base/errors.ts";

const names = fc.stringMatching(/^[ab.]{1,4}$/);
const operations = fc.subarray([...OPERATIONS], { minLength: 1 });
const grants: fc.Arbitrary<Grant> = fc.oneof(
  fc.record({ resource: fc.constantFrom("topic" as const, "group" as const), name: names, operations }),
  fc.record({
    resource: fc.constantFrom("topic" as const, "group" as const),
    prefix: fc.stringMatching(/^[ab.]{0,3}$/),
    operations,
  }),
  fc.record({ resource: fc.constant("cluster" as const), operations }),
);
const rights: fc.Arbitrary<Right> = fc.record(
  { resource: fc.constantFrom(...RESOURCES), operation: fc.constantFrom(...OPERATIONS, "describe" as const), name: names },
  { requiredKeys: ["resource", "operation"] },
);

function holder(...given: readonly Grant[]): Principal {
  return { id: "abcdefgh", name: "test", grants: given };
}

function refusal(run: () => unknown): BrokerlessError {
  try {
    run();
  } catch (error) {
    return error as BrokerlessError;
  }
  throw new Error("nothing was thrown");
}

/** The rule again, as a table would have it: every right that a grant gives over these names. */
function given(grant: Grant, right: Right): boolean {
  if (grant.resource === "cluster" && grant.operations.includes("admin")) return true;
  if (grant.resource !== right.resource) return false;
  const named =
    right.resource === "cluster" ||
    right.name === undefined ||
    (grant.name === undefined ? right.name.slice(0, grant.prefix?.length) === grant.prefix : grant.name === right.name);
  return named && (right.operation === "describe" || (grant.operations as readonly string[]).includes(right.operation));
}

describe("rights", () => {
  test("a right is there when one grant gives it, and seeing the cluster is everybody's", () => {
    fc.assert(
      fc.property(fc.array(grants, { maxLength: 4 }), rights, (all, right) => {
        const everybodys = right.resource === "cluster" && right.operation === "describe";
        expect(allows(holder(...all), right)).toBe(everybodys || all.some((grant) => given(grant, right)));
      }),
    );
  });

  test("one more grant never takes a right away", () => {
    fc.assert(
      fc.property(fc.array(grants, { maxLength: 3 }), grants, rights, (all, more, right) => {
        if (allows(holder(...all), right)) expect(allows(holder(...all, more), right)).toBe(true);
      }),
    );
  });

  test("a token without grants has no right but to see the cluster", () => {
    fc.assert(
      fc.property(rights, (right) => {
        expect(allows(holder(), right)).toBe(right.resource === "cluster" && right.operation === "describe");
      }),
    );
  });

  test("where nobody is asked for a token everything is allowed", () => {
    fc.assert(
      fc.property(rights, (right) => {
        expect(allows(ANYONE, right)).toBe(true);
      }),
    );
  });

  test("a name is that name alone, a prefix all that begin so", () => {
    const reader = holder({ resource: "topic", name: "clicks", operations: ["read"] });
    const of = (name: string): Right => ({ resource: "topic", operation: "read", name });
    expect(["clicks", "clicks.eu", "click", "Clicks"].map((name) => allows(reader, of(name)))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    const prefixed = holder({ resource: "topic", prefix: "clicks.", operations: ["read"] });
    expect(["clicks", "clicks.", "clicks.eu"].map((name) => allows(prefixed, of(name)))).toEqual([false, true, true]);
  });

  test("a denial names the right that is missing, and nothing of what the token has", () => {
    const writer = holder({ resource: "topic", name: "secret-plans", operations: ["write"] });
    const error = refusal(() => authorize(writer, { resource: "topic", operation: "write", name: "clicks" }));
    expect(error).toMatchObject({ code: "forbidden", outcome: "not_applied", details: {} });
    expect(error.message).toBe('this token lacks write on topic "clicks"');
  });

  test("every right has words", () => {
    expect(describeRight({ resource: "topic", operation: "describe", name: "a" })).toBe('read, write or admin on topic "a"');
    expect(describeRight({ resource: "group", operation: "read" })).toBe("read on any group");
    expect(describeRight({ resource: "cluster", operation: "admin" })).toBe("admin on the cluster");
  });
});
