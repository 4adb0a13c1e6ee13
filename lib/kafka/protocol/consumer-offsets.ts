/**
 * The records of `__consumer_offsets` as Kafka's group coordinator writes them, so that tools which tail the topic can read
 * ours: what a group has committed (OffsetCommitKey 1, OffsetCommitValue 1 and 3), and a classic group itself (GroupMetadataKey
 * 2, GroupMetadataValue 3). Each is its version and then the message. (Kafka: group-coordinator's `common/message`.)
 */
import { concatBytes } from "../../base/bytes.ts";
import { compileShape } from "./compile.ts";
import { Reader } from "./reader.ts";
import { bytes, type Encodable, int16, int32, int64, list, nullable, type Shape, string } from "./schema.ts";
import { Writer } from "./writer.ts";

const offsetCommitKey = { version: int16, group: string, topic: string, partition: int32 };
const groupMetadataKey = { version: int16, group: string };

/** With a time of its own to expire at; else the next. */
const offsetCommitValue1 = { version: int16, offset: int64, metadata: string, commitTimestamp: int64, expireTimestamp: int64 };
const offsetCommitValue3 = { version: int16, offset: int64, leaderEpoch: int32, metadata: string, commitTimestamp: int64 };

const groupMetadataValue3 = {
  version: int16,
  protocolType: string,
  generation: int32,
  protocol: nullable(string),
  leader: nullable(string),
  currentStateTimestamp: int64,
  members: list({
    memberId: string,
    groupInstanceId: nullable(string),
    clientId: string,
    clientHost: string,
    rebalanceTimeout: int32,
    sessionTimeout: int32,
    subscription: bytes,
    assignment: bytes,
  }),
};

const OFFSET_COMMIT_KEY = 1;
const GROUP_METADATA_KEY = 2;

function encoderOf<S extends Shape>(shape: S): (value: Encodable<S>) => Uint8Array {
  const codec = compileShape(shape, 0, false);
  return (value) => {
    const writer = new Writer();
    codec.write(writer, value);
    return concatBytes(writer.finish());
  };
}

const writeCommitKey = encoderOf(offsetCommitKey);
const writeGroupKey = encoderOf(groupMetadataKey);
const writeCommitValue1 = encoderOf(offsetCommitValue1);
const writeCommitValue3 = encoderOf(offsetCommitValue3);
const writeGroupValue = encoderOf(groupMetadataValue3);
const commitKeyCodec = compileShape(offsetCommitKey, 0, false);
const groupKeyCodec = compileShape(groupMetadataKey, 0, false);

export function offsetCommitKeyOf(group: string, topic: string, partition: number): Uint8Array {
  return writeCommitKey({ version: OFFSET_COMMIT_KEY, group, topic, partition });
}

export interface CommitValue {
  readonly offset: number;
  /** -1: not known. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly committedAtMs: number;
  /** -1: by the group's retention. */
  readonly expiresAtMs: number;
}

/** As Kafka chooses the version: the first where it expires at a time of its own, which has no leader epoch. */
export function offsetCommitValueOf({ offset, leaderEpoch, metadata, committedAtMs, expiresAtMs }: CommitValue): Uint8Array {
  return expiresAtMs >= 0
    ? writeCommitValue1({ version: 1, offset, metadata, commitTimestamp: committedAtMs, expireTimestamp: expiresAtMs })
    : writeCommitValue3({ version: 3, offset, leaderEpoch, metadata, commitTimestamp: committedAtMs });
}

export function groupMetadataKeyOf(group: string): Uint8Array {
  return writeGroupKey({ version: GROUP_METADATA_KEY, group });
}

export function groupMetadataValueOf(group: Omit<Encodable<typeof groupMetadataValue3>, "version">): Uint8Array {
  return writeGroupValue({ version: 3, ...group });
}

/** The group that a record of the topic is about; undefined for kinds that are not written here. */
export function groupOfKey(key: Uint8Array): string | undefined {
  const version = key.byteLength < 2 ? -1 : ((key[0] as number) << 8) | (key[1] as number);
  const codec = version === GROUP_METADATA_KEY ? groupKeyCodec : version === OFFSET_COMMIT_KEY ? commitKeyCodec : undefined;
  return codec === undefined ? undefined : (codec.read(new Reader(key)) as { readonly group: string }).group;
}
