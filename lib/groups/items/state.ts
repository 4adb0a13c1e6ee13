/**
 * The state of a group: key `G#<group>`, `STATE`. One item, changed by compare-and-set on `k`.
 *
 * | attribute | what |
 * |---|---|
 * | `v`, `k` | format version; counter: begins anywhere, every change adds one |
 * | `b` | what `k` began at: tells this group from one of its name that was deleted; 0 where it was made before there was a `b` |
 * | `t` | `classic`, `consumer`, `share` |
 * | `e` | epoch: generation of a classic group, group epoch of the other |
 * | `a` | since when it is in its phase, or has no members, milliseconds since 1970 |
 * | `m` | members, by id |
 * | `p`, `n`, `l`, `y`, `d`, `i` | classic: phase, chosen protocol, leader, protocol type, deadline of the phase, is the first rebalance |
 * | `g`, `h` | consumer: epoch of the target assignment, hash of the topics it was made for; share: `h` alone |
 *
 * S1  `e` only grows, also when the type changes; a group that was deleted and made again starts above every stamp left.
 * S2  `k` grows with every change, and every change is on condition that `k` is what was read. It begins at random, so that
 *     what is late and was meant for a group of the same name that was deleted fails.
 */

import { checkFormat, FORMAT_VERSION } from "../../log/items/format.ts";
import type { Check, Condition, Delete, Item, Key, Put, Value, ValueMap } from "../../ports/index.ts";
import { groupPk } from "./group.ts";

export interface ClassicProtocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface ClassicMember {
  readonly instanceId?: string | undefined;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocols: readonly ClassicProtocol[];
  /** While the group prepares a rebalance: has joined it. */
  readonly joined: boolean;
  /** When it last did something that is in this item. */
  readonly seenMs: number;
  readonly assignment: Uint8Array;
}

export interface ClassicState {
  readonly type: "classic";
  /** Generation. */
  readonly epoch: number;
  readonly sinceMs: number;
  readonly phase: "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable";
  /** `consumer`, `connect`; empty: no member was ever in it. */
  readonly protocolType: string;
  readonly protocol?: string | undefined;
  readonly leader?: string | undefined;
  /** Preparing: when it ends without those who have not joined. Completing: when it ends without an assignment. */
  readonly deadlineMs: number;
  /** Preparing from empty: it goes on no earlier, so that members who start together are in one generation. */
  readonly notBeforeMs: number;
  readonly members: Readonly<Record<string, ClassicMember>>;
}

/** Topic id to partition to a number: the epoch at which it was given. */
export type Owned = Readonly<Record<string, Readonly<Record<string, number>>>>;
/** Topic id to partitions in rising order. */
export type Target = Readonly<Record<string, readonly number[]>>;

export interface ConsumerMember {
  readonly instanceId?: string | undefined;
  readonly rackId?: string | undefined;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly topics: readonly string[];
  readonly regex?: string | undefined;
  readonly assignor?: string | undefined;
  /** -2: a static member that has left for a while. */
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly state: "stable" | "unrevoked" | "unreleased";
  readonly assigned: Owned;
  /** Taken away, and not given back by the member yet. */
  readonly revoking: Owned;
  /** 0: nothing to give back; else when the member is removed for not having done so. */
  readonly revokeByMs: number;
  readonly target: Target;
  readonly seenMs: number;
}

export interface ConsumerState {
  readonly type: "consumer";
  /** Group epoch. */
  readonly epoch: number;
  readonly sinceMs: number;
  readonly targetEpoch: number;
  /** What the target assignment was made for: topics, their ids and partitions. */
  readonly topicsHash: string;
  readonly members: Readonly<Record<string, ConsumerMember>>;
}

export interface ShareMember {
  readonly rackId?: string | undefined;
  readonly clientId: string;
  readonly clientHost: string;
  readonly topics: readonly string[];
  /** The group epoch whose assignment it was told. */
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly seenMs: number;
}

