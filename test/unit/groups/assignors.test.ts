import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ASSIGNORS, type Assignor, type AssignorMember } from "../../../lib/groups/consumer/assignors.ts";

const uniform = ASSIGNORS["uniform"] as Assignor;
const range = ASSIGNORS["range"] as Assignor;

const TOPICS = ["a", "b", "c"];
const world = fc.record({
  partitions: fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 })),
  members: fc.uniqueArray(
    fc.record({ id: fc.integer({ min: 0, max: 30 }).map((n) => `m${n}`), topics: fc.subarray(TOPICS, { minLength: 1 }) }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 7 },
  ),
});

function build({ partitions, members }: { partitions: readonly number[]; members: readonly { id: string; topics: string[] }[] }) {
  return {
    counts: new Map(TOPICS.map((topic, i) => [topic, partitions[i] as number])),
    members: members.map(({ id, topics }): AssignorMember => ({ id, topicIds: new Set(topics), current: {} })),
  };
}

type Given = ReturnType<Assignor>;

function owners(given: Given): Map<string, string> {
  const out = new Map<string, string>();
  for (const [id, target] of given) {
    for (const [topic, partitions] of Object.entries(target)) {
      for (const partition of partitions) {
        expect(out.has(`${topic}${partition}`)).toBe(false);
        out.set(`${topic}${partition}`, id);
      }
    }
  }
  return out;
}

const loadOf = (given: Given, id: string): number => Object.values(given.get(id) ?? {}).flat().length;

describe.each([
  ["uniform", uniform],
  ["range", range],
] as const)("%s", (_, assign) => {
  test("property: gives every partition of a read topic to exactly one of its readers", () => {
    fc.assert(
      fc.property(world, (one) => {
        const { counts, members } = build(one);
        const given = owners(assign(members, counts));
        for (const [topic, count] of counts) {
          const readers = members.filter(({ topicIds }) => topicIds.has(topic)).map(({ id }) => id);
          for (let p = 0; p < count; p++) {
            const owner = given.get(`${topic}${p}`);
            if (readers.length === 0) expect(owner).toBeUndefined();
            else expect(readers).toContain(owner);
          }
        }
        expect([...given.keys()].every((name) => Number(name.slice(1)) < (counts.get(name[0] as string) ?? 0))).toBe(true);
      }),
    );
  });
});

describe("uniform", () => {
  test("property: members with the same topics differ by one partition at most", () => {
    fc.assert(
      fc.property(world, (one) => {
        const { counts, members } = build(one);
        const given = uniform(members, counts);
        for (const a of members) {
          for (const b of members) {
            if ([...a.topicIds].join() !== [...b.topicIds].join()) continue;
            expect(Math.abs(loadOf(given, a.id) - loadOf(given, b.id))).toBeLessThanOrEqual(1);
          }
        }
      }),
    );
  });

  test("property: nothing moves when nothing changes, and a member that leaves moves only its own partitions", () => {
    fc.assert(
      fc.property(world, (one) => {
        const { counts, members } = build(one);
        const all = members.map((member) => ({ ...member, topicIds: new Set(TOPICS) }));
        const first = uniform(all, counts);
        const again = all.map((member) => ({ ...member, current: first.get(member.id) ?? {} }));
        expect(uniform(again, counts)).toEqual(first);
        if (again.length < 2) return;
        const before = owners(first);
        const after = owners(uniform(again.slice(1), counts));
        const gone = all[0]?.id;
        for (const [name, owner] of before) if (owner !== gone) expect(after.get(name)).toBe(owner);
      }),
    );
  });

  test("a member that joins gets its share, and no other partition moves", () => {
    const counts = new Map([["a", 10]]);
    const one: AssignorMember = { id: "m1", topicIds: new Set(["a"]), current: { a: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] } };
    const two: AssignorMember = { id: "m0", topicIds: new Set(["a"]), current: {} };
    const given = uniform([one, two], counts);
    expect([loadOf(given, "m1"), loadOf(given, "m0")]).toEqual([5, 5]);
  });
});

describe("range", () => {
  test("gives the same run of topics of the same size to a member, in the order of instance ids", () => {
    const members: AssignorMember[] = [
      { id: "z", instanceId: "i1", topicIds: new Set(["a", "b"]), current: {} },
      { id: "a", instanceId: "i2", topicIds: new Set(["a", "b"]), current: {} },
    ];
    const given = range(
      members,
      new Map([
        ["a", 5],
        ["b", 5],
      ]),
    );
    expect(given.get("z")).toEqual({ a: [0, 1, 2], b: [0, 1, 2] });
    expect(given.get("a")).toEqual({ a: [3, 4], b: [3, 4] });
  });
});
