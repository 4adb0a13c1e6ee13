/**
 * What consumer groups give to every surface (HTTP, Kafka protocol, CLI, jobs). Implemented by `createGroups`. All errors
 * are `BrokerlessError`; where an answer is one for each partition or member, its `error` is one.
 */
import type { BrokerlessError } from "../base/errors.ts";
import type { Companion, ConfigEntry } from "../log/types.ts";
import type { RestConsumerStore } from "./rest/store.ts";

/** `classic`: Join, Sync, Heartbeat, Leave; the clients assign. `consumer`: KIP-848; the server assigns. `share`: KIP-932. */
export type GroupType = "classic" | "consumer" | "share";

/** Kafka's words. The middle ones are of one type each. */
export type GroupPhase =
  | "Empty"
  | "PreparingRebalance" // classic: waits for members to join
  | "CompletingRebalance" // classic: waits for the leader's assignment
  | "Assigning" // consumer
  | "Reconciling" // consumer: some member has not taken over its assignment yet
  | "Stable";

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Partitions of one topic, in rising order. */
export interface TopicPartitions {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: readonly number[];
}

/** Who speaks: shown by describe, nothing else. */
export interface GroupClient {
  readonly clientId: string;
  readonly clientHost: string;
}

/** A member as it commits or fetches offsets. */
export interface MemberRef {
  readonly memberId: string;
  /** Generation of the classic protocol, member epoch of the other. */
  readonly epoch: number;
  readonly instanceId?: string | undefined;
}

export interface OffsetToCommit extends TopicPartition {
  /** Checked where given: an offset in a topic that was deleted is none in the one that has its name now (KIP-848). */
  readonly topicId?: string | undefined;
  /** The next offset to be read; -1 and -2 are stored too, as by Kafka. */
  readonly offset: number;
  /** -1 or absent: not known. */
  readonly leaderEpoch?: number | undefined;
  /** At most 4096 bytes of UTF-8. */
  readonly metadata?: string | undefined;
  /** Expires so long after the commit, whatever the group does (OffsetCommit v2 to v4). Absent: `offsets.retention.minutes`. */
  readonly retentionMs?: number | undefined;
}

export interface CommitRequest {
  readonly group: string;
  /** Absent: an admin tool, or a consumer without group management; only while the group has no members. */
  readonly member?: MemberRef | undefined;
  /** Each partition at most once. */
  readonly offsets: readonly OffsetToCommit[];
}

export interface PartitionAnswer extends TopicPartition {
  readonly error?: BrokerlessError;
}

export interface CommittedOffset extends PartitionAnswer {
  /** The topic that has the name now, which the offset is of. Undefined: there is none, or not with this partition or id. */
  readonly topicId: string | undefined;
  /** -1: none. */
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** -1: none. */
  readonly committedAtMs: number;
}

export interface FetchOffsetsRequest {
  readonly group: string;
  /** Absent: every partition that has one. `partitions` absent: all that have one, of this topic. */
  readonly topics?:
    | readonly {
        readonly topic: string;
        /** Checked where given: `unknown_topic` where the name is another topic's now; without partitions, nothing. */
        readonly topicId?: string | undefined;
        readonly partitions?: readonly number[];
      }[]
    | undefined;
  /** Checked where given (OffsetFetch v9). */
  readonly member?: MemberRef | undefined;
  /** A partition whose offset an open transaction is about to change is answered with `unstable_offset_commit` (KIP-447). */
  readonly requireStable?: boolean | undefined;
}

/** A producer's transaction: its number grows with each that a transactional id begins. */
export interface TransactionRef {
  readonly producerId: number;
  readonly number: number;
}