/** The assignment is not stored: it follows from the members and the topics. */
export interface ShareGroupState {
  readonly type: "share";
  /** Group epoch. */
  readonly epoch: number;
  readonly sinceMs: number;
  /** What there was to be read at this epoch: topics, their ids and partitions. */
  readonly topicsHash: string;
  readonly members: Readonly<Record<string, ShareMember>>;
}

export type GroupState = ClassicState | ConsumerState | ShareGroupState;

/** A state with the counter it was read at. */
export interface Versioned {
  readonly state: GroupState;
  readonly version: number;
  /** No other group that ever had this name has the same. */
  readonly born: number;
}

export function stateKey(group: string): Key {
  return { pk: groupPk(group), sk: "STATE" };
}

export function hasMembers(state: GroupState): boolean {
  return Object.keys(state.members).length > 0;
}

/** A new state, where there is none. `first`: what its counter begins at (S2). */
export function newState(group: string, state: GroupState, first: number): Put {
  return { ...stateItem(group, state, first, first), when: [{ item: "absent" }] };
}

/** Puts a state in the place of the one that was read. */
export function putState(group: string, state: GroupState, before: Versioned): Put {
  return { ...stateItem(group, state, before.version + 1, before.born), when: [{ path: "k", is: "=", value: before.version }] };
}

function stateItem(group: string, state: GroupState, k: number, b: number): Put {
  return {
    op: "put",
    key: stateKey(group),
    item: { v: FORMAT_VERSION, k, b, ...itemOf(state) },
  };
}

/** Holds while the state is the one that was read; undefined: while there is none. */
export function isStill(group: string, before: Versioned | undefined): Check {
  const when: Condition = before === undefined ? { item: "absent" } : { path: "k", is: "=", value: before.version };
  return { op: "check", key: stateKey(group), when: [when] };
}

export function deleteState(group: string, before: Versioned): Delete {
  return { op: "delete", key: stateKey(group), when: [{ path: "k", is: "=", value: before.version }] };
}

export function decodeState(item: Item | undefined): Versioned | undefined {
  if (item === undefined) return undefined;
  checkFormat(item, "the state of a group");
  const decode = item["t"] === "classic" ? decodeClassic : item["t"] === "share" ? decodeShareGroup : decodeConsumer;
  return { version: item["k"] as number, born: (item["b"] ?? 0) as number, state: decode(item) };
}

function itemOf(state: GroupState): Item {
  if (state.type === "classic") return classicItem(state);
  return state.type === "share" ? shareGroupItem(state) : consumerItem(state);
}

function shareGroupItem(state: ShareGroupState): Item {
  return {
    t: "share",
    e: state.epoch,
    a: state.sinceMs,
    h: state.topicsHash,
    m: mapped(state.members, (member) =>
      present({
        k: member.rackId,
        c: member.clientId,
        h: member.clientHost,
        s: [...member.topics],
        e: member.epoch,
        q: member.previousEpoch,
        t: member.seenMs,
      }),
    ),
  };
}

function decodeShareGroup(item: Item): ShareGroupState {
  return {
    type: "share",
    epoch: item["e"] as number,
    sinceMs: item["a"] as number,
    topicsHash: item["h"] as string,
    members: mapped(item["m"] as ValueMap, (value) => {
      const one = value as ValueMap;
      return {
        rackId: one["k"] as string | undefined,
        clientId: one["c"] as string,
        clientHost: one["h"] as string,
        topics: one["s"] as readonly string[],
        epoch: one["e"] as number,
        previousEpoch: one["q"] as number,
        seenMs: one["t"] as number,
      };
    }),
  };
}

function classicItem(state: ClassicState): Item {
  return present({
    t: "classic",
    e: state.epoch,
    a: state.sinceMs,
    p: state.phase,
    n: state.protocol,
    l: state.leader,
    y: state.protocolType,
    d: state.deadlineMs,
    i: state.notBeforeMs,
    m: mapped(state.members, (member) =>
      present({
        i: member.instanceId,
        c: member.clientId,
        h: member.clientHost,
        s: member.sessionTimeoutMs,
        r: member.rebalanceTimeoutMs,
        p: member.protocols.flatMap(({ name, metadata }) => [name, metadata]),
        j: member.joined,
        t: member.seenMs,
        a: member.assignment,
      }),
    ),
  });
}

