/** Topics that the system itself writes, by Kafka's names: nobody else may append to them, as in Kafka. */
export const OFFSETS_TOPIC = "__consumer_offsets";

export function isInternal(topic: string): boolean {
  return topic === OFFSETS_TOPIC || topic === "__transaction_state";
}
