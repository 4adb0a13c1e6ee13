/**
 * Tries every order of steps, breadth first, so that what it finds is the shortest way there. Between any two steps any other
 * process may run; a write may be refused an answer (`lates` of them), and is then applied at any later moment, or never; a
 * writer may crash with it. That other processes crash is covered: a process need not be run any further.
 *
 * States are told apart by 64 bits of a hash: with some millions of them, that two collide is less likely than a failing disk.
 */
import type { Answer, Process } from "./process.ts";
import { next } from "./processes.ts";
import type { Rules } from "./rules.ts";
import { apply, check, type Op, type Store, Violation } from "./store.ts";

export interface Scenario {
  readonly name: string;
  readonly store: Store;
  readonly processes: readonly Process[];
  /** For the longer search of `npm run model`. */
  readonly more?: readonly Process[];
  /** Writes of before that may still be applied. */
  readonly late?: readonly Op[];
  /** So many writes may go unanswered. */
  readonly lates: number;
  /** May this record be compacted away? */
  readonly compacted?: (record: string) => boolean;
}

interface State {
  readonly store: Store;
  readonly processes: readonly Process[];
  readonly late: readonly Op[];
  readonly lates: number;
  /** Where it came from, for the trace. */
  readonly id: number;
}

export interface Found {
  readonly states: number;
  /** Undefined where nothing was found. */
  readonly violation?: string;
  readonly trace?: readonly string[];
  /** Not all states were looked at. */
  readonly cut: boolean;
}

export function search(scenario: Scenario, rules: Rules, statesMost = Number.POSITIVE_INFINITY): Found {
  const compacted = scenario.compacted ?? (() => false);
  const seen = new Set<number>();
  const cameFrom: number[] = [];
  const labels: string[] = [];
  const trace = (id: number, last: string): string[] => {
    const lines = [last];
    for (let at = id; at > 0; at = cameFrom[at] as number) lines.push(labels[at] as string);
    return lines.reverse();
  };
  let frontier: State[] = [];
  const reach = (state: Omit<State, "id">, from: number, label: string, into: State[]): void => {
    const key = hashOf(state);
    if (seen.has(key)) return;
    seen.add(key);
    const id = labels.length;
    labels.push(label);
    cameFrom.push(from);
    into.push({ ...state, id });
  };
  reach(
    { store: scenario.store, processes: ordered(scenario.processes), late: scenario.late ?? [], lates: scenario.lates },
    0,
    "",
    frontier,
  );
  while (frontier.length > 0) {
    const following: State[] = [];
    for (const state of frontier) {
      if (labels.length > statesMost) return { states: labels.length, cut: true };
      for (const move of moves(state, rules)) {
        let label = move.label;
        try {
          const after = move.run();
          label = after.label ?? label;
          if (after.state.store !== state.store) check(after.state.store, rules, compacted);
          reach(after.state, state.id, label, following);
        } catch (error) {
          if (!(error instanceof Violation)) throw error;
          return {
            states: labels.length,
            violation: error.message,
            trace: trace(state.id, `${label}: ${error.message}`),
            cut: false,
          };
        }
      }
    }
    frontier = following;
  }
  return { states: labels.length, cut: false };
}

interface Move {
  readonly label: string;
  readonly run: () => { readonly state: Omit<State, "id">; readonly label?: string };
}

function* moves(state: State, rules: Rules): Iterable<Move> {
  const { store, processes, late, lates } = state;
  let before: Process | undefined;
  for (const [i, process] of processes.entries()) {
    // Two that are alike do alike.
    if (before !== undefined && before.is === process.is && textOf(before) === textOf(process)) continue;
    before = process;
    const others = processes.filter((_, k) => k !== i);
    const step = next(process, rules, processes);
    const go = (to: readonly Process[], more: Partial<State> = {}): Omit<State, "id"> => ({
      store,
      late,
      lates,
      ...more,
      processes: ordered([...others, ...to]),
    });
    if ("read" in step) {
      yield { label: `${nameOf(process)} reads`, run: () => ({ state: go(step.read(store)) }) };
      continue;
    }
    const { write, after: goOn } = step;
    const label = `${nameOf(process)}: ${describe(write)}`;
    yield {
      label,
      run: () => {
        const after = apply(store, write, rules);
        const answer: Answer = { is: after === undefined ? "refused" : "done", store: after ?? store };
        return { state: go(goOn(answer), { store: answer.store }), label: after === undefined ? `${label}, refused` : label };
      },
    };
    if (lates === 0) continue;
    const unanswered = { late: ordered([...late, write]), lates: lates - 1 };
    yield { label: `${label}, no answer`, run: () => ({ state: go(goOn({ is: "unknown" }), unanswered) }) };
    if (process.is === "lane") yield { label: `${label}, crashes meanwhile`, run: () => ({ state: go([], unanswered) }) };
  }
  for (const [i, op] of late.entries()) {
    yield {
      label: `late: ${describe(op)}`,
      run: () => {
        const after = apply(store, op, rules);
        const left = { late: late.filter((_, k) => k !== i), lates };
        return {
          state: { store: after ?? store, processes, ...left },
          label: `late: ${describe(op)}${after === undefined ? ", refused" : ""}`,
        };
      },
    };
  }
}

interface Known {
  readonly text: string;
  readonly a: number;
  readonly b: number;
}

/** Texts and hashes of what states have in common. */
const knowns = new WeakMap<object, Known>();

function knownOf(value: object): Known {
  let known = knowns.get(value);
  if (known === undefined) {
    const text = JSON.stringify(value);
    let a = 0x811c9dc5;
    let b = 0x9e3779b9;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ unit, 0x85ebca6b);
      b ^= b >>> 13;
    }
    known = { text, a, b };
    knowns.set(value, known);
  }
  return known;
}

const textOf = (value: object): string => knownOf(value).text;

/** Their order means nothing. */
function ordered<T extends object>(all: readonly T[]): readonly T[] {
  return all.length < 2 ? all : [...all].sort((x, y) => (textOf(x) < textOf(y) ? -1 : 1));
}

function hashOf({ store, processes, late, lates }: Omit<State, "id">): number {
  let a = late.length;
  let b = lates;
  const add = (value: object): void => {
    const known = knownOf(value);
    a = Math.imul(a ^ known.a, 0x01000193);
    a = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d);
    b = Math.imul(b ^ known.b, 0x85ebca6b);
    b = Math.imul(b ^ (b >>> 13), 0x297a2d39);
  };
  for (const one of store.partitions) add(one);
  add(store.blobs);
  add(store.objects);
  for (const one of processes) add(one);
  for (const one of late) add(one);
  return ((a >>> 0) & 0x1fffff) * 2 ** 32 + (b >>> 0);
}

function nameOf(process: Process): string {
  const at = "at" in process ? ` (${process.at})` : "";
  const who = process.is === "lane" ? `writer of ${process.lane.record}` : process.is;
  return `${who}${at}`;
}

function describe(op: Op): string {
  const { op: name, ...rest } = op;
  return `${name} ${JSON.stringify(rest)}`;
}
