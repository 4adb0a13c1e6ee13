import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../../../lib/base/bytes.ts";
import { APIS } from "../../../../lib/kafka/protocol/apis.ts";
import {
  readRequest,
  readRequestHeader,
  readResponse,
  writeRequest,
  writeResponse,
} from "../../../../lib/kafka/protocol/messages.ts";
import { message, versionsOf } from "./support.ts";

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
