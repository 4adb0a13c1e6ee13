/**
 * What share groups (KIP-932) give to every surface: membership, records to work on, acknowledgements, offsets. Implemented by
 * `createShareGroups`. Any process serves any call: nothing of a member is kept in a process. All errors are
 * `BrokerlessError`; where an answer is one for each partition, its `error` is one.
 */
import type { BrokerlessError } from "../../base/errors.ts";
import type { JobRun } from "../../log/jobs/job.ts";
import type { GroupClient, TopicPartitions } from "../types.ts";

/** A partition by the id of its topic. */
export interface SharePartition {
  readonly topicId: string;
  readonly partition: number;
}

export interface ShareHeartbeatRequest {
  readonly group: string;
  /** Made by the client. */
  readonly memberId: string;
  /** 0 joins, -1 leaves. */
  readonly epoch: number;
  /** Undefined: as it was. */
  readonly rackId?: string | undefined;
  readonly client: GroupClient;
  /** Undefined: as it was. */
  readonly topics?: readonly string[] | undefined;
}

export interface ShareHeartbeatAnswer {
  readonly memberId: string;
  readonly epoch: number;
  readonly heartbeatIntervalMs: number;
  /** Undefined: as it was. */
  readonly assignment: readonly TopicPartitions[] | undefined;
}

export interface ShareSessionRequest {
  readonly group: string;
  readonly memberId: string;
  /** 0 opens one in the place of any before, -1 closes it, else the next number of the one that is open. */
  readonly epoch: number;
  readonly add: readonly SharePartition[];
  readonly forget: readonly SharePartition[];
}

export interface AcquireRequest {
  readonly group: string;
  /** Who holds the records: a member id, or a name that nobody can guess. At most 40 bytes of UTF-8 are kept. */
  readonly holder: string;
  readonly partitions: readonly SharePartition[];
  /** `turn`: another partition is first each time; `priority`: the first ones are emptied first. Default `turn`. */
  readonly order?: "turn" | "priority" | undefined;
  /** Of all partitions together. */
  readonly maxRecords: number;
  /** About how many bytes at most; one record at least. */
  readonly maxBytes: number;
  /** Waits so long for a first record. */
  readonly maxWaitMs: number;
  /** Default: `share.record.lock.duration.ms` of the group. */
  readonly lockMs?: number | undefined;
  /** Where a share partition begins that is not there yet, unless the group's config says it. Default `latest`. */
  readonly firstFrom?: "earliest" | "latest" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Offsets in a row, each of which is a record. */
export interface AcquiredRange {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** 1 for the first delivery. */
  readonly deliveryCount: number;
}

export interface AcquiredPartition extends SharePartition {
  readonly topic: string;
  /** Whole record batches, one each and checked, in the order of their offsets, in which the records are; others may be in them. */
  readonly batches: readonly Uint8Array[];
  /** In rising order. */
  readonly acquired: readonly AcquiredRange[];
  readonly error?: BrokerlessError;
}

export interface AcquireAnswer {
  /** Only those with something to say. */
  readonly partitions: readonly AcquiredPartition[];
  /** So long the records are locked. */
  readonly lockMs: number;
}

/** KIP-932: 0 gap (no record is there), 1 accept, 2 release, 3 reject; KIP-1222: 4 renew. */
export type AcknowledgeType = 0 | 1 | 2 | 3 | 4;

export interface AcknowledgeBatch {
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** One for all, or one for each offset. */
  readonly types: readonly AcknowledgeType[];
  /** With `renew`: the lock is made so long from now. Default: `share.record.lock.duration.ms`. */
  readonly lockMs?: number | undefined;
}

export interface AcknowledgePartition extends SharePartition {
  readonly batches: readonly AcknowledgeBatch[];
}

export interface AcknowledgeRequest {
  readonly group: string;
  readonly holder: string;
  readonly partitions: readonly AcknowledgePartition[];
}

export interface ShareAnswer extends SharePartition {
  readonly error?: BrokerlessError;
}

export interface ShareOffset extends SharePartition {
  readonly topic: string;
  /** Share-partition start offset; -1: nothing was ever given out of it. */
  readonly startOffset: number;
  readonly stateEpoch: number;
}

/** How much there is to do in one partition. */
export interface ShareDepth extends ShareOffset {
  /** First offset that was never given out. */
  readonly endOffset: number;
  readonly logEndOffset: number;
  /** Records to be given out, those included that wait for their time. An upper bound where the log has holes. */
  readonly depth: number;
  readonly inFlight: number;
  /** Of `depth` and `inFlight`: those that are kept apart, because their time has not come or others went ahead of them. */
  readonly parked: number;
  /** Rejected, or delivered too often, and not yet in the dead-letter topic. */
  readonly dying: number;
  /** Ever since the share partition began. */
  readonly deadLetters: number;
  /** When the oldest record was written that is not finished, milliseconds since 1970; -1: there is none. */
  readonly oldestAtMs: number;
  /** Its topic is the group's dead-letter topic: what is there waits for a redrive, not for a worker. */
  readonly isDeadLetters: boolean;
}

export interface ShareGroupsApi {
  /** Throws `invalid_group`, `invalid_request`, `unknown_member`, `fenced_member_epoch`, `group_max_size_reached`; `unknown_group` where it is of another type. */
  heartbeat(request: ShareHeartbeatRequest): Promise<ShareHeartbeatAnswer>;
  /**
   * The partitions of a member's share session after this request. Throws `share_session_not_found`,
   * `invalid_share_session_epoch`. What the member holds is released where it closes.
   */
  session(request: ShareSessionRequest): Promise<readonly SharePartition[]>;
  /** So long records are locked where nobody says otherwise: `share.record.lock.duration.ms`, up to 30 s old. */
  lockMs(group: string): Promise<number>;
  /** Throws `unknown_group` where the group is of another type; it is made where there is none. */
  acquire(request: AcquireRequest): Promise<AcquireAnswer>;
  /**
   * One answer a partition: all of its batches, or `invalid_record_state` and none. What was acknowledged before in the same way is
   * so again. Durable when it resolves.
   */
  acknowledge(request: AcknowledgeRequest): Promise<ShareAnswer[]>;
  /** Gives back all that the holder has in these partitions. */
  releaseAll(group: string, holder: string, partitions: readonly SharePartition[]): Promise<void>;
  /** Of all partitions of the topics that the group was ever given records of, or of these. Throws `unknown_group`. */
  offsets(group: string, topics?: readonly string[]): Promise<ShareOffset[]>;
  /** Takes up what nobody has asked for: locks that ran out, dead letters, topics that are gone. */
  tend(group: string, run: Pick<JobRun, "untilMs" | "signal">): Promise<{ readonly partitions: number; readonly left: boolean }>;
  /** What there is to do. Throws `unknown_group`. */
  depths(group: string, topics?: readonly string[]): Promise<ShareDepth[]>;
  /** All share groups, sorted. */
  names(): Promise<string[]>;
  /** Of a group without members: the partition begins anew at this offset. Throws `unknown_group`, `non_empty_group`. */
  alterOffsets(
    group: string,
    offsets: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[],
  ): Promise<ShareAnswer[]>;
  /** Of a group without members: forgets the whole topics. Throws `unknown_group`, `non_empty_group`. */
  deleteOffsets(
    group: string,
    topics: readonly string[],
  ): Promise<{ readonly topic: string; readonly error?: BrokerlessError }[]>;
}
