/**
 * What becomes of a transactional id with each request: pure, as Kafka's `TransactionMetadata` and `TransactionCoordinator` have it
 * (KIP-98, KIP-360, KIP-890).
 *
 * M1  A transaction begins from Empty or Complete, so after all of the one before it.
 * M2  From Prepare on it only goes to Complete, with the outcome that it has.
 * M3  Who has an older epoch changes nothing. An epoch is given once.
 */
import { BrokerlessError } from "../base/errors.ts";

/** Kafka's words. */
export const PHASES = ["Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"] as const;
export type Phase = (typeof PHASES)[number];

export interface TransactionState {
  readonly producerId: number;
  readonly epoch: number;
  /** -1: none. */
  readonly lastEpoch: number;
  /** -1: none. While a transaction ends with the last epoch there is: the producer id to go on with. */
  readonly previousProducerId: number;
  readonly phase: Phase;
  readonly number: number;
  readonly timeoutMs: number;
  /** -1 while there is none. */
  readonly startedMs: number;
  readonly updatedMs: number;
  /** `<topicId>#<p>` */
  readonly partitions: readonly string[];
  readonly groups: readonly string[];
}

/** Who asks. */
export interface ProducerRef {
  readonly producerId: number;
  readonly epoch: number;
}

export type Step =
  /** As it is. */
  | { readonly kind: "same" }
  | { readonly kind: "put"; readonly state: TransactionState }
  /** The transaction before it is to be ended first; then ask again. */
  | { readonly kind: "complete" }
  /** A producer id that was never given is needed; then ask again with it. */
  | { readonly kind: "fresh" }
  | { readonly kind: "refused"; readonly error: BrokerlessError };

/** One less than the largest: a marker of an abort may still need one. */
const LAST_EPOCH = 2 ** 15 - 2;
const NONE = -1;
/** An item holds so many. */
const PARTITIONS_MOST = 10_000;
const GROUPS_MOST = 100;

const SAME: Step = { kind: "same" };
const COMPLETE: Step = { kind: "complete" };

export function isPrepared({ phase }: TransactionState): boolean {
  return phase === "PrepareCommit" || phase === "PrepareAbort";
}

/** InitProducerId. `expected`: who asks says who it is (KIP-360). `freshId`: a producer id never given, where there is one. */
export function initProducer(
  state: TransactionState | undefined,
  timeoutMs: number,
  expected: ProducerRef | undefined,
  freshId: number | undefined,
  nowMs: number,
): Step {
  if (state === undefined) {
    if (freshId === undefined) return { kind: "fresh" };
    return put({ ...BEGINNING, producerId: freshId, timeoutMs, updatedMs: nowMs });
  }
  if (isPrepared(state)) return COMPLETE;
  if (expected !== undefined && !isOf(state, expected)) {
    return refused(
      "producer_fenced",
      `producer ${expected.producerId} with epoch ${expected.epoch} is not the latest of the transactional id`,
    );
  }
  if (state.phase === "Ongoing") return put(aborting(state, nowMs));
  if (
    expected !== undefined &&
    state.lastEpoch !== NONE &&
    expected.epoch === state.lastEpoch &&
    expected.epoch !== state.epoch
  ) {
    // It was given already, and the answer was lost.
    return SAME;
  }
  const rest = { phase: "Empty", timeoutMs, updatedMs: nowMs, startedMs: NONE } as const;
  if (state.epoch >= LAST_EPOCH) {
    if (freshId === undefined) return { kind: "fresh" };
    const renewed = { producerId: freshId, epoch: 0, lastEpoch: NONE, previousProducerId: state.producerId };
    return put({ ...state, ...rest, ...renewed });
  }
  return put({ ...state, ...rest, epoch: state.epoch + 1, lastEpoch: expected === undefined ? NONE : state.epoch });
}

const BEGINNING: Omit<TransactionState, "producerId" | "timeoutMs" | "updatedMs"> = {
  epoch: 0,
  lastEpoch: NONE,
  previousProducerId: NONE,
  phase: "Empty",
  number: 0,
  startedMs: NONE,
  partitions: [],
  groups: [],
};

function isOf(state: TransactionState, { producerId, epoch }: ProducerRef): boolean {
  if (producerId === state.previousProducerId && state.epoch === 0) return true;
  return producerId === state.producerId && (epoch === state.epoch || (state.lastEpoch !== NONE && epoch === state.lastEpoch));
}

/** AddPartitionsToTxn, AddOffsetsToTxn: begins the transaction, or goes on with it. */
export function add(
  state: TransactionState | undefined,
  who: ProducerRef,
  what: { readonly partitions?: readonly string[]; readonly groups?: readonly string[] },
  nowMs: number,
): Step {
  const against = notLatest(state, who);
  if (against !== undefined || state === undefined) return against ?? COMPLETE;
  if (isPrepared(state)) return COMPLETE;
  const goesOn = state.phase === "Ongoing";
  const partitions = joined(goesOn ? state.partitions : [], what.partitions ?? []);
  const groups = joined(goesOn ? state.groups : [], what.groups ?? []);
  if (goesOn && partitions.length === state.partitions.length && groups.length === state.groups.length) return SAME;
  if (partitions.length > PARTITIONS_MOST || groups.length > GROUPS_MOST) {
    return refused(
      "transaction_abortable",
      `the transaction has ${partitions.length} partitions and ${groups.length} groups; at most ${PARTITIONS_MOST} and ${GROUPS_MOST} are taken`,
    );
  }
  if (goesOn) return put({ ...state, partitions, groups, updatedMs: nowMs });
  const begun = { phase: "Ongoing", number: state.number + 1, startedMs: nowMs, updatedMs: nowMs } as const;
  return put({ ...state, ...begun, partitions, groups });
}