function decodeClassic(item: Item): ClassicState {
  return {
    type: "classic",
    epoch: item["e"] as number,
    sinceMs: item["a"] as number,
    phase: item["p"] as ClassicState["phase"],
    protocol: item["n"] as string | undefined,
    leader: item["l"] as string | undefined,
    protocolType: item["y"] as string,
    deadlineMs: item["d"] as number,
    notBeforeMs: item["i"] as number,
    members: mapped(item["m"] as ValueMap, (value) => {
      const one = value as ValueMap;
      const protocols = one["p"] as readonly (string | Uint8Array)[];
      return {
        instanceId: one["i"] as string | undefined,
        clientId: one["c"] as string,
        clientHost: one["h"] as string,
        sessionTimeoutMs: one["s"] as number,
        rebalanceTimeoutMs: one["r"] as number,
        protocols: Array.from({ length: protocols.length / 2 }, (_, i) => ({
          name: protocols[2 * i] as string,
          metadata: protocols[2 * i + 1] as Uint8Array,
        })),
        joined: one["j"] as boolean,
        seenMs: one["t"] as number,
        assignment: one["a"] as Uint8Array,
      };
    }),
  };
}

function consumerItem(state: ConsumerState): Item {
  return {
    t: "consumer",
    e: state.epoch,
    a: state.sinceMs,
    g: state.targetEpoch,
    h: state.topicsHash,
    m: mapped(state.members, (member) =>
      present({
        i: member.instanceId,
        k: member.rackId,
        c: member.clientId,
        h: member.clientHost,
        r: member.rebalanceTimeoutMs,
        s: [...member.topics],
        x: member.regex,
        n: member.assignor,
        e: member.epoch,
        q: member.previousEpoch,
        p: member.state,
        a: mapped(member.assigned, flatOwned),
        v: mapped(member.revoking, flatOwned),
        d: member.revokeByMs,
        g: mapped(member.target, (partitions) => [...partitions]),
        t: member.seenMs,
      }),
    ),
  };
}

function decodeConsumer(item: Item): ConsumerState {
  return {
    type: "consumer",
    epoch: item["e"] as number,
    sinceMs: item["a"] as number,
    targetEpoch: item["g"] as number,
    topicsHash: item["h"] as string,
    members: mapped(item["m"] as ValueMap, (value) => {
      const one = value as ValueMap;
      return {
        instanceId: one["i"] as string | undefined,
        rackId: one["k"] as string | undefined,
        clientId: one["c"] as string,
        clientHost: one["h"] as string,
        rebalanceTimeoutMs: one["r"] as number,
        topics: one["s"] as readonly string[],
        regex: one["x"] as string | undefined,
        assignor: one["n"] as string | undefined,
        epoch: one["e"] as number,
        previousEpoch: one["q"] as number,
        state: one["p"] as ConsumerMember["state"],
        assigned: mapped(one["a"] as ValueMap, ownedOf),
        revoking: mapped(one["v"] as ValueMap, ownedOf),
        revokeByMs: one["d"] as number,
        target: one["g"] as unknown as Target,
        seenMs: one["t"] as number,
      };
    }),
  };
}

/** Partitions and epochs, in turn. */
function flatOwned(owned: Readonly<Record<string, number>>): number[] {
  return Object.entries(owned).flatMap(([partition, epoch]) => [Number(partition), epoch]);
}

function ownedOf(value: Value): Record<string, number> {
  const flat = value as readonly number[];
  const owned: Record<string, number> = {};
  for (let i = 0; i < flat.length; i += 2) owned[String(flat[i])] = flat[i + 1] as number;
  return owned;
}

function mapped<A, B>(map: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]));
}

function present(values: Readonly<Record<string, Value | undefined>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Record<string, Value>;
}
