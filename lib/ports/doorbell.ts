/** Doorbell: wakes readers that wait at the end of a partition. A hint alone: a missed ring costs time, never a record. */
export interface Doorbell {
  /** Something was appended to this partition (`<topicId>#<p>`). Never fails and never waits. */
  ring(partition: string): void;

  /**
   * Resolves after one of the partitions was rung, or at the deadline (on the clock's `monotonicMs`), or when `signal` aborts; it may also
   * resolve early for no reason. A ring that came after the call began is never missed.
   */
  wait(partitions: readonly string[], deadlineMs: number, signal?: AbortSignal): Promise<void>;
}
