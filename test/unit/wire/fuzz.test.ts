/**
 * Requests that were good and are not any more, and ones that are well formed and mean nothing, through the handlers: each is
 * answered or refused, and none is a bug of the server (`internalErrors`). `npm run fuzz` tries more of the codec alone.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { concatBytes } from "../../../lib/base/bytes.ts";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { createGroups } from "../../../lib/groups/groups.ts";
import { createShareGroups } from "../../../lib/groups/share/share.ts";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { apiVersions } from "../../../lib/kafka/protocol/api/api-versions.ts";
import { APIS } from "../../../lib/kafka/protocol/apis.ts";
import { readResponse, writeRequest } from "../../../lib/kafka/protocol/messages.ts";
import { groupsOverMemory } from "../groups/support.ts";
import { message, versionsOf } from "../kafka/protocol/support.ts";
import { batchOf } from "../log/support.ts";
import { wireOverMemory } from "./support.ts";

async function bench() {
  const { log, parts } = groupsOverMemory();
  const shares = createShareGroups({ ...parts, codecs: nodeCodecs });
  const groups = createGroups(parts, { initialDelayMs: 0 });
  const wire = wireOverMemory({}, { log, groups, shares: async () => shares });
  await log.createTopic({ name: "t", partitions: 2 });
  await log.append({ topic: "t", partition: 0, batches: batchOf(["a", "b"]) });
  return { ...wire, topicId: (await log.topic("t")).id };
}

/** Nobody waits: long polls and joins answer at once. */
const gone = AbortSignal.abort();

it.each(APIS.map((api) => [api.name, api] as const))("%s answers or refuses whatever it is asked", async (_name, api) => {
  const { send, internalErrors, topicId } = await bench();
  const there: Readonly<Record<string, unknown>> = { name: "t", topic: "t", topicName: "t", topicId, shareSessionEpoch: 0 };
  const any = fc
    .constantFrom(...versionsOf(api))
    .chain((version) => fc.tuple(fc.constant(version), message(api.request, version)));
  await fc.assert(
    fc.asyncProperty(any, async ([apiVersion, body]) => {
      // Names that are there, now and then.
      const known = JSON.parse(JSON.stringify(body), (key, value) => (typeof value === typeof there[key] ? there[key] : value));
      for (const one of api.name === "Produce" ? [body] : [body, revived(known, body)]) {
        const frame = concatBytes(writeRequest(api, { apiVersion, correlationId: 5, clientId: null }, one));
        const answer = await send(frame, gone).catch(onlyOurs);
        if (answer !== undefined) expect(readResponse(api, apiVersion, answer).correlationId).toBe(5);
      }
      expect(internalErrors).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

/** JSON has no bytes: those of the original are put back. */
function revived(copy: unknown, original: unknown): never {
  if (original instanceof Uint8Array) return original as never;
  if (Array.isArray(original)) return original.map((one, i) => revived((copy as unknown[])[i], one)) as never;
  if (typeof original === "object" && original !== null) {
    const entries = Object.entries(original).map(([name, one]) => [name, revived((copy as Record<string, unknown>)[name], one)]);
    return Object.fromEntries(entries) as never;
  }
  return copy as never;
}

function onlyOurs(error: unknown): undefined {
  if (!(error instanceof BrokerlessError)) throw error;
  expect(error.code).not.toBe("internal");
}

it("bytes that are no requests are refused, and the next connection never notices", async () => {
  const { send, ask, internalErrors } = await bench();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      await send(bytes, gone).catch(onlyOurs);
    }),
    { numRuns: 1000 },
  );
  expect(internalErrors).toEqual([]);
  const answer = await ask(apiVersions, 3, { clientSoftwareName: "test", clientSoftwareVersion: "1" });
  expect(answer.errorCode).toBe(0);
});
