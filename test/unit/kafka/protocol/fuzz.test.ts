/**
 * Frames that are not what they say: random bytes, and good requests with bytes changed, cut or lengthened. Each is read or
 * refused with one error, and costs no more memory than a frame of its size may. `npm run fuzz` reads a million.
 */
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../../lib/base/bytes.ts";
import { BrokerlessError } from "../../../../lib/base/errors.ts";
import { metadata } from "../../../../lib/kafka/protocol/api/metadata.ts";
import { offsetFetch } from "../../../../lib/kafka/protocol/api/offset-fetch.ts";
import { APIS } from "../../../../lib/kafka/protocol/apis.ts";
import {
  readRequest,
  readRequestHeader,
  readResponse,
  writeRequest,
  writeResponse,
} from "../../../../lib/kafka/protocol/messages.ts";
import { sample } from "./sample.ts";
import { versionsOf } from "./support.ts";

const CASES = Number(process.env["FUZZ_CASES"] ?? 20_000);

/** Looks random, and is the same each time. */
function dice(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Bytes that lengths and counts like. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0xfe];

function mutated(frame: Uint8Array, roll: (below: number) => number): Uint8Array {
  let bytes = new Uint8Array(frame);
  for (let i = roll(4); i >= 0; i--) {
    const at = roll(Math.max(1, bytes.byteLength));
    switch (roll(6)) {
      case 0:
        bytes = bytes.slice(0, at);
        break;
      case 1:
        bytes = new Uint8Array([
          ...bytes.subarray(0, at),
          ...Array.from({ length: roll(9) }, () => roll(256)),
          ...bytes.subarray(at),
        ]);
        break;
      case 2:
        bytes.fill(EDGES[roll(EDGES.length)] as number, at, at + 1 + roll(5));
        break;
      default:
        if (bytes.byteLength > 0) bytes[at] = roll(3) === 0 ? (EDGES[roll(EDGES.length)] as number) : roll(256);
    }
  }
  return bytes;
}

const refused = { code: "invalid_request", outcome: "not_applied" };

/** Refused means: with our error, and no other. */
function tryRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!(error instanceof BrokerlessError)) throw error;
    expect(error).toMatchObject(refused);
    return false;
  }
}

describe("frames that are not what they say", () => {
  it(`are read or refused, ${CASES} of them`, () => {
    const roll = dice(20_261_123);
    const messages = APIS.flatMap((api) =>
      versionsOf(api).flatMap((version) => [
        {
          api,
          version,
          isRequest: true,
          frame: concatBytes(
            writeRequest(api, { apiVersion: version, correlationId: 1, clientId: "fuzz" }, sample(api.request, version)),
          ),
        },
        { api, version, isRequest: false, frame: concatBytes(writeResponse(api, version, 1, sample(api.response, version))) },
      ]),
    );
    let read = 0;
    for (let i = 0; i < CASES; i++) {
      const { api, version, isRequest, frame } = messages[roll(messages.length)] as (typeof messages)[number];
      const bytes = roll(10) === 0 ? Uint8Array.from({ length: roll(200) }, () => roll(256)) : mutated(frame, roll);
      // The header stays, so that the body is looked at.
      if (isRequest && roll(4) > 0) bytes.set(frame.subarray(0, Math.min(8, bytes.byteLength)));
      const isRead = tryRead(() => {
        if (!isRequest) return readResponse(api, version, bytes);
        readRequestHeader(bytes);
        return readRequest(api, bytes);
      });
      if (isRead) read++;
    }
    // Some of both: else nothing was tried.
    expect(read).toBeGreaterThan(CASES / 50);
    expect(read).toBeLessThan(CASES * 0.98);
  });

  it("every good message that is cut is refused", () => {
    for (const api of APIS) {
      const [, version] = api.versions;
      const frame = concatBytes(writeResponse(api, version, 1, sample(api.response, version)));
      for (let size = 0; size < frame.byteLength; size++)
        expect(tryRead(() => readResponse(api, version, frame.subarray(0, size)))).toBe(false);
    }
  });
});

describe("lengths that lie are refused before anything is made of them", () => {
  const header = (version: number) => [0, 3, 0, version, 0, 0, 0, 1, 255, 255];

  it.each([
    ["an array of 2^31-1 elements", metadata, [...header(1), 0x7f, 255, 255, 255]],
    ["an array of -5 elements", metadata, [...header(1), 255, 255, 255, 251]],
    ["a compact array of 2^32 elements", metadata, [...header(12), 0, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["a varint that does not end", metadata, [...header(12), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["a text of 32,767 bytes", metadata, [...header(1), 0, 0, 0, 1, 0x7f, 0xff, 65]],
    ["null where a value must be", metadata, [...header(1), 0, 0, 0, 1, 255, 255]],
    ["a tagged field of 2^28 bytes", metadata, [...header(12), 1, 9, 0xff, 0xff, 0xff, 0x7f]],
  ])("%s", (_name, api, bytes) => {
    expect(() => readRequest(api, Uint8Array.from(bytes))).toThrow(BrokerlessError);
  });

  it("many small elements: at most a million in one message", () => {
    const partitions = 1_100_000;
    const size = new Uint8Array(4);
    new DataView(size.buffer).setInt32(0, partitions);
    const head = [0, 9, 0, 5, 0, 0, 0, 1, 255, 255, 0, 1, 103, 0, 0, 0, 1, 0, 1, 116, ...size];
    const frame = new Uint8Array(head.length + partitions * 4);
    frame.set(head);
    expect(() => readRequest(offsetFetch, frame)).toThrow("more than 1000000 array elements");
  });
});
