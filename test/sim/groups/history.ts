/**
 * What became of the commits of one group, seen where they are applied, and what its members were told. Every commit says
 * in its metadata whose it is; so each change of an offset is judged by what its writer had a right to.
 *
 * Q1  No record is missed: what is committed is below nothing that no member has processed.
 * Q2  Once a member has learnt that a partition is its own, no commit of an older owner or generation is applied.
 * Q3  A partition has one owner at an epoch.
 * Q4  A commit that was answered is there, and none that its member sent before is applied after it, save one that a process is
 *     still at work on.
 * Q5  Offsets go by their retention, once the group has no members, or with the group; never otherwise.
 * Q6  What is fetched was committed when it was asked for, or later.
 * Q7  Stamps only grow while a group lives, save those that no state of it can have written (a late write of a group before it
 *     left them); no guard goes back.
 */
import { entryOf, guardOf, type OffsetEntry, parseBlockKey, partitionsIn, stampOf } from "../../../lib/groups/items/offsets.ts";
import { decodeState } from "../../../lib/groups/items/state.ts";
import type { Item, Key } from "../../../lib/ports/index.ts";
import type { Process, World } from "../world.ts";

/** Who committed: goes through the storage as the metadata of the commit. */
export interface Tag {
  readonly who: string;
  /** As what it committed; absent: from outside the group. */
  readonly member?: string | undefined;
  /** Of this client's commits. */
  readonly seq: number;
  /** Generation or epoch at which the partition was learnt to be its own. */
  readonly claim: number;
  /** How often the group had been deleted when it was learnt. */
  readonly life: number;
}

interface Applied {
  readonly tag: Tag | undefined;
  readonly entry: OffsetEntry | undefined;
}

interface Partition {
  /** Records that some member has processed; all below `from` are. */
  readonly done: Set<number>;
  from: number;
  /** Every change of its offset. */
  readonly applied: Applied[];
  owner: { readonly who: string; readonly epoch: number } | undefined;
  readonly acked: Map<string, number>;
}

/** A state without members that was seen so many changes ago may still be what an expiry goes by. */
const RECENT_WRITES = 300;

export class GroupHistory {
  readonly wrong: string[] = [];
  /** How often the group was deleted. */
  life = 0;
  commits = 0;
  readonly #world: World;
  readonly #retentionMs: number;
  readonly #skewMs: number;
  readonly #partitions = new Map<string, Partition>();
  readonly #live = new Map<string, Process>();
  #writes = 0;
  #emptyAt = 0;
  /** Owners at or before it are out, all of them. */
  #emptiedEpoch = 0;
  #exists = false;
  /** Of the state that is there. */
  #epoch = 0;
  #members: ReadonlySet<string> = new Set();

  constructor(world: World, retentionMs: number, skewMs: number) {
    this.#world = world;
    this.#retentionMs = retentionMs;
    this.#skewMs = skewMs;
  }

  of(topicId: string, partition: number): Partition {
    const name = `${topicId}#${partition}`;
    const known = this.#partitions.get(name);
    if (known !== undefined) return known;
    const made: Partition = { done: new Set(), from: 0, applied: [], owner: undefined, acked: new Map() };
    this.#partitions.set(name, made);
    return made;
  }

  processed(topicId: string, partition: number, offset: number): void {
    const one = this.of(topicId, partition);
    one.done.add(offset);
    while (one.done.has(one.from)) one.from++;
  }

