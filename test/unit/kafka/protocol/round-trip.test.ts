import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../../lib/base/bytes.ts";
import { deleteTopics } from "../../../../lib/kafka/protocol/api/delete-topics.ts";
import { fetch } from "../../../../lib/kafka/protocol/api/fetch.ts";
import { APIS } from "../../../../lib/kafka/protocol/apis.ts";
import {
  readRequest,
  readRequestHeader,
  readResponse,
  writeRequest,
  writeResponse,
} from "../../../../lib/kafka/protocol/messages.ts";
import { NO_UUID } from "../../../../lib/kafka/protocol/schema.ts";
import { message, versionsOf } from "./support.ts";

const HEADER = { apiVersion: 5, correlationId: 1, clientId: null };
const RUNS = { numRuns: 15 };

describe.each(APIS.map((api) => [api.name, api] as const))("%s", (_name, api) => {
  it.each(versionsOf(api))("v%i: a request is read as it was written", (version) => {
    const any = fc.record({
      body: message(api.request, version),
      correlationId: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      clientId: fc.option(fc.string({ maxLength: 20 })),
    });
    fc.assert(
      fc.property(any, ({ body, correlationId, clientId }) => {
        const frame = concatBytes(writeRequest(api, { apiVersion: version, correlationId, clientId }, body));
        expect(readRequestHeader(frame)).toEqual({ apiKey: api.key, apiVersion: version, correlationId, clientId });
        expect(readRequest(api, frame)).toEqual(body);
      }),
      RUNS,
    );
  });

  it.each(versionsOf(api))("v%i: a response is read as it was written", (version) => {
    fc.assert(
      fc.property(message(api.response, version), fc.nat(), (body, correlationId) => {
        const frame = concatBytes(writeResponse(api, version, correlationId, body));
        expect(readResponse(api, version, frame)).toEqual({ correlationId, body });
      }),
      RUNS,
    );
  });
});

it("what is written stays as it is when other messages are written, whatever their sizes", () => {
  const texts = fc.array(fc.string({ maxLength: 700 }), { minLength: 2, maxLength: 30 });
  fc.assert(
    fc.property(texts, (all) => {
      const frames = all.map((name) => writeRequest(deleteTopics, HEADER, { topics: [], topicNames: [name], timeoutMs: 1 }));
      const read = frames.map((pieces) => readRequest(deleteTopics, concatBytes(pieces)).topicNames[0]);
      expect(read).toEqual(all);
    }),
  );
});

it("large bytes are handed on, not copied; small ones are", () => {
  const large = new Uint8Array(5000).fill(7);
  const pieces = writeResponse(fetch, 4, 1, {
    errorCode: 0,
    responses: [
      {
        topic: "t",
        topicId: NO_UUID,
        partitions: [
          {
            partitionIndex: 0,
            errorCode: 0,
            highWatermark: 1,
            abortedTransactions: null,
            records: [large, new Uint8Array(3), large],
          },
        ],
      },
    ],
  });
  expect(pieces.filter((piece) => piece === large)).toHaveLength(2);
  expect(pieces).toHaveLength(4);
  const { body } = readResponse(fetch, 4, concatBytes(pieces));
  expect(body.responses[0]?.partitions[0]?.records).toEqual(concatBytes([large, new Uint8Array(3), large]));
});
