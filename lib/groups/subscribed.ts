import { subscribedTopics } from "./classic/consumer-protocol.ts";
import type { GroupState } from "./items/state.ts";

/** Does a member of the group read this topic? Pure. Of protocol types other than `consumer` nothing is known: no. */
export function subscribes(state: GroupState, topic: string, topicId: string): boolean {
  if (state.type === "share") return Object.values(state.members).some(({ topics }) => topics.includes(topic));
  if (state.type === "consumer") {
    return Object.values(state.members).some(
      ({ topics, target, assigned }) =>
        topics.includes(topic) || target[topicId] !== undefined || assigned[topicId] !== undefined,
    );
  }
  if (state.protocolType !== "consumer") return false;
  return Object.values(state.members).some(({ protocols }) =>
    protocols.some(({ metadata }) => subscribedTopics(metadata)?.includes(topic) === true),
  );
}