/** Commits and what is committed. */
export interface OffsetsApi {
  /**
   * Durable when it resolves; one answer a partition, in the order asked. A partition that a later generation or epoch has
   * given to a member refuses an older one: `illegal_generation` or `stale_member_epoch`. Throws what concerns the whole
   * request: `invalid_group`, `unknown_group`, `unknown_member`, `fenced_instance_id`, `illegal_generation`,
   * `stale_member_epoch`, `rebalance_in_progress`, `invalid_request`.
   */
  commit(request: CommitRequest): Promise<PartitionAnswer[]>;
  /** The same as part of `appendAtomically`: these offsets and the records, all or none. */
  commitWith(request: CommitRequest): Companion;
  /**
   * Notes offsets until the transaction ends: answered as `commit`, and not seen before `finishOffsets`. Throws `invalid_txn_state` where
   * it has ended. The transaction must have been found open, with the group in it.
   */
  noteOffsets(request: CommitRequest, transaction: TransactionRef): Promise<PartitionAnswer[]>;
  /** Applies what the transaction noted in the group, all of it, or drops it; and takes no more of it. May be repeated. */
  finishOffsets(group: string, transaction: TransactionRef, commit: boolean): Promise<void>;
  /** A group that is not there has no offsets. Throws `unknown_member` and `stale_member_epoch` where a member is given. */
  fetchOffsets(request: FetchOffsetsRequest): Promise<CommittedOffset[]>;
  /** Throws `unknown_group`; a partition of a topic that members read: `group_subscribed_to_topic`. */
  deleteOffsets(group: string, partitions: readonly TopicPartition[]): Promise<PartitionAnswer[]>;
}

export interface JoinRequest {
  readonly group: string;
  /** Empty: a new member. */
  readonly memberId: string;
  readonly instanceId?: string | undefined;
  readonly client: GroupClient;
  /** 6 s to 30 min: a member that is not heard of for so long is out. */
  readonly sessionTimeoutMs: number;
  /** So long a rebalance waits for the member to join. */
  readonly rebalanceTimeoutMs: number;
  /** `consumer`, `connect`. */
  readonly protocolType: string;
  /** The member's assignors, best first, each with what it has to say to it. */
  readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[];
  /** A new member without an instance id is refused with its id first (JoinGroup v4). */
  readonly requireMemberId: boolean;
  /** Waits so long at most; 25 s where it is absent or longer. */
  readonly maxWaitMs?: number | undefined;
  /** The caller is gone: nobody waits for the answer. */
  readonly signal?: AbortSignal | undefined;
}

export interface JoinAnswer {
  readonly memberId: string;
  readonly generation: number;
  readonly protocolType: string;
  readonly protocol: string;
  readonly leader: string;
  /** The leader has nothing to assign: a static member came back, and the assignment stands (JoinGroup v9). */
  readonly skipAssignment: boolean;
  /** For the leader alone. */
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId?: string | undefined;
    readonly metadata: Uint8Array;
  }[];
}