  /** A member was told that the partition is its own. */
  learnt(topicId: string, partition: number, who: string, epoch: number, life: number): void {
    if (life !== this.life || epoch <= this.#emptiedEpoch) return;
    const one = this.of(topicId, partition);
    if (one.owner !== undefined && one.owner.epoch === epoch && one.owner.who !== who) {
      this.wrong.push(`Q3: ${who} and ${one.owner.who} own ${partition} at epoch ${epoch}`);
    }
    if (one.owner === undefined || one.owner.epoch < epoch) one.owner = { who, epoch };
  }

  /** A commit is under way, until the process has ended it, one way or the other. */
  begun({ who, seq }: Pick<Tag, "who" | "seq">, process: Process): void {
    this.#live.set(`${who}/${seq}`, process);
  }

  settled({ who, seq }: Pick<Tag, "who" | "seq">): void {
    this.#live.delete(`${who}/${seq}`);
  }

  /** It was answered; `changesBefore`: of its partition, when it was asked. */
  acked(topicId: string, partition: number, tag: Tag, changesBefore: number): void {
    const one = this.of(topicId, partition);
    one.acked.set(tag.who, Math.max(tag.seq, one.acked.get(tag.who) ?? 0));
    if (one.applied.length <= changesBefore) this.wrong.push(`Q4: ${say(tag)} was answered and is not there`);
  }

  /** `changesBefore`: when it was asked. */
  fetched(topicId: string, partition: number, offset: number, changesBefore: number): void {
    const { applied } = this.of(topicId, partition);
    const possible = applied.slice(Math.max(0, changesBefore - 1)).map(({ entry }) => entry?.offset ?? -1);
    if (changesBefore === 0) possible.push(-1);
    if (!possible.includes(offset)) {
      this.wrong.push(`Q6: fetched ${offset} of partition ${partition}, where ${possible.join(", ")} were committed`);
    }
  }

  /** An item of the group was changed. */
  wrote(key: Key, before: Item | undefined, after: Item | undefined): void {
    this.#writes++;
    if (key.sk === "STATE") this.#stateChanged(before, after);
    else if (key.sk.startsWith("O#")) this.#blockChanged(key.sk, before, after);
  }

  #stateChanged(before: Item | undefined, after: Item | undefined): void {
    const state = decodeState(after)?.state;
    const had = this.#members.size > 0;
    this.#exists = state !== undefined;
    this.#epoch = state?.epoch ?? 0;
    this.#members = new Set(Object.keys(state?.members ?? {}));
    if (had && this.#members.size === 0) {
      this.#emptyAt = Number.POSITIVE_INFINITY;
      this.#emptiedEpoch = state?.epoch ?? 0;
      this.#forgetOwners();
    }
    if (!had && this.#members.size > 0) this.#emptyAt = this.#writes;
    if (before !== undefined && state === undefined) {
      if (had) this.wrong.push("Q5: the group is deleted and has members");
      this.life++;
      this.#emptiedEpoch = 0;
      this.#forgetOwners();
    }
    const was = decodeState(before)?.state.epoch ?? 0;
    if (state !== undefined && state.epoch < was) this.wrong.push(`S1: the epoch goes back from ${was} to ${state.epoch}`);
  }

  #forgetOwners(): void {
    for (const one of this.#partitions.values()) one.owner = undefined;
  }

  #blockChanged(sk: string, before: Item | undefined, after: Item | undefined): void {
    const { topicId, block } = parseBlockKey(sk);
    const there = new Set([before, after].flatMap((item) => (item === undefined ? [] : partitionsIn(item, block, "offset"))));
    for (const partition of there) {
      const [was, is] = [entryOf(before, partition), entryOf(after, partition)];
      if (JSON.stringify(was) === JSON.stringify(is)) continue;
      if (is === undefined) this.#gone(topicId, partition, was as OffsetEntry);
      else this.#applied(topicId, partition, is);
    }
    if (before === undefined || after === undefined) return;
    for (const partition of partitionsIn(before, block, "stamp")) {
      const was = stampOf(before, partition) as number;
      if ((stampOf(after, partition) ?? -1) < was && was <= this.#epoch + 1)
        this.wrong.push(`Q7: the stamp of ${partition} goes back`);
      if ((guardOf(after, partition) ?? -1) < (guardOf(before, partition) ?? -1))
        this.wrong.push(`Q7: the guard of ${partition} goes back`);
    }
  }

  #applied(topicId: string, partition: number, entry: OffsetEntry): void {
    const one = this.of(topicId, partition);
    const tag: Tag = JSON.parse(entry.metadata);
    this.commits++;
    one.applied.push({ tag, entry });
    if (entry.offset > one.from)
      this.wrong.push(`Q1: ${say(tag)} commits ${entry.offset} of ${partition}; nobody has processed ${one.from}`);
    // By an epoch, a member may still commit what it has had since an older one; by a generation, it may not.
    const own = one.owner?.who === tag.who && !tag.who.startsWith("classic");
    if (one.owner !== undefined && tag.claim < one.owner.epoch && !own) {
      this.wrong.push(
        `Q2: ${say(tag)} is applied to ${partition}, which ${one.owner.who} knows as its own since ${one.owner.epoch}`,
      );
    }
    // What is left of a deleted group goes; a member that came back under its id is known again.
    if (this.#exists && tag.member !== undefined && tag.life < this.life && !this.#members.has(tag.member))
      this.wrong.push(`Q5: ${say(tag)} is applied after the group was deleted`);
    if (tag.seq < (one.acked.get(tag.who) ?? 0) && !this.#isLive(tag)) {
      this.wrong.push(`Q4: ${say(tag)} is applied to ${partition} after ${one.acked.get(tag.who)} was answered`);
    }
  }

  #isLive({ who, seq }: Tag): boolean {
    return this.#live.get(`${who}/${seq}`)?.crashed === false;
  }

  #gone(topicId: string, partition: number, was: OffsetEntry): void {
    const one = this.of(topicId, partition);
    const last = one.applied.at(-1)?.tag;
    one.applied.push({ tag: undefined, entry: undefined });
    // It was of a group that has been deleted.
    if (last !== undefined && last.life < this.life) return;
    const ageMs = this.#world.nowMs - was.committedAtMs + 2 * this.#skewMs;
    if (ageMs < this.#retentionMs) this.wrong.push(`Q5: the offset of ${partition} is gone after ${ageMs} ms`);
    if (this.#members.size > 0 && this.#writes - this.#emptyAt > RECENT_WRITES)
      this.wrong.push(`Q5: the offset of ${partition} is gone while the group has members`);
  }
}

function say({ who, seq, claim, life }: Tag): string {
  return `commit ${seq} of ${who} at epoch ${claim} (life ${life})`;
}