function joined(have: readonly string[], more: readonly string[]): readonly string[] {
  return [...new Set([...have, ...more])];
}

/** Is this partition, or this group, part of the producer's open transaction? `same`: it is. */
export function verify(
  state: TransactionState | undefined,
  who: ProducerRef,
  what: { readonly partitions?: readonly string[]; readonly group?: string },
): Step {
  const against = notLatest(state, who);
  if (against !== undefined || state === undefined) return against ?? COMPLETE;
  if (isPrepared(state)) return COMPLETE;
  const { partitions = [], group } = what;
  const has =
    state.phase === "Ongoing" &&
    partitions.every((one) => state.partitions.includes(one)) &&
    (group === undefined || state.groups.includes(group));
  return has ? SAME : refused("invalid_txn_state", "the producer has no open transaction with this partition or group in it");
}

/**
 * EndTxn. `bumps`: the second version of the protocol (KIP-890), in which every transaction ends with a higher epoch, and one that was
 * never begun may be aborted. `same`: it has ended so before.
 */
export function end(
  state: TransactionState | undefined,
  who: ProducerRef,
  commit: boolean,
  bumps: boolean,
  freshId: number | undefined,
  nowMs: number,
): Step {
  const again = bumps && state !== undefined && isRepetition(state, who);
  const against = again ? undefined : notLatest(state, who);
  if (against !== undefined || state === undefined) return against ?? COMPLETE;
  const word = commit ? "commit" : "abort";
  const wrong = refused("invalid_txn_state", `the transaction cannot ${word}: it is ${state.phase}`);
  switch (state.phase) {
    case "Ongoing":
      return again ? wrong : prepare(state, commit, bumps, freshId, nowMs);
    case "PrepareCommit":
    case "PrepareAbort":
      return (bumps && !again) || commit === (state.phase === "PrepareCommit") ? COMPLETE : wrong;
    case "CompleteCommit":
      if (commit) return again || !bumps ? SAME : wrong;
      return bumps && !again ? prepare(state, false, true, freshId, nowMs) : wrong;
    case "CompleteAbort":
      if (commit) return wrong;
      if (again || !bumps) return SAME;
      return prepare(state, false, true, freshId, nowMs);
    case "Empty":
      return bumps && !commit && !again ? prepare(state, false, true, freshId, nowMs) : wrong;
  }
}

/** With the epoch that the producer had before this end: its answer was lost. */
function isRepetition(state: TransactionState, { producerId, epoch }: ProducerRef): boolean {
  if (producerId === state.previousProducerId) return state.epoch === 0;
  return producerId === state.producerId && state.lastEpoch !== NONE && epoch === state.lastEpoch && epoch !== state.epoch;
}

function prepare(state: TransactionState, commit: boolean, bumps: boolean, freshId: number | undefined, nowMs: number): Step {
  const phase = commit ? "PrepareCommit" : "PrepareAbort";
  const nothing = state.phase === "Ongoing" ? {} : { partitions: [], groups: [] };
  if (!bumps) return put({ ...state, ...nothing, phase, updatedMs: nowMs });
  // The marker takes the next epoch; where that was the last one, the transactional id goes on with another producer id.
  const used = state.epoch >= LAST_EPOCH;
  if (used && freshId === undefined) return { kind: "fresh" };
  return put({
    ...state,
    ...nothing,
    phase,
    epoch: state.epoch + 1,
    lastEpoch: state.epoch,
    previousProducerId: used ? (freshId as number) : state.previousProducerId,
    updatedMs: nowMs,
  });
}

/** A transaction that took too long, or whose producer was replaced: aborted with an epoch that nobody has. */
export function aborting(state: TransactionState, nowMs: number): TransactionState {
  return { ...state, phase: "PrepareAbort", epoch: state.epoch + 1, lastEpoch: NONE, updatedMs: nowMs };
}

export function isOverdue(state: TransactionState, nowMs: number): boolean {
  return state.phase === "Ongoing" && nowMs - state.startedMs > state.timeoutMs;
}

/** All markers and offsets are written. */
export function completed(state: TransactionState, nowMs: number): TransactionState {
  const phase = state.phase === "PrepareCommit" ? "CompleteCommit" : "CompleteAbort";
  const ended = { phase, partitions: [], groups: [], startedMs: NONE, updatedMs: nowMs } as const;
  if (state.epoch <= LAST_EPOCH || state.lastEpoch === NONE) return { ...state, ...ended };
  const renewed = { producerId: state.previousProducerId, previousProducerId: state.producerId, epoch: 0, lastEpoch: NONE };
  return { ...state, ...ended, ...renewed };
}

function notLatest(state: TransactionState | undefined, { producerId, epoch }: ProducerRef): Step | undefined {
  if (state === undefined || state.producerId !== producerId) {
    return refused("invalid_producer_id_mapping", `producer ${producerId} is not that of the transactional id`);
  }
  if (state.epoch !== epoch) {
    return refused("producer_fenced", `producer ${producerId} has epoch ${epoch}; its epoch is ${state.epoch} by now`);
  }
  return undefined;
}

function put(state: TransactionState): Step {
  return { kind: "put", state };
}

function refused(
  code: "producer_fenced" | "invalid_producer_id_mapping" | "invalid_txn_state" | "transaction_abortable",
  message: string,
): Step {
  return { kind: "refused", error: new BrokerlessError(code, message) };
}