export interface SyncRequest {
  readonly group: string;
  readonly member: MemberRef;
  /** Checked where given. */
  readonly protocolType?: string | undefined;
  readonly protocol?: string | undefined;
  /** The leader's; of others it is not looked at. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
  readonly maxWaitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface SyncAnswer {
  readonly protocolType: string;
  readonly protocol: string;
  readonly assignment: Uint8Array;
}

/** A member that leaves; by its instance id where the member id is empty. */
export interface Leaving {
  readonly memberId: string;
  readonly instanceId?: string | undefined;
}

/** Join, Sync, Heartbeat, Leave (https://kafka.apache.org/protocol; KIP-62, 345, 394, 429). */
export interface ClassicApi {
  /**
   * Waits until the generation begins, at most 25 s: then `group_busy`, and the same request goes on waiting. Throws
   * `invalid_group`, `invalid_session_timeout`, `inconsistent_group_protocol`, `unknown_member`, `fenced_instance_id`,
   * `member_id_required` (`details.memberId`), `group_max_size_reached`.
   */
  join(request: JoinRequest): Promise<JoinAnswer>;
  /**
   * Waits for the leader's assignment, at most 25 s: then `rebalance_in_progress`. Throws `unknown_member`, `illegal_generation`,
   * `rebalance_in_progress`, `fenced_instance_id`, `inconsistent_group_protocol`.
   */
  sync(request: SyncRequest): Promise<SyncAnswer>;
  /** Throws `unknown_member`, `illegal_generation`, `rebalance_in_progress`, `fenced_instance_id`. */
  heartbeat(group: string, member: MemberRef): Promise<void>;
  /** One answer a member: `unknown_member`, `fenced_instance_id`. Throws `unknown_member` where there is no such group. */
  leave(group: string, members: readonly Leaving[]): Promise<(Leaving & { readonly error?: BrokerlessError })[]>;
}

export interface ConsumerHeartbeatRequest {
  readonly group: string;
  /** Made by the client (v1), or empty with epoch 0: made here. */
  readonly memberId: string;
  /** 0 joins, -1 leaves, -2 leaves for a while (static members). */
  readonly epoch: number;
  readonly instanceId?: string | undefined;
  readonly rackId?: string | undefined;
  readonly client: GroupClient;
  /** Undefined, here and below: as it was. */
  readonly rebalanceTimeoutMs?: number | undefined;
  readonly topics?: readonly string[] | undefined;
  /** RE2's syntax, of whole names; empty: none. */
  readonly regex?: string | undefined;
  /** `uniform`, `range`. */
  readonly assignor?: string | undefined;
  /** What the member has, by topic id. */
  readonly owned?: readonly { readonly topicId: string; readonly partitions: readonly number[] }[] | undefined;
}

export interface ConsumerHeartbeatAnswer {
  readonly memberId: string;
  readonly epoch: number;
  readonly heartbeatIntervalMs: number;
  /** Undefined: as it was. */
  readonly assignment: readonly TopicPartitions[] | undefined;
}

/** The server-driven protocol (KIP-848, KIP-1251). */
export interface ServerDrivenApi {
  /**
   * Throws `invalid_group`, `invalid_request`, `unknown_member`, `fenced_member_epoch`, `unreleased_instance_id`, `fenced_instance_id`,
   * `unsupported_assignor`, `invalid_regular_expression`, `group_max_size_reached`; `unknown_group` where the group is a classic one with members.
   */
  consumerHeartbeat(request: ConsumerHeartbeatRequest): Promise<ConsumerHeartbeatAnswer>;
}

export interface GroupListing {
  readonly group: string;
  readonly type: GroupType;
  readonly phase: GroupPhase;
  /** Empty: no member was ever in it; `share` of share groups. */
  readonly protocolType: string;
}

export interface MemberDescription {
  readonly memberId: string;
  readonly instanceId?: string | undefined;
  readonly rackId?: string | undefined;
  readonly client: GroupClient;
  /** What the member owns, where that is known: always, save for classic groups of another protocol type than `consumer`. */
  readonly assigned: readonly TopicPartitions[];
  /** Of a classic group, as its clients wrote them. */
  readonly metadata?: Uint8Array | undefined;
  readonly assignment?: Uint8Array | undefined;
  /** Of the other. */
  readonly epoch?: number | undefined;
  readonly target?: readonly TopicPartitions[] | undefined;
  readonly topics?: readonly string[] | undefined;
  readonly regex?: string | undefined;
}

export interface GroupDescription extends GroupListing {
  /** Generation, or group epoch. */
  readonly epoch: number;
  /** Epoch of the target assignment; of a classic group its generation. */
  readonly targetEpoch: number;
  /** The chosen assignor; empty while there is none. */
  readonly assignor: string;
  readonly members: readonly MemberDescription[];
}

export interface GroupsApi extends OffsetsApi, ClassicApi, ServerDrivenApi {
  /** What consumers of the REST API v2 are between two calls. */
  readonly restConsumers: RestConsumerStore;
  /** By name; all, or those of these phases and types. */
  list(filter?: { readonly phases?: readonly string[]; readonly types?: readonly string[] }): Promise<GroupListing[]>;
  /** Throws `unknown_group`. */
  describe(group: string): Promise<GroupDescription>;
  /** With its offsets; its configs stay. Throws `unknown_group`, `non_empty_group`. */
  delete(group: string): Promise<void>;
  /** Every config there is, with what holds for this group, whether or not it is there. */
  configs(group: string): Promise<ConfigEntry[]>;
  /**
   * Sets (text) or resets to the default (null) the named configs and leaves the others; of a group that need not be there.
   * Holds within 30 s everywhere. Throws `invalid_config`, `invalid_group`.
   */
  alterConfigs(
    group: string,
    changes: Readonly<Record<string, string | null>>,
    options?: { readonly validateOnly?: boolean },
  ): Promise<void>;
  /** The groups that have a config set, by name. */
  configured(): Promise<string[]>;
}
