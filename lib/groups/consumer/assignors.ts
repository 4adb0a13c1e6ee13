/**
 * The server's assignors (KIP-848), pure. Both are given what each member subscribes to and has, and give every
 * partition of a subscribed topic to exactly one of its subscribers.
 *
 * `uniform`: no two members with the same subscription differ by more than one partition, and partitions move only as far as
 * that needs. `range`: each topic's partitions in one run for each member, the same for topics of the same size.
 */
import type { Target } from "../items/state.ts";

export interface AssignorMember {
  readonly id: string;
  readonly instanceId?: string | undefined;
  readonly topicIds: ReadonlySet<string>;
  /** What it was given last. */
  readonly current: Target;
}

export type Assignor = (
  members: readonly AssignorMember[],
  partitions: ReadonlyMap<string, number>,
) => ReadonlyMap<string, Record<string, number[]>>;

export const ASSIGNORS: Readonly<Record<string, Assignor>> = { uniform, range };
export const DEFAULT_ASSIGNOR = "uniform";

/** Static members by their instance id, which outlives their member ids. */
function sorted(members: readonly AssignorMember[]): AssignorMember[] {
  return [...members].sort((a, b) => compare(a.instanceId ?? a.id, b.instanceId ?? b.id));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function range(members: readonly AssignorMember[], partitions: ReadonlyMap<string, number>) {
  const given = new Map(members.map(({ id }) => [id, {} as Record<string, number[]>]));
  const inOrder = sorted(members);
  for (const [topicId, count] of partitions) {
    const readers = inOrder.filter(({ topicIds }) => topicIds.has(topicId));
    let next = 0;
    for (const [i, { id }] of readers.entries()) {
      const share = Math.floor(count / readers.length) + (i < count % readers.length ? 1 : 0);
      if (share > 0) (given.get(id) as Record<string, number[]>)[topicId] = Array.from({ length: share }, (_, k) => next + k);
      next += share;
    }
  }
  return given;
}

interface Slot {
  readonly topicId: string;
  readonly partition: number;
  owner: Load | undefined;
}

interface Load {
  readonly member: AssignorMember;
  count: number;
}

function uniform(members: readonly AssignorMember[], partitions: ReadonlyMap<string, number>) {
  const loads = sorted(members).map((member): Load => ({ member, count: 0 }));
  const readers = new Map(
    [...partitions.keys()].map((topicId) => [topicId, loads.filter(({ member }) => member.topicIds.has(topicId))]),
  );
  const slots = keep(loads, partitions);
  for (const slot of slots) if (slot.owner === undefined) move(slot, lightest(readers.get(slot.topicId) ?? []));
  // Each move makes the loads more even, so this ends.
  for (let moved = true; moved; ) {
    moved = false;
    for (const slot of slots) {
      const least = lightest(readers.get(slot.topicId) ?? []);
      if (slot.owner === undefined || least === undefined || slot.owner.count - least.count < 2) continue;
      move(slot, least);
      moved = true;
    }
  }
  const given = new Map(members.map(({ id }) => [id, {} as Record<string, number[]>]));
  for (const { topicId, partition, owner } of slots) {
    if (owner === undefined) continue;
    const mine = given.get(owner.member.id) as Record<string, number[]>;
    const some = mine[topicId] ?? [];
    mine[topicId] = some;
    some.push(partition);
  }
  return given;
}

/** Every partition, with the member that has it and may keep it. */
function keep(loads: readonly Load[], partitions: ReadonlyMap<string, number>): Slot[] {
  const owners = new Map<string, Load>();
  for (const load of loads) {
    for (const [topicId, some] of Object.entries(load.member.current)) {
      if (!load.member.topicIds.has(topicId)) continue;
      for (const partition of some) if (!owners.has(`${topicId}#${partition}`)) owners.set(`${topicId}#${partition}`, load);
    }
  }
  const slots: Slot[] = [];
  for (const [topicId, count] of [...partitions].sort(([a], [b]) => compare(a, b))) {
    for (let partition = 0; partition < count; partition++) {
      const slot: Slot = { topicId, partition, owner: undefined };
      move(slot, owners.get(`${topicId}#${partition}`));
      slots.push(slot);
    }
  }
  return slots;
}

function move(slot: Slot, to: Load | undefined): void {
  if (slot.owner !== undefined) slot.owner.count--;
  slot.owner = to;
  if (to !== undefined) to.count++;
}

function lightest(loads: readonly Load[]): Load | undefined {
  let least: Load | undefined;
  for (const load of loads) if (least === undefined || load.count < least.count) least = load;
  return least;
}
