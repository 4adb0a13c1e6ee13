/** The rules of groups and commits, each taken out alone: the checks must notice. */
import { commitDirty, pollGroup, returned } from "../../../lib/groups/poll/poll.ts";
import type { CommittedOffset, GroupsApi } from "../../../lib/groups/types.ts";
import type { Condition, Storage, Update, Write } from "../../../lib/ports/index.ts";
import { altered, bound, replaced, without } from "../sabotage.ts";
import type { Sabotage } from "./simulation.ts";

export const SABOTAGE: Readonly<Record<string, Sabotage>> = {
  "partitions are given without a stamp": {
    storage: (storage) => altered(storage, (op) => (isStamp(op) ? unstamped(op) : op)),
  },
  "a commit does not look at the guard": {
    storage: (storage) => without(storage, (condition, op) => isCommit(op) && onPath(condition, "w")),
  },
  "commits are ordered by their clocks alone": { storage: (storage) => altered(storage, byClock) },
  "a stamp does not look at the guard": {
    storage: (storage) => without(storage, (condition, op) => isStamp(op) && onPath(condition, "w")),
  },
  "a state is put whatever became of the one that was read": {
    storage: (storage) => without(storage, (condition, op) => isState(op) && onPath(condition, "k")),
  },
  "a group is deleted whatever became of it": {
    storage: (storage) => without(storage, (condition, op) => isState(op) && op.op === "delete" && onPath(condition, "k")),
  },
  "offsets expire whatever was committed meanwhile": {
    storage: (storage) =>
      without(storage, (condition, op) => isBlock(op) && changes(op, "remove", "o") && onPath(condition, "k")),
  },
  "a silent member is never out": { storage: heardNow },
  "a commit is taken as of whoever is in the group": { groups: (groups) => replaced(groups, { commit: commitAsMember(groups) }) },
  "offsets are fetched as they were at first": { groups: (groups) => replaced(groups, { fetchOffsets: fetchOnce(groups) }) },
  "a poll commits what it returns": {
    async poll(parts, request) {
      const answer = await pollGroup(parts, request);
      const next = answer.polled.map(({ topic, partition, result }) => ({ topic, partition, offset: result.nextOffset }));
      await commitDirty(parts, returned(answer.cursor, next));
      return answer;
    },
  },
};

function isBlock(op: Write): op is Update {
  return op.op === "update" && op.key.sk.startsWith("O#");
}

function isState(op: Write): boolean {
  return op.key.sk === "STATE";
}

function changes(op: Update, what: "set" | "remove", letter: string): boolean {
  return op.changes.some((change) => {
    const name = (change as Readonly<Record<string, unknown>>)[what];
    return typeof name === "string" && name.startsWith(letter);
  });
}

function isCommit(op: Write): op is Update {
  return isBlock(op) && changes(op, "set", "o");
}

function isStamp(op: Write): op is Update {
  return isBlock(op) && changes(op, "set", "s");
}

function unstamped(op: Update): Update {
  return {
    ...op,
    changes: op.changes.filter((change) => !("set" in change) || change.set === "v" || change.set === "k"),
    when: [],
  };
}

function onPath(condition: Condition, letter: string): boolean {
  return "path" in condition && typeof condition.path === "string" && condition.path.startsWith(letter);
}

/** A commit whose guard need only be below its own. */
function byClock(op: Write): Write {
  if (!isCommit(op)) return op;
  const guards = new Map(op.changes.flatMap((change) => ("set" in change && "to" in change ? [[change.set, change.to]] : [])));
  const when = (op.when ?? []).map((condition): Condition => {
    if (!("path" in condition) || typeof condition.path !== "string" || !condition.path.startsWith("w")) return condition;
    return condition.is === "=" ? { path: condition.path, is: "<", value: guards.get(condition.path) as number } : condition;
  });
  return { ...op, when };
}

function heardNow(storage: Storage): Storage {
  const { table } = storage;
  const range: typeof table.range = async (pk, query) => {
    const found = await table.range(pk, query);
    return found.map((one) => (one.key.sk.startsWith("M#") ? { ...one, item: { ...one.item, h: 2 ** 50 } } : one));
  };
  return { ...storage, table: { ...bound(table), range } };
}

function commitAsMember(groups: GroupsApi): GroupsApi["commit"] {
  return async (request) => {
    if (request.member === undefined) return groups.commit(request);
    const { members, epoch, type } = await groups.describe(request.group);
    const one = members[0];
    const member =
      one === undefined ? request.member : { memberId: one.memberId, epoch: type === "classic" ? epoch : (one.epoch ?? 0) };
    return groups.commit({ ...request, member });
  };
}

function fetchOnce(groups: GroupsApi): GroupsApi["fetchOffsets"] {
  const first = new Map<string, CommittedOffset>();
  return async (request) =>
    (await groups.fetchOffsets(request)).map((one) => {
      const name = `${one.topic}-${one.partition}`;
      if (!first.has(name)) first.set(name, one);
      return first.get(name) as CommittedOffset;
    });
}
