/**
 * What consumers put into Join and Sync under the protocol type `consumer` (Kafka's ConsumerProtocolSubscription and
 * ConsumerProtocolAssignment, versions 0 to 3). Read only as far as is needed here: topics and partitions; what follows
 * belongs to the clients.
 */
export interface AssignedTopic {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/** The topics that a member subscribes to; undefined when this is no subscription. */
export function subscribedTopics(metadata: Uint8Array): string[] | undefined {
  return reading(metadata, (read) => {
    read.version();
    return read.many(read.text);
  });
}

/** The partitions that a member is given; undefined when this is no assignment. */
export function assignedPartitions(assignment: Uint8Array): AssignedTopic[] | undefined {
  if (assignment.byteLength === 0) return [];
  return reading(assignment, (read) => {
    read.version();
    return read.many(() => ({ topic: read.text(), partitions: read.many(read.int32) }));
  });
}

interface Read {
  version(): number;
  int32(): number;
  text(): string;
  many<T>(one: () => T): T[];
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function reading<T>(bytes: Uint8Array, run: (read: Read) => T): T | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const int16 = (): number => {
    at += 2;
    return view.getInt16(at - 2);
  };
  const int32 = (): number => {
    at += 4;
    return view.getInt32(at - 4);
  };
  const text = (): string => {
    const length = int16();
    if (length < 0 || at + length > bytes.byteLength) throw new RangeError("a text is longer than what holds it");
    at += length;
    return decoder.decode(bytes.subarray(at - length, at));
  };
  const many = <E>(one: () => E): E[] => {
    const count = int32();
    // Each element takes a byte at least, so a count that lies ends at the end of the bytes.
    if (count > bytes.byteLength) throw new RangeError("a count is larger than what holds it");
    return Array.from({ length: Math.max(0, count) }, one);
  };
  try {
    return run({ version: int16, int32, text, many });
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}
