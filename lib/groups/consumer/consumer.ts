/** The server-driven protocol over a store. A heartbeat that changes nothing reads the state and writes the member's item. */
import { BrokerlessError } from "../../base/errors.ts";
import { storageStep } from "../../log/storage-errors.ts";
import { checkGroupName } from "../items/group.ts";
import type { ConsumerState, GroupState } from "../items/state.ts";
import type { GroupParts } from "../parts.ts";
import type { GroupStore } from "../store.ts";
import type { ConsumerHeartbeatAnswer, ConsumerHeartbeatRequest, ServerDrivenApi } from "../types.ts";
import { type Beat, beat, checkHeartbeat } from "./heartbeat.ts";
import { named, TopicDirectory, viewOf } from "./topics.ts";

export class ConsumerGroups implements ServerDrivenApi {
  readonly #parts: GroupParts;
  readonly #store: GroupStore;
  readonly #directory: TopicDirectory;
  readonly #maxSize: number;

  constructor(parts: GroupParts, store: GroupStore, maxSize: number) {
    this.#parts = parts;
    this.#store = store;
    this.#directory = new TopicDirectory(parts.log, parts.clock);
    this.#maxSize = maxSize;
  }

  async consumerHeartbeat(request: ConsumerHeartbeatRequest): Promise<ConsumerHeartbeatAnswer> {
    const { group } = request;
    checkGroupName(group);
    checkHeartbeat(request);
    const newId = this.#parts.ids.uuid();
    const found = await this.#store.beat(group, request.memberId);
    const members = found?.type === "consumer" ? Object.values(found.members) : [];
    const readers = [...members, { topics: request.topics ?? [], regex: request.regex || undefined }];
    let known = await this.#directory.topics(readers);
    const decide = (state: GroupState | undefined, firstEpoch: number, nowMs: number): Beat =>
      beat(consumerOr(state, request, firstEpoch, nowMs), request, newId, (of) => viewOf(of, known), this.#maxSize, nowMs);

    // Most heartbeats change nothing: then there is nothing to be stored.
    let done = found?.type !== "consumer" ? undefined : decide(found, 0, this.#parts.clock.nowMs());
    if (done === undefined || done.state !== found) {
      done = undefined;
      for (let anew = false; done === undefined; anew = true) {
        if (anew) known = await this.#directory.topics(readers, { anew });
        done = await this.#store.change(group, ({ state, firstEpoch, nowMs }) => {
          const one = decide(state, firstEpoch, nowMs);
          // A target is made only for the topics as they are: what is remembered may be older than the one that is there (N1).
          const moved = one.state.topicsHash !== (state?.type === "consumer" ? state.topicsHash : "");
          return moved && !anew ? { result: undefined } : { state: one.state, stamps: one.stamps, result: one };
        });
      }
      await storageStep(`group "${group}"`, () =>
        request.epoch === -1 ? this.#store.forget(group, [request.memberId]) : this.#store.heard(group, (done as Beat).memberId),
      );
    }
    const { memberId, epoch, assignment } = done;
    const { heartbeatMs: heartbeatIntervalMs } = await this.#store.configs.consumer(group);
    return { memberId, epoch, heartbeatIntervalMs, assignment: assignment && named(assignment, known) };
  }
}

/** A group that a member of this protocol may join: a classic one only while it is empty. */
function consumerOr(
  state: GroupState | undefined,
  { group, memberId, epoch }: ConsumerHeartbeatRequest,
  firstEpoch: number,
  nowMs: number,
) {
  if (state?.type === "consumer") return state;
  if (epoch !== 0) throw new BrokerlessError("unknown_member", `group "${group}" has no member "${memberId}"`);
  if (state !== undefined && Object.keys(state.members).length > 0) {
    throw new BrokerlessError("unknown_group", `group "${group}" is a ${state.type} group with members`);
  }
  const fresh: ConsumerState = {
    type: "consumer",
    epoch: state?.epoch ?? firstEpoch,
    targetEpoch: state?.epoch ?? firstEpoch,
    sinceMs: nowMs,
    topicsHash: "",
    members: {},
  };
  return fresh;
}
