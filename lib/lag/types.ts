/** What lag gives to every surface (HTTP, CLI, metrics). Implemented by `createLag`. All errors are `BrokerlessError`. */
import type { LagStatus } from "./rules.ts";
import type { TimeLag } from "./time.ts";
import type { Rates, Window } from "./window.ts";

/** The member that a partition is assigned to. */
export interface Owner {
  readonly memberId: string;
  readonly instanceId: string | undefined;
  readonly clientId: string;
  readonly clientHost: string;
}

/** One partition that the group has committed. */
export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** What is committed: the next offset to be read. */
  readonly offset: number;
  readonly committedAtMs: number;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  /** Records from the commit to the log end, those that are lost too. */
  readonly currentLag: number;
  /** Records between the commit and the log start: gone before the group read them. */
  readonly lostRecords: number;
  /** By so many the commit is above the log end. */
  readonly beyondEnd: number;
  readonly time: TimeLag;
  readonly status: LagStatus;
  /** 0 to 1: how full the window is. */
  readonly complete: number;
  readonly window: Window;
  readonly rates: Rates | undefined;
  /** Undefined: no member has it, or it was not asked for. */
  readonly owner: Owner | undefined;
}

export interface GroupLag {
  readonly group: string;
  readonly status: LagStatus;
  /** 0 to 1: the part of the partitions whose window is full. */
  readonly complete: number;
  /** The first of those with the largest lag; undefined without commits. */
  readonly maxLag: PartitionLag | undefined;
  readonly totalLag: number;
  /** The longest wait of an unread record. */
  readonly maxTime: TimeLag;
  /** -1: it has never committed. */
  readonly lastCommitMs: number;
  /** Its last commit is so long ago that Burrow would not know it any more. */
  readonly expired: boolean;
  /** By topic, then by partition. */
  readonly partitions: readonly PartitionLag[];
}

export interface LagApi {
  /** The names of all groups, sorted. */
  groups(): Promise<string[]>;
  /**
   * As it is now, with the owners. `exact`: the first unread record of each partition is read where its time is not known
   * yet. Throws `unknown_group`, `invalid_group`.
   */
  groupLag(group: string, options?: { readonly exact?: boolean }): Promise<GroupLag>;
  /** Every group that has committed, as it is now; in parts, so that there may be many. `owners`: with them. */
  all(options?: { readonly owners?: boolean }): AsyncIterable<readonly GroupLag[]>;
  /** Forgets the windows of a group; they fill again from its next commits on. */
  forget(group: string): Promise<void>;
}
